"""Creates our fields as properties, in a group of their own. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.fields import (
    Property,
    defined,
    definition,
    group,
    group_name,
    misfits,
    missing_options,
    more_options,
    place,
)
from refloop.connectors.hubspot.names import OBJECTS
from refloop.model import FieldSpec, Finding, Kind, Level

_EXISTS = "OBJECT_ALREADY_EXISTS"


def provision(client: Client, connection: str, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
    """One finding a property: created, there already, or (ERROR) there in a form that we cannot use.

    Needs the scopes crm.schemas.contacts.write and crm.schemas.deals.write. Raises what `Client` raises.
    """
    for kind in OBJECTS:
        own = [field for field in fields if kind in field.kinds]
        if not own:
            continue
        there = defined(client, kind)
        yield from _reviewed(client, connection, kind, [(one, there[one.name]) for one in own if one.name in there])
        missing = [field for field in own if field.name not in there]
        if missing:
            name = group_name(fields)
            client.create_group(kind, group(name))
            for some in chunks(missing, BATCH):
                yield from _created(client, connection, kind, [(field, definition(field, name)) for field in some])


def _reviewed(
    client: Client, connection: str, kind: Kind, pairs: Sequence[tuple[FieldSpec, Property]]
) -> Iterator[Finding]:
    for field, there in pairs:
        where = place(connection, kind, field.name)
        wrong = list(misfits(field, there))
        added = missing_options(field, there)
        if wrong:
            yield Finding(
                Level.ERROR,
                where,
                f"the property {' and '.join(wrong)}",
                remedy="Delete or rename that property in HubSpot, or choose another `fields.prefix`; then repeat.",
            )
        elif added:
            client.set_options(kind, field.name, more_options(field, there))
            yield Finding(Level.INFO, where, f"options added: {', '.join(added)}")
        else:
            yield Finding(Level.INFO, where, "there already")


def _created(
    client: Client, connection: str, kind: Kind, pairs: Sequence[tuple[FieldSpec, dict[str, object]]]
) -> Iterator[Finding]:
    failed = {
        name: error for error in client.create_properties(kind, [one for _, one in pairs]) for name in error.properties
    }
    for field, _definition in pairs:
        where = place(connection, kind, field.name)
        error = failed.get(field.name)
        if error is None:
            yield Finding(Level.INFO, where, "created")
        elif error.category == _EXISTS:
            yield Finding(Level.INFO, where, "there already")
        else:
            yield Finding(
                Level.ERROR,
                where,
                f"HubSpot refused to create the property: {error.message or error.category}",
                remedy="Correct what HubSpot names, then provision again.",
            )
