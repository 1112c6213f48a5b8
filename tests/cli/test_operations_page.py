"""docs/operations.md: what it shows is what refloop does."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from refloop.config import SecretRef, load_config
from refloop.connectors.base import connector_class
from refloop.errors import Exit
from refloop.report.health import NO_FAILURE
from tests.cli.conftest import Office, fill
from tests.cli.reference import commands, help_of

PAGE = Path(__file__).parents[2] / "docs/operations.md"
TEXT = PAGE.read_text(encoding="utf-8")
PATHS = set(commands())


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)


def table(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading, without its head."""
    lines = TEXT.partition(heading)[2].splitlines()
    rows = [line for line in lines if line.startswith("|")]
    first = lines.index(rows[0])
    whole = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        whole.append([cell.strip() for cell in line.strip("|").split("|")])
    return whole[2:]


class Unit(configparser.ConfigParser):
    """A systemd unit: keys keep their case."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def unit(name: str) -> tuple[Unit, str]:
    (text,) = [block for block in blocks("ini") if f"/{name}\n" in block]
    parsed = Unit(strict=False, interpolation=None)
    parsed.read_string(text)
    return parsed, text


def invocations() -> list[str]:
    """Every call of refloop in a block of shell, of cron, of systemd or Docker, and in a span of text."""
    shell = "\n".join(blocks("sh")).replace("\\\n", " ")
    found = re.findall(r"(?:^|/bin/|\.env )(refloop [a-z].*)$", shell, flags=re.MULTILINE)
    found += re.findall(r"(refloop [a-z].*?)(?: >>.*)?$", "\n".join(blocks("cron")), flags=re.MULTILINE)
    found += re.findall(r"ExecStart=\S*/(refloop .*)", "\n".join(blocks("ini")))
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    return found + [" ".join(span.split()) for span in re.findall(r"`(refloop [^`]+)`", prose)]


def test_every_command_line_is_one() -> None:
    seen = set()
    for line in invocations():
        words = shlex.split(re.sub(r'"?\$\(.*?\)"?', "FILE", line))[1:]
        assert (words[0],) in PATHS, line
        path = tuple(words[:2]) if tuple(words[:2]) in PATHS else (words[0],)
        for option in (word for word in words if word.startswith("--")):
            assert option in help_of(path), line
        seen.add(path)
    assert {("sync",), ("status",), ("plan",), ("runs",), ("ledger", "restore"), ("ledger", "backup")} <= seen
    assert len(seen) >= 10


def test_the_exit_codes_are_those_of_the_program() -> None:
    assert [int(row[0]) for row in table("### Exit codes")] == [code.value for code in Exit]


def test_the_failures_are_those_that_it_names() -> None:
    (named,) = re.findall(r"1 if it failed: not for codes ([\d, and]+) \|", TEXT)
    assert [int(code) for code in re.findall(r"\d+", named)] == sorted(NO_FAILURE)


def test_the_metrics_are_those_of_the_program(office: Office) -> None:
    office.ready()
    fill(office.salesforce, office.hubspot)
    office.run("sync")
    office.run("status", "--prometheus", "a.prom")
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    office.run("sync")
    office.run("status", "--prometheus", "b.prom")
    text = Path("b.prom").read_text(encoding="utf-8")
    shown = set(re.findall(r"^# TYPE (\S+) gauge", text, flags=re.MULTILINE))
    named = {row[0].strip("`"): row[1] for row in table("All metrics are gauges")}
    assert shown <= named.keys()
    assert named.keys() - shown == set()
    for name, labels in named.items():
        (sample, *_) = re.findall(rf"^{name}(?:\{{(.*)\}})? ", text, flags=re.MULTILINE)
        assert re.findall(r'([a-z]+)="', sample) == re.findall(r"[a-z]+", labels), name
    for alert in re.findall(r"refloop_[a-z_]+", "\n".join(blocks("yaml"))):
        assert alert in named


def test_the_alerts_and_the_configuration_are_yaml(tmp_path: Path) -> None:
    config, alerts = map(yaml.safe_load, blocks("yaml"))
    assert len(alerts["groups"][0]["rules"]) == 8
    assert all(rule.keys() >= {"alert", "expr", "labels"} for rule in alerts["groups"][0]["rules"])
    path = tmp_path / "config.yaml"
    connection = {"connector": "hubspot", "auth": {"method": "service_key", "token": "env:HUBSPOT_TOKEN"}}
    path.write_text(yaml.safe_dump({"version": 1, **config, "connections": {"hs": connection}}), encoding="utf-8")
    loaded = load_config(path, lambda name: connector_class(name).settings)
    assert str(loaded.sync.prometheus) in TEXT.partition("### Exit codes")[0].replace(str(config), "")


def test_the_service_is_hardened_and_fits_the_page() -> None:
    service, text = unit("refloop.service")
    own = service["Service"]
    assert own["Type"] == "oneshot"
    on = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID", "LockPersonality")
    assert all(own[key] == "yes" for key in on)
    assert (own["ProtectSystem"], own["CapabilityBoundingSet"], own["UMask"]) == ("strict", "", "0077")
    assert f"/var/lib/{own['StateDirectory']}/refloop.db" in TEXT
    assert own["ReadWritePaths"] == "/var/lib/refloop-metrics"
    assert own["User"] != "root"
    assert {Exit(int(code)) for code in own["SuccessExitStatus"].split()} == {Exit.ATTENTION, Exit.LATER}
    credentials = re.findall(r"^LoadCredential=(\w+):/etc/refloop/secrets/(\w+)$", text, flags=re.MULTILINE)
    assert credentials == [("salesforce", "salesforce"), ("hubspot", "hubspot")]
    for reference in re.findall(r"`(file:[^`]+)`", TEXT):
        SecretRef(reference)
    assert "`file:/run/credentials/refloop.service/hubspot`" in TEXT


def test_the_timer_starts_the_service() -> None:
    timer, _ = unit("refloop.timer")
    assert timer["Timer"]["OnCalendar"] == "*:0/5"
    assert timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed here")
def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    names = ["refloop.service", "refloop.timer"]
    for name in names:
        (tmp_path / name).write_text(unit(name)[1].replace("/opt/refloop/bin/refloop", "/bin/true"), encoding="utf-8")
    judged = subprocess.run(
        ["systemd-analyze", "verify", *(f"./{name}" for name in names)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


def test_the_container_runs_as_nobody_special() -> None:
    (text,) = blocks("dockerfile")
    lines = [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines()]
    told = dict(lines)
    assert lines[0][0] == "FROM"
    user = told["USER"].partition(":")[0]
    assert int(user) > 999
    assert f"--uid {user}" in told["RUN"]
    assert told["VOLUME"] == told["WORKDIR"] == "/var/lib/refloop"
    assert f"-m 0700 {told['VOLUME']}" in told["RUN"]
    assert told["ENV"] == "REFLOOP_CONFIG=/etc/refloop/config.yaml"


@pytest.fixture
def drilled(office: Office) -> Office:
    config = Path("config.yaml")
    config.write_text("ledger: refloop.db\n" + config.read_text(encoding="utf-8"), encoding="utf-8")
    config.chmod(0o600)
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    return office


def test_the_drill_works_as_it_stands(drilled: Office, refloop: list[str]) -> None:
    (drill,) = [block for block in blocks("sh") if block.startswith("mkdir -m 0700 drill")]
    program = f'refloop() {{ {shlex.join(refloop)} "$@"; }}\nset -e\n'
    before = Path("refloop.db").read_bytes()
    calls = dict(drilled.hubspot.calls)
    done = subprocess.run(["bash", "-c", program + drill], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the ledger is sound" in done.stdout
    assert "BENS-4F6T" in done.stdout
    assert Path("refloop.db").read_bytes() == before
    assert dict(drilled.hubspot.calls) == calls
    assert not Path("drill").exists()


def test_each_exit_code_is_reached_by_a_test_and_what_cron_mails_is_said() -> None:
    """130 and 143 by the signals, 1 by a bug: the others by name."""
    tests = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("cli", "commands")
        for path in (PAGE.parents[1] / "tests" / folder).glob("test_*.py")
        if path != Path(__file__)
    )
    reached = {code for code in Exit if re.search(rf"Exit\.{code.name}\b", tests)}
    assert set(Exit) - reached == set()
    assert all(len(row) == 3 and all(row) for row in table("### Exit codes"))
