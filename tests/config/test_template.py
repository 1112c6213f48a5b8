"""The config.yaml that `refloop init` writes: complete, true, and the same as the one in the repository."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from refloop.config import TEMPLATE, Config, load_config, write_new
from refloop.config.settings import ConfigFile
from refloop.connectors.base import connector_class
from refloop.errors import ConfigError, DiskError

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
CONNECTORS = ("hubspot", "salesforce")


def load(path: Path) -> Config:
    return load_config(path, lambda name: connector_class(name).settings)


def test_the_example_of_the_repository_is_the_template() -> None:
    assert EXAMPLE.read_bytes() == TEMPLATE.encode()


def test_the_template_is_a_valid_configuration(tmp_path: Path) -> None:
    write_new(tmp_path / "config.yaml", TEMPLATE)
    config = load(tmp_path / "config.yaml")
    assert {settings.connector for settings in config.connections.values()} == set(CONNECTORS)
    assert config.ledger == tmp_path / "refloop.db"


def test_what_the_template_sets_is_the_default(tmp_path: Path) -> None:
    """So that a reader learns the defaults from it, and deleting a line changes nothing."""
    write_new(tmp_path / "config.yaml", TEMPLATE)
    config = load(tmp_path / "config.yaml")
    for section in ("fields", "matching", "attribution", "sync"):
        assert getattr(config, section) == ConfigFile.model_fields[section].get_default(call_default_factory=True)
    for settings in config.connections.values():
        for name in ("api_version", "look_back"):
            assert getattr(settings, name) == type(settings).model_fields[name].get_default()


@pytest.mark.parametrize("alternative", ["jwt", "access_token", "oauth"])
def test_each_alternative_in_a_comment_is_valid_too(tmp_path: Path, alternative: str) -> None:
    """Swaps the `auth` in force for the commented one, as a person would."""
    block = re.search(rf"( +# auth:\n +#   method: {alternative}\n(?: +#   \S.*\n)*)", TEMPLATE)
    assert block
    before = TEMPLATE[: block.start()]
    in_force = list(re.finditer(r"    auth:\n(?:      .*\n)+", before))[-1]
    text = before[: in_force.start()] + before[in_force.end() :] + block[0].replace("# ", "") + TEMPLATE[block.end() :]
    (tmp_path / "config.yaml").write_text(text)
    settings = [found.model_dump(include={"auth"}) for found in load(tmp_path / "config.yaml").connections.values()]
    assert alternative in [found["auth"]["method"] for found in settings]


def test_every_key_is_mentioned() -> None:
    models: list[type[BaseModel]] = [ConfigFile, *(connector_class(name).settings for name in CONNECTORS)]
    keys = {key for model in models for key in _keys(model)}
    assert keys
    missing = {key for key in keys if not re.search(rf"^[ #]*{key}:", TEMPLATE, re.MULTILINE)}
    assert missing == set()


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name
        for inner in _models(info.annotation):
            yield from _keys(inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def test_the_template_holds_no_secret() -> None:
    values = re.findall(
        r"^[ #]*(?:client_secret|token|refresh_token|private_key|password): (.*)$", TEMPLATE, re.MULTILINE
    )
    assert len(values) >= 5
    assert all(re.match(r"(env|file|keyring):", value) for value in values)


@pytest.fixture
def wide_open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("wide_open_umask")
def test_the_file_is_private(tmp_path: Path) -> None:
    write_new(tmp_path / "config.yaml", TEMPLATE)
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        write_new(path, TEMPLATE)
    assert path.read_text() == "mine"
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is there already"):
        write_new(path, TEMPLATE)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="cannot write"):
        write_new(tmp_path / "none" / "config.yaml", TEMPLATE)
