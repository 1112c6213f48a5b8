"""The Dockerfile fits the package; `.ci/container.sh` builds and runs it where something can build."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

from tests.cli.reference import commands, help_of

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LINES = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
LAST = dict(LINES[max(n for n, line in enumerate(LINES) if line[0] == "FROM") :])


def test_the_base_is_pinned_and_one_that_the_package_names() -> None:
    bases = {rest.partition(" ")[0] for word, rest in LINES if word == "FROM"}
    assert len(bases) == 1
    (version,) = re.findall(r"^python:(\d+\.\d+)\.\d+-slim-\w+$", bases.pop())
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_it_starts_the_entry_point_as_nobody_special() -> None:
    (entry,) = json.loads(LAST["ENTRYPOINT"])
    assert entry in PROJECT["scripts"]
    assert tuple(json.loads(LAST["CMD"])) in set(commands())
    user = LAST["USER"].partition(":")[0]
    assert int(user) > 999
    assert f"--uid {user}" in LAST["RUN"]


def test_the_configuration_and_the_ledger_are_volumes() -> None:
    volumes = json.loads(LAST["VOLUME"])
    assert LAST["WORKDIR"] in volumes
    (config,) = re.findall(r"REFLOOP_CONFIG=(\S+)", LAST["ENV"])
    assert str(Path(config).parent) in volumes
    assert all(volume in LAST["RUN"] for volume in volumes)


def test_its_health_is_what_status_says() -> None:
    words = json.loads(LAST["HEALTHCHECK"].partition(" CMD ")[2])
    assert words[:2] == ["refloop", "status"]
    assert all(word in help_of(("status",)) for word in words if word.startswith("--"))


def test_what_is_copied_is_not_left_out() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [name for word, rest in LINES if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
    assert ignore[0] == "*"
    assert {f"!{name}" for name in copied} == {line for line in ignore if line.startswith("!")}
    assert {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "refloop"} == set(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_the_check_that_builds_it_is_sound_and_says_when_nothing_can_build(tmp_path: Path) -> None:
    script = str(ROOT / ".ci" / "container.sh")
    assert "bash .ci/container.sh" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    without = subprocess.run(
        ["/bin/bash", script], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert (without.returncode, without.stderr) == (0, "")
    assert without.stdout == "skipped: neither docker nor podman can build here\n"
