"""What the commands print: plain text, coloured on a terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from refloop.errors import RefloopError
from refloop.mapping.stages import label_of
from refloop.model import FieldChange, Finding, Level, Status

Row = Mapping[str, Any]

_FORMULA = tuple("=+-@\t\r\n|＝＋－＠")  # noqa: RUF001 - the full-width twins are meant

_LEDGER_TIME = re.compile(r"\.\d{6}\+00:00$")
"""How the ledger ends its times, so that they sort as text; people need neither part of it."""

_NO_WIDTH = 100_000
_OUTCOMES = ("written", "overwrote", "present", "moved", "refused", "deferred", "unknown", "conflicts", "parked")

_MOST = 20
"""How many rows of a list people are shown where another command shows them all."""

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Control characters but tab and line feed, and those that set the direction of text (Unicode TR 9)."""

REMEDIES = {
    "unknown": "a code that nobody issued: add it with `refloop codes add`, or correct it in the CRM",
    "ambiguous": "more than one code on the record: leave one, or type the right one into the referral code field",
    "expired": "the code was no longer valid on the record's date",
    "not-yet-valid": "the code was not valid yet on the record's date",
    "near": "one letter off a code that was issued: correct it in the CRM if that is what was meant",
    "closed-before-referral": "the deal had closed before the referral was made: no credit",
    "unknown-stage": "the CRM does not say whether this stage is open, won or lost: the status stays as it is",
}


def say(console: Console, text: str, style: str = "") -> None:
    """Prints a line as it is: values from a CRM are never taken for markup, never wrapped, and `harmless`."""
    console.print(Text(harmless(text), style=style), soft_wrap=True)


def harmless(text: str) -> str:
    """The text with what would act on a terminal, or turn the text around it, as escapes. Line ends stay."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    """A value that must not look like lines of ours."""
    return text.replace("\n", "\\n")


def inert(value: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value.lstrip()[:1] in _FORMULA and value.strip() else value


def ago(seconds: float) -> str:
    """A length of time in one unit, for people."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago" if seconds >= 2 else "just now"


