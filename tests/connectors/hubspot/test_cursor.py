from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refloop.connectors.hubspot.cursor import FULL, SWEEP, TICK, Phase, Progress, read_cursor
from refloop.connectors.hubspot.id_ranges import ALL, IdRange
from refloop.connectors.hubspot.layout import Layout
from refloop.errors import LedgerError
from refloop.model import Cursor, Kind

DAY = 86_400_000
times = st.integers(min_value=0, max_value=10**14)
ids = st.integers(1, 10**18)
ranges = st.builds(IdRange, st.sampled_from(Kind), ids, st.none() | ids)


names = st.text(max_size=20)
layouts = st.builds(
    Layout,
    st.dictionaries(st.sampled_from(Kind), st.dictionaries(names, st.text(min_size=1, max_size=20))),
    st.dictionaries(st.sampled_from(Kind), st.lists(names).map(tuple)),
)


@given(
    st.builds(
        Progress,
        mark=times,
        swept=times,
        until=st.integers(1, 10**14),
        todo=st.lists(st.sampled_from(TICK + SWEEP)).map(tuple),
        last=st.integers(0, 10**18),
        layout=st.none() | layouts,
        doubtful=st.booleans(),
    )
)
def test_a_cursor_reads_back_as_it_was(progress: Progress) -> None:
    assert read_cursor(progress.cursor()) == progress


def test_a_cursor_of_the_version_before_is_read() -> None:
    before = read_cursor(Cursor('[2, 900, 50, 950, ["deals"], 42, []]'))
    assert before == Progress(mark=900, swept=50, until=950, todo=(Phase.DEALS,), last=42)


@given(st.integers(1, 10**14), st.lists(ranges, min_size=1))
def test_the_cursor_of_a_full_pull_reads_back_as_it_was(until: int, left: list[IdRange]) -> None:
    progress = Progress(until=until, todo=FULL, left=tuple(left))
    assert read_cursor(progress.cursor()) == progress


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "null",
        "[]",
        "nonsense",
        "[1, 1, 1, 1, [], 0]",
        "[3, 1, 1, 1, [], 0, []]",
        "[4, 1, 1, 1, [], 0, [], null, false]",
        "[3, 1, 1, 1, [], 0, [], {}, false]",
        "[3, 1, 1, 1, [], 0, [], [{}], false]",
        '[3, 1, 1, 1, [], 0, [], [{"contact": {"lead": 1}}, {}], false]',
        '[3, 1, 1, 1, [], 0, [], [{"contact": ["lead"]}, {}], false]',
        '[3, 1, 1, 1, [], 0, [], [{}, {"firm": []}], false]',
        '[3, 1, 1, 1, [], 0, [], [{}, {"deal": [1]}], false]',
        "[2, -1, 1, 1, [], 0, []]",
        "[2, 1.5, 1, 1, [], 0, []]",
        "[2, true, 1, 1, [], 0, []]",
        '[2, 1, 1, 1, ["elsewhere"], 0, []]',
        '[2, 1, 1, 0, ["deals"], 0, []]',
        "[2, 1, 1, 1, null, 0, []]",
        '[2, 1, 1, 1, [], "0", []]',
        '[2, 1, 1, 1, ["all"], 0, []]',
        '[2, 1, 1, 1, ["all"], 0, null]',
        '[2, 1, 1, 1, ["all"], 0, [["deal", 1]]]',
        '[2, 1, 1, 1, ["all"], 0, [["firm", 1, 2]]]',
        '[2, 1, 1, 1, ["all"], 0, [["deal", -1, 2]]]',
        '[2, 1, 1, 1, ["deals"], 0, [["deal", 1, 2]]]',
    ],
)
def test_a_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(LedgerError, match="cursor"):
        read_cursor(Cursor(text))


def test_the_watermark_moves_only_when_all_walks_are_done() -> None:
    progress = Progress(mark=100, swept=50, until=900, todo=TICK).at(42)
    assert (progress.mark, progress.last) == (100, 42)
    progress = progress.next_phase()
    assert (progress.mark, progress.last, progress.todo) == (100, 0, (Phase.DEALS,))
    assert progress.next_phase() == Progress(mark=900, swept=50)


def test_a_full_pull_is_done_when_all_of_it_was_covered() -> None:
    progress = Progress(until=900, todo=FULL, left=ALL)
    progress = progress.covered(IdRange(Kind.DEAL, 1)).covered(IdRange(Kind.CONTACT, 1, 50))
    assert progress.left == (IdRange(Kind.CONTACT, 50),)
    assert progress.covered(IdRange(Kind.CONTACT, 50)) == Progress(mark=900, swept=900)


@pytest.mark.parametrize(("until", "mark"), [(900, 100), (100 + DAY - 1, 100), (100 + DAY, 100 + DAY)])
def test_the_watermark_waits_for_what_is_doubtful_a_day_at_most(until: int, mark: int) -> None:
    progress = Progress(mark=100, swept=50, until=until, todo=(Phase.DEALS,), doubtful=True)
    assert progress.next_phase() == Progress(mark=mark, swept=50)


@pytest.mark.parametrize("todo", [FULL, TICK + SWEEP])
def test_a_sweep_and_a_full_pull_count_as_swept(todo: tuple[Phase, ...]) -> None:
    progress = Progress(mark=100, swept=50, until=900, todo=todo)
    while progress.under_way:
        progress = progress.next_phase()
    assert progress == Progress(mark=900, swept=900)
