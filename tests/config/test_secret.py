"""A secret is named, read when it is needed, and shown nowhere."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pydantic import ValidationError

from refloop.config import SecretRef, Section
from refloop.errors import ConfigError

CANARY = "pat-na1-5up3r-53cr3t"


class Auth(Section):
    token: SecretRef


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(CANARY + "\n")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "reference",
    ["env:HUBSPOT_TOKEN", "env:_x1", "file:/run/secrets/a b", "file:~/token", "keyring:refloop/me@example.com"],
)
def test_references_are_read_from_text(reference: str) -> None:
    secret = Auth.model_validate({"token": reference}).token
    assert secret == SecretRef(reference)
    assert str(secret) == reference
    assert pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    "literal",
    [
        CANARY,
        f"env:{CANARY}",
        f"env:A\n{CANARY}",
        f"file:{CANARY}",
        f"file:../{CANARY}",
        f"file:/a\0{CANARY}",
        f"keyring:{CANARY}",
        f"keyring:/{CANARY}",
        f"cmd:echo {CANARY}",
        f" {CANARY} ",
        "",
        "env:",
        b"env:A",
        12345678901,
        None,
        [CANARY],
    ],
)
def test_a_literal_is_refused_and_never_repeated(literal: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Auth.model_validate({"token": literal})
    shown = f"{caught.value} {caught.value!r} {caught.value.errors(include_input=False)}"
    assert "`env:NAME`" in shown
    assert CANARY not in shown
    assert "12345678901" not in shown


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLOOP_TEST_TOKEN", CANARY)
    secret = SecretRef("env:REFLOOP_TEST_TOKEN")
    assert secret.reveal() == CANARY
    assert CANARY not in repr(secret) + str(secret) + f"{secret}"
    assert CANARY.encode() not in pickle.dumps(secret)


@pytest.mark.parametrize(("value", "message"), [(None, "there is no secret"), ("", "is empty"), (" \n", "is empty")])
def test_a_missing_or_empty_variable_names_the_reference(
    monkeypatch: pytest.MonkeyPatch, value: str | None, message: str
) -> None:
    if value is None:
        monkeypatch.delenv("REFLOOP_TEST_TOKEN", raising=False)
    else:
        monkeypatch.setenv("REFLOOP_TEST_TOKEN", value)
    with pytest.raises(ConfigError, match=message) as caught:
        SecretRef("env:REFLOOP_TEST_TOKEN").reveal()
    assert "env:REFLOOP_TEST_TOKEN" in str(caught.value)
    assert "Set the environment variable REFLOOP_TEST_TOKEN" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s", "s"),
        ("s\n", "s"),
        ("s\r\n", "s"),
        ("s\n\n", "s\n"),
        ("-----\nMII\n-----\n", "-----\nMII\n-----"),
        (" s", " s"),
    ],
)
def test_a_file_loses_one_newline(secret_file: Path, content: str, secret: str) -> None:
    secret_file.write_bytes(content.encode())
    assert SecretRef(f"file:{secret_file}").reveal() == secret


def test_a_file_in_the_home_folder(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(secret_file.parent))
    assert SecretRef("file:~/token").reveal() == CANARY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o777])
def test_a_file_open_to_others_is_refused(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    with pytest.raises(ConfigError, match=rf"open to others \(mode {mode:04o}\)") as caught:
        SecretRef(f"file:{secret_file}").reveal()
    assert "0600" in caught.value.remedy


def test_a_file_of_another_user_is_refused(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: secret_file.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        SecretRef(f"file:{secret_file}").reveal()


@pytest.mark.parametrize(
    ("mode", "accepted"),
    [(0o400, True), (0o440, True), (0o600, True), (0o640, True)]
    + [(mode, False) for mode in (0o444, 0o460, 0o450, 0o404, 0o402)],
)
def test_a_credential_of_systemd_may_show_its_acl_as_the_groups_right(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch, mode: int, accepted: bool
) -> None:
    secret_file.chmod(mode)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret_file.parent))
    if accepted:
        assert SecretRef(f"file:{secret_file}").reveal() == CANARY
    else:
        with pytest.raises(ConfigError, match="open to others"):
            SecretRef(f"file:{secret_file}").reveal()


@pytest.mark.parametrize("folder", ["", "/run/credentials/other.service"])
def test_elsewhere_no_group_may_read_a_secret(secret_file: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    secret_file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
    with pytest.raises(ConfigError, match="open to others"):
        SecretRef(f"file:{secret_file}").reveal()


def test_a_credential_of_systemd_may_belong_to_root_and_to_nobody_else(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = secret_file.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret_file.parent))
    if owner == 0:
        assert SecretRef(f"file:{secret_file}").reveal() == CANARY
    else:
        with pytest.raises(ConfigError, match="belongs to another user"):
            SecretRef(f"file:{secret_file}").reveal()


def test_a_symbolic_link_is_refused(secret_file: Path) -> None:
    link = secret_file.with_name("link")
    link.symlink_to(secret_file)
    with pytest.raises(ConfigError, match="symbolic link"):
        SecretRef(f"file:{link}").reveal()


def test_a_folder_a_pipe_and_a_missing_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path, message in ((tmp_path, "regular"), (pipe, "regular"), (tmp_path / "none", "no secret")):
        with pytest.raises(ConfigError, match=message):
            SecretRef(f"file:{path}").reveal()


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff" + CANARY.encode(), CANARY.encode() * 5000])
def test_a_file_that_holds_no_secret_is_refused_without_showing_it(secret_file: Path, content: bytes) -> None:
    secret_file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        SecretRef(f"file:{secret_file}").reveal()
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


NEW = "new-" + CANARY


def test_a_new_secret_takes_the_place_of_the_old_one(secret_file: Path) -> None:
    ref = SecretRef(f"file:{secret_file}")
    assert ref.is_replaceable
    inode = secret_file.stat().st_ino
    ref.replace(NEW)
    assert ref.reveal() == NEW
    assert secret_file.stat().st_mode & 0o777 == 0o600
    assert secret_file.stat().st_ino != inode, "a reader sees the old one or the new one, whole"
    assert list(secret_file.parent.iterdir()) == [secret_file]


def test_a_new_secret_that_cannot_be_written_leaves_the_old_one(
    secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = SecretRef(f"file:{secret_file}").reveal()
    with pytest.raises(ConfigError, match="No space left") as caught:
        SecretRef(f"file:{secret_file}").replace(NEW)
    assert NEW not in "".join(traceback.format_exception(caught.value))
    assert SecretRef(f"file:{secret_file}").reveal() == before
    assert list(secret_file.parent.iterdir()) == [secret_file]


def test_an_environment_variable_keeps_no_new_secret() -> None:
    assert not SecretRef("env:TOKEN").is_replaceable
    with pytest.raises(ConfigError, match="env:TOKEN") as caught:
        SecretRef("env:TOKEN").replace(NEW)
    assert NEW not in str(caught.value)
    assert caught.value.remedy


def test_the_keyring_keeps_a_new_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {("refloop", "me"): CANARY}
    keyring = _keyring(lambda service, user: known.get((service, user)))
    keyring.__dict__["set_password"] = lambda service, user, secret: known.update({(service, user): secret})
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    ref = SecretRef("keyring:refloop/me")
    assert ref.is_replaceable
    ref.replace(NEW)
    assert ref.reveal() == NEW


def test_a_locked_keyring_keeps_no_new_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str, secret: str) -> None:
        raise KeyringError(secret)

    keyring = _keyring(None)
    keyring.__dict__["set_password"] = locked
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    with pytest.raises(ConfigError, match="KeyringError") as caught:
        SecretRef("keyring:a/b").replace(NEW)
    assert NEW not in "".join(traceback.format_exception(caught.value))


class KeyringError(Exception):
    pass


def _keyring(get_password: object) -> ModuleType:
    module = ModuleType("keyring")
    module.__dict__.update(get_password=get_password, errors=SimpleNamespace(KeyringError=KeyringError))
    return module


def test_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {("refloop", "me/hub"): CANARY}
    monkeypatch.setitem(sys.modules, "keyring", _keyring(lambda service, user: known.get((service, user))))
    assert SecretRef("keyring:refloop/me/hub").reveal() == CANARY
    with pytest.raises(ConfigError, match="no secret at keyring:refloop/you") as caught:
        SecretRef("keyring:refloop/you").reveal()
    assert "keyring set refloop you" in caught.value.remedy


def test_a_locked_keyring_is_said_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(service: str, user: str) -> str:
        raise KeyringError(CANARY)

    monkeypatch.setitem(sys.modules, "keyring", _keyring(locked))
    with pytest.raises(ConfigError, match="KeyringError") as caught:
        SecretRef("keyring:a/b").reveal()
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_without_the_keyring_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        SecretRef("keyring:a/b").reveal()
    assert "pip install keyring" in caught.value.remedy
