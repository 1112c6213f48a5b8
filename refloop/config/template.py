"""The config.yaml that `refloop init` writes."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from refloop.errors import ConfigError, DiskError

SCHEMA_NAME = "config.schema.json"
"""The JSON schema for editors lies beside config.yaml, whose first line names it."""

TEMPLATE = files(__package__).joinpath("template.yaml").read_text(encoding="utf-8")


def schema_line() -> str:
    """The line by which editors with a YAML language server find the schema: by a path beside the file, so that nothing
    has to be online."""
    return f"# yaml-language-server: $schema={SCHEMA_NAME}\n"


def is_there(path: Path) -> ConfigError:
    """What is said where a file would be overwritten."""
    return ConfigError(f"{path} is there already", remedy="Edit it, or name another file.")


def write_new(path: Path, text: str) -> None:
    """Writes a configuration to `path`, readable by its owner alone.

    Raises ConfigError when something is there already: it is never overwritten; DiskError when the disk refuses.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
    except FileExistsError:
        raise is_there(path) from None
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="Choose a folder you may write to.") from None
