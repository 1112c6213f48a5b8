"""A ledger that was damaged while nobody worked on it is refused before anything is written, anywhere.

Whatever saves the file is noticed by its mark, at opening. What a disk gives back otherwise than it was given, with no
time of the file changed, is noticed where SQLite reads the page, and by looking all of it through: once a day, and
where there is no mark.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from enum import Enum

import pytest

from refloop.errors import Exit
from refloop.ledger.engine.mark import leave_mark, mark_file
from refloop.ledger.soundness import EVERY
from refloop.sync.session import utc_now
from tests.crash.bench import Bench, State
from tests.crash.test_crash_points import planned

Damage = Callable[[random.Random, bytearray], None]


def flipped(die: random.Random, content: bytearray) -> None:
    """One bit, in a byte that is in use."""
    place = die.choice([number for number, byte in enumerate(content) if byte])
    content[place] ^= 1 << die.randrange(8)


def zeroed(die: random.Random, content: bytearray) -> None:
    """One sector that held something."""
    place = die.choice([start for start in range(0, len(content), 512) if any(content[start : start + 512])])
    content[place : place + 512] = bytes(512)


def truncated(die: random.Random, content: bytearray) -> None:
    del content[die.choice((0, *range(len(content)))) :]


class Seen(Enum):
    """How the damage came, as far as the file's mark can tell."""

    SAVED = "something saved the file"
    UNMARKED = "there is no mark of it: after a crash"
    ROTTEN = "the disk gives back something else"
    ROTTEN_FOR_A_DAY = "the same, and nobody looked through it for a day"


class Damaged:
    """A ledger that is about to write to both CRMs, damaged and given to a sync, again and again."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        planned(bench)
        self.path = bench.office / "refloop.db"
        assert mark_file(self.path).exists(), "it has no mark since it was closed"
        self.start: State = bench.state()
        self.whole = self.path.read_bytes()

    def ends(self, damage: Damage, times: int, seen: Seen = Seen.SAVED) -> Iterator[tuple[int, int]]:
        """(exit code, values written to the CRMs) of each sync."""
        die = random.Random(damage.__name__)  # noqa: S311 - a die, not a secret
        for _ in range(times):
            self.bench.put_back(self.start)
            mark_file(self.path).unlink()
            if seen is Seen.SAVED:
                leave_mark(self.path, utc_now())
            content = bytearray(self.whole)
            damage(die, content)
            self.path.write_bytes(content)
            if seen in (Seen.ROTTEN, Seen.ROTTEN_FOR_A_DAY):
                leave_mark(self.path, utc_now() - (EVERY if seen is Seen.ROTTEN_FOR_A_DAY else timedelta()))
            ended = self.bench.run("sync").status
            yield ended, len(self.bench.writes)
            if seen is Seen.SAVED:
                assert self.path.read_bytes() == content, "a damaged ledger was written to"


def test_a_damaged_ledger_is_refused_before_anything_is_written(bench: Bench) -> None:
    damaged = Damaged(bench)
    for damage in (flipped, zeroed, truncated):
        assert set(damaged.ends(damage, 5)) == {(int(Exit.DATA), 0)}
    # where its mark says that nobody wrote to it, what is not read is let through: it is the mark that notices
    assert set(damaged.ends(flipped, 12, Seen.ROTTEN)) != {(int(Exit.DATA), 0)}
    seen = Counter(damaged.ends(flipped, 12, Seen.ROTTEN_FOR_A_DAY))
    assert seen[int(Exit.DATA), 0] >= 6, "all of it is looked through before anything is written"


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "times"), [(flipped, 600), (zeroed, 300), (truncated, 300)])
def test_a_damaged_ledger_is_refused_at_many_places(bench: Bench, damage: Damage, times: int) -> None:
    found = Counter(Damaged(bench).ends(damage, times))
    assert found == {(int(Exit.DATA), 0): times}
    print(f"\n{damage.__name__}: {times} times, {found}")  # noqa: T201 - a figure


@pytest.mark.slow
@pytest.mark.parametrize("seen", [Seen.UNMARKED, Seen.ROTTEN, Seen.ROTTEN_FOR_A_DAY])
@pytest.mark.parametrize("damage", [flipped, zeroed, truncated])
def test_what_is_noticed_without_the_mark(bench: Bench, damage: Damage, seen: Seen) -> None:
    """Figures for docs/reliability.md: the least that each check is good for, and how much it was."""
    times = 100
    found = Counter(Damaged(bench).ends(damage, times, seen))
    noticed = found[int(Exit.DATA), 0]
    print(f"\n{damage.__name__}, {seen.value}: {noticed} of {times} refused with nothing written; {found}")  # noqa: T201 - a figure
    least = 50 if damage is flipped else 90
    assert noticed >= (0 if seen is Seen.ROTTEN else least)
