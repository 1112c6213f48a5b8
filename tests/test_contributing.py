"""What CONTRIBUTING.md tells the author of a connector is true."""

from __future__ import annotations

import importlib
import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from refloop.config import ConnectionSettings, load_config
from refloop.connectors.base import Connector

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def sketch() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "CONTRIBUTING.md", "exec", dont_inherit=True), names)  # noqa: S102 - our own text
    return names


def test_the_sketch_has_what_the_protocol_asks_for(sketch: dict[str, Any]) -> None:
    wanted = {name: member for name, member in vars(Connector).items() if inspect.isfunction(member) and name[0] != "_"}
    assert len(wanted) >= 7
    for name, member in wanted.items():
        ours = inspect.signature(getattr(sketch["MyCrm"], name), eval_str=True)
        assert ours == inspect.signature(member, eval_str=True), name
    parameters = [list(inspect.signature(found.__init__).parameters) for found in (sketch["MyCrm"], Connector)]
    assert parameters[0] == parameters[1]
    assert issubclass(sketch["MyCrm"].settings, ConnectionSettings)


def test_its_settings_are_read_as_shown(tmp_path: Path, sketch: dict[str, Any]) -> None:
    (tmp_path / "config.yaml").write_text(block("yaml"))
    config = load_config(tmp_path / "config.yaml", {"mycrm": sketch["MyCrmSettings"]}.__getitem__)
    assert isinstance(config.connections["sales"], sketch["MyCrmSettings"])


def test_the_entry_point_is_in_the_group_that_is_read() -> None:
    shown = tomllib.loads(block("toml"))["project"]["entry-points"]
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    assert shown.keys() == {"refloop.connectors"} < ours.keys()


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:refloop|docs|tests|benchmarks)/[\w./]+)`", TEXT)
    assert len(named) >= 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_name_that_is_named_can_be_imported() -> None:
    named = re.findall(r"`(refloop(?:\.\w+)+)\.(\w+)`", TEXT)
    assert named
    for module, name in named:
        assert hasattr(importlib.import_module(module), name)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"test", "check", "demo", "bench"} <= set(re.findall(r"^    make (\w+)", TEXT, re.MULTILINE)) <= targets
