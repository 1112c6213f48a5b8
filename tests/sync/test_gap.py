"""A person edits in the moment between the look at a record and the write to it, over a local Salesforce."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from refloop.ledger.codes import reread_texts
from refloop.model import Kind, Ref
from refloop.testing import Draft
from tests.connectors.salesforce.world import LONG_ENOUGH, SECRET, SalesforceWorld
from tests.new_ledger import new_ledger
from tests.sync.loop import POLICY, Loop

CODE = POLICY.spec("ref_code")


@pytest.fixture
def loops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Loop]]:
    monkeypatch.setenv("SF_SECRET", SECRET)
    made: list[Loop] = []
    worlds: list[SalesforceWorld] = []

    def loop(mode: str) -> Loop:
        worlds.append(SalesforceWorld("sales", conditional_writes=mode))
        made.append(Loop(new_ledger(folder / "refloop.db"), {"sales": worlds[-1]}))
        made[-1].provision()
        made[-1].code("ANNA-7K2Q", "anna")
        return made[-1]

    yield loop
    for one in made:
        one.ledger.close()
    for world in worlds:
        world.close()


def edited(loop: Loop) -> Ref:
    """A lead that a sync wants to write, and whose code somebody types in the moment before."""
    sales = loop.crms["sales"]
    assert isinstance(sales, SalesforceWorld)
    ref = sales.create(Kind.LEAD, Draft(email="kim@buyer.io", code="ANNA-7K2Q"))
    sales.pass_time(LONG_ENOUGH)
    sales.before_next_write(lambda: sales.write(ref, CODE, "WHAT-3V3R"))
    return ref


@pytest.mark.parametrize("mode", ["auto", "always"])
def test_her_edit_stands_and_counts_as_if_it_had_come_later(loops: Callable[[str], Loop], mode: str) -> None:
    loop = loops(mode)
    ref = edited(loop)
    counts = loop.sync().counts["sales"]
    assert (counts["moved"], counts["unconditional"]) == (1, 0)
    assert counts["written"] == len(loop.fields(ref)) - 1  # all that she did not touch
    loop.sync()
    # a code that nobody issued, in the very field for it: the one in the text counts no more
    why = "The referral by code ANNA-7K2Q is withdrawn: a person typed another code in its place"
    assert loop.fields(ref) == {"code": "WHAT-3V3R", "answer": "No such code", "why": why}
    with loop.ledger.writing():
        reread_texts(loop.ledger)
    assert loop.planned() == {}


def test_without_conditions_it_is_overwritten_and_the_run_says_how_many_were_open_to_that(
    loops: Callable[[str], Loop],
) -> None:
    loop = loops("never")
    ref = edited(loop)
    counts = loop.sync().counts["sales"]
    assert (counts["moved"], counts["unconditional"]) == (0, 1)
    assert loop.fields(ref)["code"] == "ANNA-7K2Q"
