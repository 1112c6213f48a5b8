"""A plan: what would be written, and what would be left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from rich.console import Console

from refloop.ledger.reads.conflicts import FoundConflict
from refloop.model import FieldChange
from refloop.report.lines import one_line, say


def print_changes(console: Console, planned: Iterable[FieldChange]) -> Counter[str]:
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
        values = {change.after for change in of_record}
        for why in dict.fromkeys(change.why for change in of_record if change.why not in values):
            say(console, f"    because: {one_line(why)}", "dim")
    return counts


def print_conflicts(console: Console, found: Iterable[FoundConflict]) -> int:
    """Prints fields in which a person wrote something else, and returns how many."""
    count = 0
    for count, one in enumerate(found, start=1):
        conflict = one.conflict
        if count == 1:
            say(console, "conflicts", "bold")
        say(console, f"{conflict.ref} {conflict.field}", "yellow")
        say(console, f"    a person wrote {conflict.found!r}; refloop wants {conflict.want!r} and leaves it alone")
    return count
