"""What is typed after an option, as values: the words of refloop in any spelling they are printed in, and moments.

What is not understood is a usage error that lists what would be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from refloop.mapping.stages import label_of
from refloop.model import Kind, ReviewReason, Status, parse_time
from refloop.sync.session import utc_now

E = TypeVar("E", bound=StrEnum)

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGO = re.compile(r"(\d{1,6})([mhdw])")


def word_key(word: str) -> str:
    """By what two spellings of a word are compared: `In negotiation`, `in-negotiation` and `IN_NEGOTIATION` are one."""
    return re.sub(r"[\s_-]+", " ", word).strip().casefold()


def one_of(members: Iterable[E], names: Callable[[E], Iterable[str]]) -> Callable[[str], E]:
    """A parser of words that takes each member by its value or by any of its `names`, as they are printed."""
    known = {word_key(name): member for member in members for name in (*names(member), member.value)}
    listed = ", ".join(dict.fromkeys(next(iter(names(member)), member.value) for member in known.values()))

    def parse(word: str) -> E:
        member = known.get(word_key(word))
        if member is None:
            raise typer.BadParameter(f"{word!r} is none of: {listed}")
        return member

    return parse


def starting(words: Iterable[str]) -> Callable[[str], list[str]]:
    """Completes what was begun to be typed to one of the words."""
    known = tuple(words)

    def complete(incomplete: str) -> list[str]:  # the name by which typer knows what to give
        return [word for word in known if word.startswith(incomplete.lower())]

    return complete


_KIND_NAMES: Mapping[Kind, tuple[str, ...]] = {Kind.DEAL: ("deal", "deals", "opportunity", "opportunities")}


def _kind_names(kind: Kind) -> tuple[str, ...]:
    return _KIND_NAMES.get(kind, (kind.value, f"{kind.value}s"))


parse_status = one_of(Status, lambda status: (label_of(status).lower(),))
parse_kind = one_of(Kind, _kind_names)
parse_reason = one_of(ReviewReason, lambda reason: (reason.value,))

StatusOption = Annotated[
    Status | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        parser=parse_status,
        autocompletion=starting([status.value for status in Status]),
        help=f"Only those that stand so: {', '.join(label_of(status).lower() for status in Status)}.",
    ),
]
KindOption = Annotated[
    Kind | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        parser=parse_kind,
        autocompletion=starting([kind.value for kind in Kind]),
        help="Only about these records: lead, contact or deal (opportunity).",
    ),
]
ReasonOption = Annotated[
    ReviewReason | None,
    typer.Option(
        "--reason",
        metavar="REASON",
        parser=parse_reason,
        autocompletion=starting([reason.value for reason in ReviewReason]),
        help=f"Only what was left for this reason: {', '.join(ReviewReason)}.",
    ),
]


def moment(text: str) -> datetime:
    """A day (its beginning, UTC), a time with its zone, or how long ago: `30m`, `12h`, `7d`, `2w`. An aware time."""
    if ago := _AGO.fullmatch(text.strip().lower()):
        return _before_now(int(ago[1]) * _UNITS[ago[2]])
    try:
        return parse_time(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no day (2026-03-31), no time with a zone (2026-03-31T12:00:00Z), and no length of time (7d)"
        ) from None


def _before_now(length: timedelta) -> datetime:
    try:
        return utc_now() - length
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


SinceOption = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        metavar="TIME",
        parser=moment,
        help="Only from then on: a day (2026-03-31), a time (2026-03-31T12:00:00Z), or how long ago (12h, 7d, 2w).",
    ),
]
