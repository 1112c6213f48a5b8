"""What is left of a full pull, and how readers share it."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.hubspot.id_ranges import ALL, IdRange, IndexCount, Reading, without
from refloop.model import Kind

TOP = 60
points = st.integers(1, TOP)
some = st.builds(IdRange, st.sampled_from((Kind.CONTACT, Kind.DEAL)), points, st.none() | points)


def ids(*ranges: IdRange) -> set[tuple[Kind, int]]:
    return {
        (one.kind, number) for one in ranges for number in range(one.start, TOP + 9 if one.end is None else one.end)
    }


@given(st.lists(some, max_size=12))
def test_what_is_left_is_what_was_not_done(done: list[IdRange]) -> None:
    left: tuple[IdRange, ...] = ALL
    for id_range in done:
        left = without(left, id_range)
        assert not any(one.is_empty for one in left)
    assert ids(*left) == ids(*ALL) - ids(*done)
    assert sum(len(ids(one)) for one in left) == len(ids(*left)), "no id is left twice"


def test_pages_one_after_another_leave_one_id_range() -> None:
    left: tuple[IdRange, ...] = ALL
    for start in range(1, 10_001, 100):
        left = without(left, IdRange(Kind.CONTACT, start, start + 100))
    assert left == (IdRange(Kind.CONTACT, 10_001), IdRange(Kind.DEAL, 1))


def page(reading: Reading, records: list[int]) -> IdRange:
    """One page of ten, as the list call gives it; `reading` may have been split meanwhile."""
    first = bisect_left(records, reading.at)
    rows = [one for one in records[first : first + 10] if reading.end is None or one < reading.end]
    return reading.went_on(rows, records[first + 10] if first + 10 < len(records) else None)


EVEN = list(range(1, 5_001))
OLD_AND_NEW = [*range(1, 2_001), *range(150_000_000_000, 150_000_003_000)]
THINNING = sorted({int(1.01**power) for power in range(2_500)})


@pytest.mark.parametrize("records", [EVEN, OLD_AND_NEW, THINNING, [7], [], [10**15, 10**15 + 1]])
@pytest.mark.parametrize("readers", [2, 6])
def test_readers_share_the_pages_and_read_each_record(records: list[int], readers: int) -> None:
    count = IndexCount(len(records), records[-1] if records else 0)
    left: tuple[IdRange, ...] = (IdRange(Kind.CONTACT, 1),)
    at_work = [Reading.of(left[0])]
    pages = rounds = 0
    while at_work:
        rounds += 1
        for reading in at_work:
            before = reading.rows
            left = without(left, page(reading, records))
            count.left -= reading.rows - before
            pages += 1
        at_work = [one for one in at_work if not one.is_done]
        while at_work and len(at_work) < readers:
            longest = max(at_work, key=lambda one: one.rows_left(count))
            later = longest.split(count) if longest.rows_left(count) >= 80 else None
            if later is None:
                break
            at_work.append(later)
    floor = max(1, -(-len(records) // 10))
    assert left == ()
    assert count.left == 0
    assert pages <= floor + 60
    assert rounds <= floor / readers * 1.3 + 30


def test_a_reader_whose_stretch_was_cut_short_gives_no_more_than_its_own() -> None:
    reading = Reading.of(IdRange(Kind.DEAL, 1))
    page(reading, EVEN)
    later = reading.split(IndexCount(4_990, 5_000))
    assert later is not None
    assert (reading.end, later.at, later.end) == (later.at, 2_506, None)
    reading.at = later.at - 3
    assert page(reading, EVEN) == IdRange(Kind.DEAL, 2_503, 2_506)
    assert reading.rows == 13
    assert reading.is_done


def test_nothing_is_split_before_a_page_was_read() -> None:
    assert Reading.of(ALL[0]).split(IndexCount(1_000, 1_000)) is None
