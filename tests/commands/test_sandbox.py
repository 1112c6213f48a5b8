"""`refloop sandbox` and `demo --keep`: what they print works, and what they made is there again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from refloop.config import SecretRef
from refloop.errors import Exit
from tests.cli.conftest import Office
from tests.patience import PATIENCE


@dataclass(frozen=True)
class Served:
    """A sandbox that serves: what it printed, and the folder that it keeps."""

    text: str
    folder: Path

    @property
    def config(self) -> str:
        """The configuration that it prints, as somebody pastes it."""
        return self.text.partition("`refloop init --sandbox`):\n\n")[2].partition("\n\n")[0] + "\n"

    @property
    def hubspot(self) -> tuple[str, str]:
        """The address of the local HubSpot and its token."""
        (found,) = re.findall(r"^HubSpot +(\S+) +token (\S+)$", self.text, re.MULTILINE)
        return str(found[0]), str(found[1])

    def contacts(self, method: str = "GET", body: object = None) -> requests.Response:
        address, token = self.hubspot
        return requests.request(
            method,
            f"{address}/crm/v3/objects/contacts",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )


@contextmanager
def serving(refloop: list[str], folder: Path, *words: str, **environment: str) -> Iterator[Served]:
    """`refloop sandbox` until the block ends, by a signal as from Ctrl-C."""
    command = [*refloop, "sandbox", "--dir", str(folder), "--salesforce-port", "0", "--hubspot-port", "0", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1", **environment}
    )
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append(process.stdout.readline())
        assert lines[-1], "".join(lines)
    try:
        yield Served("".join(lines), folder)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        process.stdout.close()


def test_what_it_prints_works_when_it_is_pasted(office: Office, refloop: list[str], tmp_path: Path) -> None:
    with serving(refloop, tmp_path / "kept") as served:
        Path("config.yaml").write_text(served.config, encoding="utf-8")
        before = office.run("check")
        assert before.code == Exit.ATTENTION
        found = [line for line in before.out.splitlines() if not line.startswith("info")]
        assert found
        assert all("refloop provision" in line for line in found), before.out
        assert office.run("provision").code == 0
        after = office.run("check")
        assert (after.code, after.err) == (0, "")
        Path("config.yaml").unlink()
        made = office.run("init", "--sandbox", "--sandbox-dir", str(served.folder))
        assert (made.code, made.err) == (0, "")
        assert "It works while `refloop sandbox` serves http://127.0.0.1:" in made.out
        assert Path("config.yaml").stat().st_mode & 0o777 == 0o600
        assert office.run("check").code == 0
        assert office.run("-c", str(served.folder / "config.yaml"), "check").code == 0
        for text in (served.config, Path("config.yaml").read_text(encoding="utf-8")):
            assert served.hubspot[1] not in text, "a secret stands in no configuration"


def test_it_goes_on_where_it_was(refloop: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with serving(refloop, folder) as first:
        assert folder.stat().st_mode & 0o777 == 0o700
        made = first.contacts("POST", {"properties": {"email": "kim@lumen.example"}})
        assert made.status_code == 201
    private = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.name != "codes.csv"}
    assert private == dict.fromkeys(
        ("config.yaml", "hubspot.db", "hubspot.token", "salesforce.db", "salesforce.secret"), 0o600
    )
    (folder / "refloop.db").touch()
    with serving(refloop, folder) as second:
        assert second.hubspot[1] == first.hubspot[1]
        address, token = second.hubspot
        kept = requests.get(
            f"{address}/crm/v3/objects/contacts/{made.json()['id']}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=PATIENCE,
        )
        assert kept.json()["properties"]["email"] == "kim@lumen.example"
    with serving(refloop, folder, "--new", REFLOOP_LOCAL_HUBSPOT_TOKEN="pat-of-my-choice") as third:
        assert third.hubspot[1] == "pat-of-my-choice"
        assert f"removed {folder}/refloop.db\n" in third.text
        assert SecretRef(f"file:{folder}/hubspot.token").reveal() == "pat-of-my-choice"
        again = third.contacts("POST", {"properties": {"email": "kim@lumen.example"}})
        assert again.status_code == 201, "the one of before is not there"


def test_data_does_not_go_into_what_was_kept(office: Office, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    assert office.run("demo", "--keep", str(kept)).code == 0
    answer = office.run("sandbox", "--dir", str(kept), "--data", str(tmp_path))
    assert (answer.code, "keeps what the local CRMs held before" in answer.err) == (Exit.CONFIG, True)
    answer = office.run("demo", "--keep", str(kept))
    assert (answer.code, "is there already" in answer.err) == (Exit.CONFIG, True)
    (kept / "hubspot.db").write_text("no database", encoding="utf-8")
    answer = office.run("sandbox", "--dir", str(kept), "--salesforce-port", "0", "--hubspot-port", "0")
    assert (answer.code, "hubspot.db is no file of a local CRM" in answer.err) == (Exit.DATA, True)


def test_one_goes_on_with_what_the_demo_kept(office: Office, refloop: list[str], tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "codes.csv").write_text("code,referrer,referrer_email\nANN-2026,ann,ann@x.example\n", encoding="utf-8")
    (exports / "contacts.csv").write_text(
        "id,crm,email,company,created_at,code_text\n2,hubspot,kim@vexholm.example,Vexholm,2026-03-02,code ANN-2026\n",
        encoding="utf-8",
    )
    kept = tmp_path / "kept"
    answer = office.run("demo", "--data", str(exports), "--keep", str(kept))
    assert answer.code == 0
    assert "The contact that came with a code: Vexholm (hubspot:contact:" in answer.out
    assert "The loop is closed." in answer.out
    record = re.findall(r"\((hubspot:contact:\d+)\)", answer.out)[0]
    config = str(kept / "config.yaml")
    assert "ANN-2026" in office.run("-c", config, "explain", record).out
    with serving(refloop, kept) as served:
        assert "go on with what they held" in served.text
        plan = office.run("-c", config, "plan", "--detailed-exitcode")
        assert (plan.code, plan.err) == (0, "")
        assert office.run("-c", config, "check").code == 0
