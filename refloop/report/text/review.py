"""What was left for a person to decide, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from rich.console import Console

from refloop.ledger.reads.review import OpenGroup
from refloop.model import ReviewReason
from refloop.report.grid import Row, numbers, whole
from refloop.report.lines import say
from refloop.report.text.table import table

REMEDIES: Mapping[ReviewReason, str] = {
    ReviewReason.UNKNOWN: "a code that nobody issued: add it with `refloop codes add`, or correct it in the CRM",
    ReviewReason.AMBIGUOUS: "more than one code on the record: leave one, or type the right one into the referral "
    "code field",
    ReviewReason.EXPIRED: "the code was, or may have been, no longer valid on the day on which it came: if it counts "
    "all the same, give it a later end with `refloop codes add`",
    ReviewReason.NOT_YET_VALID: "the code was, or may have been, not valid yet on the day on which it came: if it "
    "counts all the same, give it an earlier start with `refloop codes add`",
    ReviewReason.NEAR: "one letter off a code that was issued: correct it in the CRM if that is what was meant",
    ReviewReason.CLOSED_BEFORE: "the deal had closed before the referral was made: no credit; if the referral "
    "was first, submit it with its day (`refloop referrals add CODE EMAIL --date DAY`)",
    ReviewReason.MAY_BE_BEFORE: "the deal ended within the time in which the code came, and nobody knows which was "
    "first: no credit; if the referral was first, submit it with its day (`refloop referrals add CODE EMAIL --date "
    "DAY`)",
    ReviewReason.TWO_CODES: "another code came to the record after the first one, which counts: if the new one is "
    "right, type it into the referral code field",
    ReviewReason.WHO_WAS_FIRST: "the buyer came with the codes of two referrers, and nobody knows which was first: no "
    "credit; type the right one into the referral code field",
    ReviewReason.MASS_EDIT: "many records got this code within minutes and had none before: none of them counts; "
    "submit those that are referrals (`refloop referrals import FILE`)",
    ReviewReason.SELF_REFERRAL: "the buyer's address is another spelling of the referrer's: no credit, unless you type "
    "the code into the referral code field",
    ReviewReason.UNKNOWN_STAGE: "the CRM does not say whether this stage is open, won or lost: the status stays as "
    "it is",
    ReviewReason.NO_BUYER: "nobody stands on the won deal as its buyer, and of its company somebody was referred: put "
    "the buyer on the deal, or set `deals_by_account`",
    ReviewReason.ONLY_A_ROLE: "somebody stands on the deal as its referrer, and no code says so: give the buyer a code "
    "of theirs, or correct the role",
    ReviewReason.REFERRER_IS_BUYER: "one person is the deal's referrer and its buyer: leave one role; nothing is "
    "credited through them",
    ReviewReason.SAME_NAME: "a buyer of the won deal has the name and company of a referred person: merge the two in "
    "the CRM if they are one",
}


GROUPS = 5
"""So many groups of each reason are shown."""
_COLUMNS = (*numbers("records"), *whole("kind"), *whole("about", "first"))


def print_groups(console: Console, counts: Mapping[ReviewReason, int], groups: Iterable[OpenGroup]) -> None:
    """Prints what was left for review, reason by reason: what to do about it, the largest groups, and how to see the
    rest. `groups` stand in the order of their reasons."""
    say(console, f"{sum(counts.values()):,} left for review", "bold")
    for reason, alike in groupby(groups, key=lambda group: group.reason):
        of_reason = list(alike)
        say(console, "")
        say(console, f"{reason} ({counts[reason]:,}): {REMEDIES[reason]}", "bold")
        table(console, _COLUMNS, map(_cells, of_reason[:GROUPS]))
        rest = of_reason[GROUPS:]
        if rest:
            records = sum(group.count for group in rest)
            say(
                console,
                f"and {records:,} records in {len(rest):,} more groups: `refloop review --reason {reason} --all`",
            )
    say(console, "")
    say(
        console,
        "one by one: `refloop review --all`, or of one --reason, --kind, --code or --only CONNECTION; --csv, --json",
    )


def _cells(group: OpenGroup) -> Row:
    more = ["..."] if group.count > len(group.first) else []
    return (group.count, group.kind, group.about, [*group.first, *more])


def print_open(console: Console, counts: Mapping[ReviewReason, int]) -> None:
    """Prints on one line how much is open, by why, and where to see it."""
    if counts:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        say(console, f"left for review, see `refloop review`: {reasons}")


def print_open_with_remedies(console: Console, counts: Mapping[ReviewReason, int]) -> None:
    """Prints a line a reason, each with what to do about it."""
    if counts:
        say(console, "left for review (refloop review):")
        for reason, count in counts.items():
            say(console, f"            {count:>7,}   {reason}: {REMEDIES[reason]}")
