"""Long output goes through the pager on a terminal, and never elsewhere; colours can be switched off."""

from __future__ import annotations

import json
import sys

import pytest

from refloop.errors import Exit
from tests.cli.conftest import Office, fill
from tests.commands.terminal import on_terminal

MARK = "sed s/^/paged>/"
FREE = (
    f'{sys.executable} -c \'import fcntl; fcntl.flock(open("refloop.db.lock"), fcntl.LOCK_EX | fcntl.LOCK_NB); '
    'print("the lock is free")\''
)


@pytest.fixture
def planned(office: Office) -> Office:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("plan").code == Exit.OK
    return office


PLAN = ("plan", "--no-pull")


@pytest.mark.usefixtures("planned")
def test_a_plan_is_paged_on_a_terminal_and_keeps_its_exit_code(refloop: list[str]) -> None:
    code, seen = on_terminal(*refloop, *PLAN, "--detailed-exitcode", environment={"PAGER": MARK})
    assert code == Exit.CHANGES
    lines = seen.splitlines()
    assert all(line.startswith("paged>") for line in lines)
    assert "38 changes to 6 records, 0 conflicts" in lines[-1]
    assert "\x1b[32m  + ref_code: BENS-4F6T" in seen


@pytest.mark.parametrize(
    ("words", "environment"), [((*PLAN,), {"NO_COLOR": "1"}), (("--no-color", *PLAN), {})], ids=["variable", "option"]
)
@pytest.mark.usefixtures("planned")
def test_colours_can_be_switched_off(refloop: list[str], words: tuple[str, ...], environment: dict[str, str]) -> None:
    _, seen = on_terminal(*refloop, *words, environment={"PAGER": MARK, **environment})
    assert "  + ref_code: BENS-4F6T" in seen
    assert "\x1b[3" not in seen


@pytest.mark.usefixtures("planned")
def test_nobody_waits_for_a_person_who_reads(refloop: list[str]) -> None:
    assert on_terminal(*refloop, *PLAN, environment={"PAGER": FREE})[1] == "the lock is free\n"


@pytest.mark.parametrize("pager", ["less", "cat", "", "no-such-pager", 'an open "quotation mark'])
@pytest.mark.usefixtures("planned")
def test_what_fits_the_screen_is_shown_at_once_with_any_pager_or_none(refloop: list[str], pager: str) -> None:
    code, seen = on_terminal(*refloop, "codes", "list", environment={"PAGER": pager})
    assert code == Exit.OK
    assert "ANNA-7K2Q" in seen


@pytest.mark.usefixtures("planned")
def test_json_is_never_paged(refloop: list[str]) -> None:
    for words in (("codes", "list", "--json"), (*PLAN, "--json")):
        assert json.loads(on_terminal(*refloop, *words, environment={"PAGER": MARK})[1])


def test_a_pipe_is_never_paged(planned: Office) -> None:
    planned.monkeypatch.setenv("PAGER", MARK)
    plain = planned.run(*PLAN).out
    assert "paged>" not in plain
    assert "\x1b" not in plain
