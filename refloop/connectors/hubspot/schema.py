"""Our properties as the account has them, held against before the first write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.fields import Property, faults
from refloop.connectors.hubspot.provision import defined, place
from refloop.connectors.hubspot.search import OBJECTS
from refloop.errors import ConfigError
from refloop.model import Change, FieldSpec, Kind


class Schema:
    """The properties of one account, read once: what is lost later shows in the receipts of single changes."""

    def __init__(self, client: Client, connection: str) -> None:
        self._client = client
        self._connection = connection
        self._known: dict[Kind, Mapping[str, Property] | None] = {}

    def refuse_unfit(self, changes: Iterable[Change]) -> None:
        """Raises ConfigError, naming each property that changes are to be written to and cannot."""
        wanted: dict[Kind, dict[str, FieldSpec]] = {}
        for change in changes:
            wanted.setdefault(change.ref.kind, {})[change.field.name] = change.field
        found = [
            (place(self._connection, kind, field.name), wrong, remedy)
            for kind in OBJECTS
            for field in wanted.get(kind, {}).values()
            if (there := self._defined(kind)) is not None
            for wrong, remedy in faults(field, there.get(field.name))
        ]
        if found:
            told = "; ".join(f"{where}: {wrong}" for where, wrong, _ in found)
            raise ConfigError(f"{told}; nothing was written", remedy=" ".join(dict.fromkeys(one for *_, one in found)))

    def _defined(self, kind: Kind) -> Mapping[str, Property] | None:
        """None where the token may not see them: then each write tells."""
        if kind not in self._known:
            try:
                self._known[kind] = defined(self._client, kind)
            except Forbidden:
                self._known[kind] = None
        return self._known[kind]
