"""Reads config.yaml: every fault at once, or a checked `Config`."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from refloop.config import settings as model
from refloop.config.document import MAX_BYTES, Data, Document, Fault, Key, read_document
from refloop.config.faults import faults_of, shown
from refloop.config.opening import at_home, opened, read_up_to
from refloop.errors import ConfigError

MAX_SHOWN = 100

SettingsFor = Callable[[str], type[model.ConnectionSettings]]
Checked = TypeVar("Checked", bound=BaseModel)


def load_config(path: Path, settings_for: SettingsFor) -> model.Config:
    """Reads and checks the configuration at `path`.

    `settings_for` gives the settings model of a connector by its name, or raises ConfigError for a name that
    nobody brings. Raises ConfigError whose `faults` are all mistakes, each as
    `config.yaml:LINE: key.path: what is wrong; what to do`, in the order of the file.
    """
    path = at_home(path).absolute()
    document = read_document(_content(path))
    check = _Check(document, settings_for)
    parsed = check.run()
    if parsed is None or check.faults:
        raise _error(path, check.faults)
    sections = {name: getattr(parsed, name) for name in model.ConfigFile.model_fields}
    ledger, metrics = path.parent / at_home(parsed.ledger), parsed.sync.prometheus
    if metrics is not None:
        sections["sync"] = parsed.sync.model_copy(update={"prometheus": path.parent / at_home(metrics)})
    return model.Config(**{**sections, "ledger": ledger, "path": path})


def faults_in(text: str, settings_for: SettingsFor) -> list[Fault]:
    """What `load_config` would have to say against this text, were it a file."""
    check = _Check(read_document(text.encode()), settings_for)
    check.run()
    return check.faults


def _content(path: Path) -> bytes:
    try:
        with opened(path) as descriptor:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                return read_up_to(descriptor, MAX_BYTES + 1)
        reason = "not a regular file"
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration at {path}", remedy="Run `refloop init` to write one.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
    raise ConfigError(f"cannot read the configuration {str(path)!r}: {reason}", remedy="Name a file that you may read.")


def _error(path: Path, faults: list[Fault]) -> ConfigError:
    lines = [_shown(path, fault) for fault in sorted(faults, key=lambda fault: fault.line)]
    count = f"{len(lines)} mistakes" if len(lines) > 1 else "a mistake"
    if len(lines) > MAX_SHOWN:
        lines[MAX_SHOWN:] = [f"{path.name}: and {len(lines) - MAX_SHOWN} more"]
    return ConfigError(f"the configuration {path} has {count}:", faults=tuple(lines))


def _shown(path: Path, fault: Fault) -> str:
    what = f"{shown(fault.key)}: {fault.message}" if fault.key else f"the file {fault.message}"
    return f"{path.name}:{fault.line}: {what}"


class _Check:
    """One reading of one document: gathers `faults` on the way."""

    def __init__(self, document: Document, settings_for: SettingsFor) -> None:
        self._document = document
        self._settings_for = settings_for
        self.faults = list(document.faults)

    def run(self) -> model.ConfigFile | None:
        if not self._document.whole:
            return None
        data = self._document.data
        if not isinstance(data, dict):
            what = "is empty" if data is None else "is not a list of keys with values"
            self.faults.append(Fault(1, (), f"{what}; start from what `refloop init` writes"))
            return None
        # A section whose keys are all commented out is null: it says nothing.
        written: dict[str, object] = {name: value for name, value in data.items() if value is not None}
        connections = data.get("connections")
        if isinstance(connections, dict) and connections:
            written["connections"] = {name: self._connection(name, connections) for name in connections}
        return self._validated(model.ConfigFile, written, ())

    def _connection(self, name: str, entries: dict[str, Data]) -> model.ConnectionSettings:
        """The checked settings, or a stand-in when they have faults."""
        key: Key = ("connections", name)
        if not re.fullmatch(model.CONNECTION_NAME, name):
            self._fault(key, "is no name for a connection; use up to 31 of a-z, 0-9, `_` and `-`, a letter first")
        checked = self._settings(key, entries[name])
        if checked is None:
            return model.ConnectionSettings(connector="")
        for own, other in checked.other_connections().items():
            if other == name or other not in entries:
                what = "names its own connection" if other == name else "names no connection of this file"
                self._fault((*key, own), f"{what}; name another one of `connections`")
        return checked

    def _settings(self, key: Key, entry: Data) -> model.ConnectionSettings | None:
        connector = entry.get("connector") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(connector, str):
            self._validated(_AnyConnection, entry, key)
            return None
        try:
            settings_model = self._settings_for(connector)
        except ConfigError as error:
            self._fault((*key, "connector"), "; ".join(filter(None, (error.message, error.remedy))))
            return None
        return self._validated(settings_model, entry, key)

    def _fault(self, key: Key, message: str) -> None:
        self.faults.append(Fault(self._document.line(key), key, message))

    def _validated(self, kind: type[Checked], data: object, key: Key) -> Checked | None:
        try:
            return kind.model_validate(data)
        except ValidationError as error:
            self.faults.extend(faults_of(error, kind, self._document, key))
        return None


class _AnyConnection(model.ConnectionSettings):
    """Checks the one key that all connections have, where it is not known which keys the others are."""

    model_config = ConfigDict(extra="ignore")