def table(console: Console, rows: Iterable[Row], columns: Sequence[str]) -> int:
    """Prints rows as a table and returns how many there were."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column.replace("_", " "), overflow="fold")
    count = 0
    for count, row in enumerate(rows, start=1):  # noqa: B007 - counted while streamed
        drawn.add_row(*(Text(harmless(_cell(row.get(column)))) for column in columns))
    if count and console.is_terminal:
        console.print(drawn)
    elif count:
        # a file or a pipe has no width to fold to
        page = Console(file=StringIO(), width=_NO_WIDTH)
        with page.capture() as captured:
            page.print(drawn)
        for line in captured.get().splitlines():
            say(console, line.rstrip())
    return count


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(f"{amount} {key}" for key, amount in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return _LEDGER_TIME.sub("Z", str(value))


def findings(console: Console, found: Iterable[Finding]) -> Counter[Level]:
    """Prints one finding a line, with what to do about it, and counts them by level."""
    styles = {Level.ERROR: "red", Level.WARNING: "yellow", Level.INFO: ""}
    counts: Counter[Level] = Counter()
    for finding in found:
        counts[finding.level] += 1
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        say(console, f"{finding.level:<7} {finding.place}: {finding.message}{remedy}", styles[finding.level])
    return counts


def changes(console: Console, planned: Iterable[FieldChange]) -> Counter[str]:
    """Prints changes as a diff grouped by record, with the reasons, and counts records and changes."""
    counts: Counter[str] = Counter()
    for ref, group in groupby(planned, key=lambda change: change.ref):
        of_record = list(group)
        say(console, str(ref), "bold")
        counts["records"] += 1
        counts["changes"] += len(of_record)
        for change in of_record:
            if change.before is not None:
                say(console, f"  - {change.field.name}: {one_line(change.before)}", "red")
            if change.after is not None:
                say(console, f"  + {change.field.name}: {one_line(change.after)}", "green")
        said = {change.after for change in of_record}
        for why in dict.fromkeys(change.why for change in of_record if change.why not in said):
            say(console, f"    because: {one_line(why)}", "dim")
    return counts


def conflicts(console: Console, found: Iterable[Row]) -> int:
    """Prints fields in which a person wrote something else."""
    count = 0
    for count, row in enumerate(found, start=1):
        if count == 1:
            say(console, "conflicts", "bold")
        say(console, f"{row['connection']}:{row['kind']}:{row['id']} {row['field']}", "yellow")
        say(console, f"    a person wrote {row['found']!r}; refloop wants {row['want']!r} and leaves it alone")
    return count


def to_review(console: Console, found: Mapping[str, int]) -> None:
    """Prints how much was left for a person to decide, by why, and where to see it."""
    if found:
        reasons = ", ".join(f"{count:,} {doubt}" for doubt, count in found.items())
        say(console, f"left for review, see `refloop review`: {reasons}")


def totals(console: Console, figures: Row) -> None:
    """Prints the summary: referrals, endings, amounts, what is left for review and why."""
    say(
        console,
        f"referrals   {figures['referrals']:>7,}   won {figures['won']:,}, lost {figures['lost']:,}, "
        f"open {figures['open']:,}",
    )
    for status, count in figures["by_status"].items():
        say(console, f"            {count:>7,}   {label_of(Status(status)).lower()}", "dim")
    for status, count in figures["not_counted"].items():
        say(console, f"  not counted {count:>5,}   {label_of(Status(status)).lower()}", "dim")
    for word, amounts in (("won", figures["won_amount"]), ("open", figures["open_amount"])):
        for currency, amount in amounts.items():
            say(console, f"credited {word:<5} {amount:>14} {currency}")
    if figures["review"]:
        say(console, "left for review (refloop review):")
        for doubt, count in figures["review"].items():
            say(console, f"            {count:>7,}   {doubt}: {REMEDIES.get(doubt, '')}")
    for word, remedy in (
        ("conflicts", "a person wrote there: see `refloop plan`"),
        ("refused", "the CRM refused the change: see `refloop status`"),
        ("unsettled", "sent, but the answer was lost: settled first thing in the next run"),
    ):
        if figures[word]:
            say(console, f"{word:<11} {figures[word]:>7,}   {remedy}", "yellow")
    overwritten(console, figures["overwritten"])


def overwritten(console: Console, found: Sequence[Row]) -> None:
    """Prints what people wrote and refloop wrote over, and how to put it back: a line a field."""
    for row in found[:_MOST]:
        place = f"{row['connection']}:{row['kind']}:{row['id']} {row['field']}"
        both = f"somebody wrote {row['found'] or ''!r} just before refloop wrote {row['wrote'] or ''!r} over it"
        say(console, f"overwritten {place}: {both}; to put it back: refloop undo {row['run']} --overwritten", "yellow")
    if len(found) > _MOST:
        say(console, f"overwritten {len(found) - _MOST:,} more: see `refloop status --json`", "yellow")


def health(console: Console, told: Row) -> None:
    """Prints what `refloop.report.health.health` told."""
    if not table(
        console, told["connections"], ("connection", "pulled_at", "last_success", "leads", "contacts", "deals")
    ):
        say(console, "nothing pulled yet: run `refloop sync`")
    for row in told["connections"]:
        name, error = row["connection"], row["last_error"]
        age = "never pulled" if row["age_seconds"] is None else f"last pulled {ago(row['age_seconds'])}"
        say(console, f"{name}: {age}" + ("" if row["configured"] else ", not in the configuration any more"))
        if error:
            what = "an error that is over" if error["over"] else "the last error"
            said = f"{name}: {what}, {error['at']}, run {error['run']}: {error['message']}"
            say(console, said, "" if error["over"] else "red")
    for row in told["quota"]:
        say(
            console,
            "{connection}: {used:,} of {limit:,} calls a day used, {ours_day:,} by refloop, "
            "{others:,} by others".format(**row),
        )
    _operations(console, told)
    totals(console, told["summary"])
    table(console, told["quarantine"][:_MOST], ("connection", "kind", "id", "field", "after", "reason", "times"))
    if len(told["quarantine"]) > _MOST:
        say(console, f"and {len(told['quarantine']) - _MOST:,} more: see `refloop status --json`")


def _operations(console: Console, told: Row) -> None:
    last, backup, working = told["last_sync"], told["backup"], told["working"]
    if last:
        how = "was killed" if last["exit"] is None else f"exit code {last['exit']}"
        say(
            console,
            f"last run: {last['run']} ({last['command']}), {last['ended_at']}, {how}",
            "red" if last["failed"] else "",
        )
    if working:
        still = ", but it stands still: the next run takes over" if working["stands_still"] else ""
        say(console, f"working now: process {working['pid']} on {working['host']}, since {working['since']}{still}")
    if backup and backup["age_seconds"] is not None:
        say(console, f"backup: {ago(backup['age_seconds'])}, {backup['file']}")
    elif not backup:
        say(console, "backup: none yet; the first `refloop sync` of a day makes one", "yellow")


def run_counts(console: Console, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Prints what a run did, a line a connection."""
    for name, done in counts.items():
        if not name:
            continue
        pulled = f"pulled {done.get('pulled', 0):,} ({done.get('new', 0):,} new, {done.get('changed', 0):,} changed)"
        wrote = ", ".join(f"{done[word]:,} {word}" for word in _OUTCOMES if done.get(word))
        say(console, f"{name}: {pulled}; {wrote or 'nothing to write'}; {done.get('calls', 0):,} calls")
        if done.get("unconditional"):
            say(
                console,
                f"{name}: {done['unconditional']:,} records were written without the condition that nobody edited them "
                "in that moment (`conditional_writes`)",
                "dim",
            )


