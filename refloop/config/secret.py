"""Where secrets are, never the secrets themselves."""

from __future__ import annotations

import importlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from refloop.atomic_file import replacing, sync_folder
from refloop.config.opening import at_home, opened, read_up_to
from refloop.errors import ConfigError
from refloop.redaction import conceal

MAX_SECRET_BYTES = 64 * 1024
FORMS = "`env:NAME`, `file:/path/to/file` or `keyring:service/user`"
REFUSAL = f"must say where the secret is, not what it is; write {FORMS}"

_REFERENCE = re.compile(
    r"""env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)
      | file:(?P<file>~?/[^\x00-\x1f\x7f]+)
      | keyring:(?P<service>[^/\x00-\x1f\x7f]+)/(?P<user>[^\x00-\x1f\x7f]+)""",
    re.VERBOSE,
)
_REFERENCE_FOR_EDITORS = re.sub(r"\?P<\w+>|\s", "", _REFERENCE.pattern)


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is: `env:NAME`, `file:/path` (or `file:~/path`) or `keyring:service/user`.

    A pydantic field of this type reads such a text. Raises ValueError for anything else, without repeating
    it: it may well be the secret.
    """

    reference: str

    def __post_init__(self) -> None:
        if not isinstance(self.reference, str) or not _REFERENCE.fullmatch(self.reference):
            raise ValueError(REFUSAL)

    def __str__(self) -> str:
        return self.reference

    def reveal(self) -> str:
        """Reads the secret now, without one trailing newline. It is kept nowhere, but for the log to take it out.

        Raises ConfigError, naming the reference and the remedy, when there is none or when its file could be
        read by others.
        """
        match _REFERENCE.fullmatch(self.reference):
            case None:  # pragma: no cover - the constructor refuses these
                raise ValueError(REFUSAL)
            case found if variable := found["variable"]:
                secret, remedy = _from_environment(variable)
            case found if file := found["file"]:
                secret, remedy = _from_file(self.reference, at_home(Path(file)))
            case found:
                secret, remedy = _from_keyring(self.reference, found["service"], found["user"])
        if secret is None:
            raise ConfigError(f"there is no secret at {self.reference}", remedy=remedy)
        secret = secret.removesuffix("\n").removesuffix("\r")
        if not secret.strip():
            raise ConfigError(f"the secret at {self.reference} is empty", remedy=remedy)
        conceal(secret)
        return secret

    @property
    def is_replaceable(self) -> bool:
        """Whether `replace` has a place to write to: a file or the keyring, and no environment variable."""
        return not self.reference.startswith("env:")

    def replace(self, secret: str) -> None:
        """Puts a new secret in the place of the old one, all of it or nothing, readable by its owner alone.

        Raises ConfigError where that cannot be done, without repeating the secret; the old one is there still.
        """
        conceal(secret)
        match _REFERENCE.fullmatch(self.reference):
            case found if found and (file := found["file"]):
                _to_file(self.reference, at_home(Path(file)), secret)
            case found if found and (service := found["service"]):
                _to_keyring(self.reference, service, found["user"], secret)
            case _:
                raise ConfigError(
                    f"{self.reference} cannot be given a new secret",
                    remedy="Move the secret to `file:` or `keyring:`: an environment variable ends with the process.",
                )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(value),
            serialization=core_schema.to_string_ser_schema(),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, source: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({_REFERENCE_FOR_EDITORS})$", "description": f"{FORMS}."}


def _from_environment(variable: str) -> tuple[str | None, str]:
    return os.environ.get(variable), f"Set the environment variable {variable}."


def _from_file(reference: str, path: Path) -> tuple[str | None, str]:
    remedy = "Write the secret into that file, owned by you, mode 0600."
    try:
        with opened(path, os.O_NOFOLLOW) as descriptor:
            fault = _unsafe(os.fstat(descriptor), handed_over=_is_credential(path))
            content = b"" if fault else read_up_to(descriptor, MAX_SECRET_BYTES + 1)
    except FileNotFoundError:
        return None, remedy
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise ConfigError(f"cannot read the secret at {reference}: {reason}", remedy=remedy) from None
    if fault:
        raise ConfigError(f"the secret at {reference} is not safe: its file {fault}", remedy=remedy)
    secret = _decoded(content)
    if secret is None:
        raise ConfigError(f"the file of {reference} holds no secret: too long, or not UTF-8", remedy=remedy)
    return secret, remedy


def _to_file(reference: str, path: Path, secret: str) -> None:
    try:
        with replacing(path) as file:
            file.write(secret + "\n")
        sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(
            f"cannot write the new secret to {reference}: {error.strerror}",
            remedy="Make its folder writable for the user who runs refloop, and free space on its disk.",
        ) from None


def _is_credential(path: Path) -> bool:
    """Whether systemd handed this file to the service (`LoadCredential=`)."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.parent == Path(folder or "")


def _unsafe(status: os.stat_result, *, handed_over: bool) -> str | None:
    """What makes a file no place for a secret; None when nothing does.

    systemd leaves a credential to root and lets the service read it by an ACL, whose mask `stat` shows as the group's
    right to read: https://github.com/systemd/systemd/issues/29435
    """
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid != os.geteuid() and not (handed_over and status.st_uid == 0):
        return "belongs to another user"
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~(stat.S_IRGRP if handed_over else 0):
        return f"is open to others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


def _decoded(content: bytes) -> str | None:
    if len(content) > MAX_SECRET_BYTES:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # it carries the content, so it must not travel on
        return None


def _from_keyring(reference: str, service: str, user: str) -> tuple[str | None, str]:
    remedy = f"Run `keyring set {service} {user}`."
    keyring = _keyring(reference)
    try:
        return keyring.get_password(service, user), remedy
    except keyring.errors.KeyringError as error:
        reason = type(error).__name__
    raise ConfigError(
        f"cannot read the secret at {reference}: {reason}",
        remedy="Unlock the keyring, or use `env:` or `file:` where nobody is logged in.",
    )


def _to_keyring(reference: str, service: str, user: str, secret: str) -> None:
    keyring = _keyring(reference)
    try:
        keyring.set_password(service, user, secret)
    except keyring.errors.KeyringError as error:
        reason = type(error).__name__
    else:
        return
    raise ConfigError(f"cannot write the new secret to {reference}: {reason}", remedy="Unlock the keyring.")


def _keyring(reference: str) -> Any:
    try:
        return importlib.import_module("keyring")
    except ImportError:
        raise ConfigError(
            f"cannot read the secret at {reference}: the package `keyring` is not installed",
            remedy="Run `pip install keyring`, or use `env:` or `file:`.",
        ) from None
