"""A ledger that was damaged while nobody worked on it is refused before anything is written, anywhere."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from refloop.errors import Exit
from refloop.ledger.engine.checksum import checksum_file, write_checksum
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


class Damaged:
    """A ledger that is about to write to both CRMs, damaged and given to a sync, again and again."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        planned(bench)
        self.path = bench.office / "refloop.db"
        assert checksum_file(self.path).exists(), "it has no checksum since it was closed"
        self.start: State = bench.state()
        self.whole = self.path.read_bytes()

    def ends(self, damage: Damage, times: int, *, with_checksum: bool = True) -> Iterator[tuple[int, int]]:
        """(exit code, values written to the CRMs) of each sync."""
        die = random.Random(damage.__name__)  # noqa: S311 - a die, not a secret
        for _ in range(times):
            self.bench.put_back(self.start)
            checksum_file(self.path).unlink()
            if with_checksum:
                write_checksum(self.path)  # what was put back is another file
            content = bytearray(self.whole)
            damage(die, content)
            self.path.write_bytes(content)
            yield self.bench.run("sync").status, len(self.bench.writes)
            if with_checksum:
                assert self.path.read_bytes() == content, "a damaged ledger was written to"


def test_a_damaged_ledger_is_refused_before_anything_is_written(bench: Bench) -> None:
    damaged = Damaged(bench)
    for damage in (flipped, zeroed, truncated):
        assert set(damaged.ends(damage, 5)) == {(int(Exit.DATA), 0)}
    # without its checksum, SQLite's checks alone let some of it through: it is the checksum that notices
    assert set(damaged.ends(flipped, 12, with_checksum=False)) != {(int(Exit.DATA), 0)}


@pytest.mark.slow
@pytest.mark.parametrize(("damage", "times"), [(flipped, 600), (zeroed, 300), (truncated, 300)])
def test_a_damaged_ledger_is_refused_at_many_places(bench: Bench, damage: Damage, times: int) -> None:
    found = Counter(Damaged(bench).ends(damage, times))
    assert found == {(int(Exit.DATA), 0): times}
    print(f"\n{damage.__name__}: {times} times, {found}")  # noqa: T201 - a figure