def problem(console: Console, name: str, error: RefloopError) -> None:
    """Prints what kept a connection from being worked on."""
    say(console, f"{name}: {error}", "red")


def before_after(console: Console, written: Iterable[Row]) -> None:
    """Prints what a run did to one record, field by field."""
    rows = [
        {"field": row["field"], "before": row["before"] or "(empty)", "after": row["after"] or "(empty)"}
        for row in written
        if row["verdict"] == "written"
    ]
    table(console, rows, ("field", "before", "after"))


def story(console: Console, told: Row) -> None:
    """Prints the whole story of a record: what was read, what was decided on what evidence, what was written."""
    record = told["record"]
    say(console, f"{record['connection']}:{record['kind']}:{record['id']}  {one_line(record['title'] or '')}", "bold")
    facts = ("created_at", "modified_at", "stage", "outcome", "amount", "currency", "closed_at")
    for fact in facts:
        if record[fact] is not None:
            say(console, f"  {fact}: {_cell(record[fact])}")
    if told["forgotten"]:
        say(console, "  this person was forgotten (`refloop forget`): e-mail, title and texts are not kept", "yellow")
    if record["deleted"]:
        say(console, "  deleted in the CRM", "yellow")
    _section(console, "read", [f"{name}: {text}" for name, text in {**record["texts"], **record["found"]}.items()])
    _section(console, "links", [_link(row) for row in told["links"]])
    _section(console, "codes", [_match(row) for row in told["matches"]])
    _section(
        console,
        "questions",
        [
            f"{row['doubt']}: {row['evidence']!r} in {row['field']} ({REMEDIES.get(row['doubt'], '')})"
            for row in told["questions"]
        ],
    )
    for referral in told["referrals"]:
        referral_story(console, referral)
    _section(console, "credits", [_credit(row) for row in told["credits"]])
    _section(console, "written", [_receipt(row) for row in told["written"]])
    _section(
        console,
        "conflicts",
        [
            f"{row['field']}: a person wrote {row['found']!r}, refloop wrote {row['wrote']!r} and wants {row['want']!r}"
            for row in told["conflicts"]
        ],
    )


def referral_story(console: Console, told: Row) -> None:
    """Prints the whole story of a referral."""
    referral = told["referral"]
    who = referral["referrer_name"] or referral["referrer"]
    say(console, f"referral {referral['referral']}: code {referral['code']} of {who}, {referral['program']}", "bold")
    say(console, f"  because: {referral['why']}")
    if referral["void"]:
        say(console, f"  does not count: {referral['void_reason']}", "yellow")
    _section(console, "records", [f"{row['connection']}:{row['kind']}:{row['id']}" for row in told["records"]])
    _section(
        console,
        "statuses",
        [f"{row['at']} {row['status']} ({row['reason']}), decided in run {row['run']}" for row in told["statuses"]],
    )
    _section(
        console,
        "deals",
        [
            f"{row['connection']}:{row['kind']}:{row['id']} {row['title'] or ''}: {row['outcome'] or 'unknown'}, "
            f"{row['role']} share {row['share']} of {row['amount'] or 'no amount'} {row['currency'] or ''}"
            for row in told["deals"]
        ],
    )


def _section(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        say(console, f"  {title}:", "bold")
        for line in lines:
            say(console, f"    {one_line(line)}")


def _link(row: Row) -> str:
    source = f"{row['source_connection']}:{row['source_kind']}:{row['source_id']}"
    target = f"{row['target_connection']}:{row['target_kind']}:{row['target_id']}"
    return f"{source} {row['relation']} {target}"


def _match(row: Row) -> str:
    if row["code_key"] is None:
        return f"run {row['run']}: no code any more"
    return (
        f"run {row['run']}: {row['code_key']} by rule {row['rule']} ({row['confidence']} %), "
        f"{row['evidence']!r} in {row['field']}"
    )


def _credit(row: Row) -> str:
    if row["referral"] is None:
        return f"run {row['run']}: nobody"
    return f"run {row['run']}: {row['referral']} {row['role']} share {row['share']} ({row['model']})"


def _receipt(row: Row) -> str:
    reason = f" ({row['reason']})" if row["reason"] else ""
    if row["overwrote"]:
        reason = f" over {row['found'] or ''!r}, which somebody wrote there at the same time"
    return (
        f"{row['at']} run {row['run']} {row['field']}: {row['before']!r} -> {row['after']!r} {row['verdict']}{reason}"
    )
