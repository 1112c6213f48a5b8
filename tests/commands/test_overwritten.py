"""What somebody wrote in the moment of a push, as the commands tell it and put it back."""

from __future__ import annotations

import json
from pathlib import Path

from refloop.errors import Exit
from refloop_sandbox import faults
from tests.cli.conftest import Office, fill


def test_it_is_told_explained_and_put_back(office: Office) -> None:
    office.ready()
    visitor = fill(office.salesforce, office.hubspot)["visitor"]
    office.hubspot.faults.add(
        faults.meanwhile(lambda: office.hubspot.update("contacts", visitor, {"ref_status": "lost"})),
        path="/contacts/batch/update",
    )
    done = office.run("--log", "refloop.log", "sync")
    lines = [json.loads(line) for line in Path("refloop.log").read_text(encoding="ascii").splitlines()]
    (logged,) = [line for line in lines if line["event"] == "overwritten"]
    assert (logged["level"], logged["record"], logged["field"]) == ("warning", f"hs:contact:{visitor}", "ref_status")
    assert [one.fault for one in office.hubspot.faults.injected] == ["meanwhile"]
    ours = (office.hubspot.get("contacts", visitor) or {})["ref_status"]
    assert done.code == Exit.ATTENTION
    said = f"somebody wrote 'lost' just before refloop wrote {ours!r} over it"
    line = f"overwritten hs:contact:{visitor} ref_status: {said}; to put it back: refloop undo 1 --overwritten"
    assert line in [told.partition(" ")[2] for told in done.out.splitlines()]
    assert line in office.run("status").out.splitlines()
    told = office.run("explain", f"hs:contact:{visitor}").out
    assert "Referral Status: (empty) -> Won, over Lost, which somebody wrote there at the same time" in told
    (row,) = json.loads(office.run("status", "--json").out)["summary"]["overwritten"]
    assert (row["id"], row["field"], row["found"], row["wrote"]) == (visitor, "ref_status", "lost", ours)

    shown = office.run("undo", "1", "--overwritten", "--dry-run").out
    assert "1 changes to 1 records" in shown
    assert "+ ref_status: lost" in shown
    assert office.run("undo", "1", "--overwritten", "--yes").code == Exit.OK
    assert (office.hubspot.get("contacts", visitor) or {})["ref_status"] == "lost"
    again = office.run("sync", "--verbose")
    assert (again.code, "nothing to write" in again.out, "overwritten" in again.out) == (Exit.OK, True, False)
