"""Takes back what provisioning made: our properties, and their group when nothing else is in it. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.properties import group_name, is_ours
from refloop.connectors.hubspot.provision import defined, place
from refloop.connectors.hubspot.search import OBJECTS
from refloop.model import FieldSpec, Finding, Kind, Level


def unprovision(client: Client, connection: str, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
    """One finding a thing: removed, with how many records held a value; or (WARNING) left, because it is not ours.

    HubSpot keeps archived properties for 90 days (Settings > Properties > Archived), and their values with them.
    Raises what `Client` raises.
    """
    for kind in OBJECTS:
        own = [field for field in fields if kind in field.kinds]
        if own:
            there = defined(client, kind)
            ours = [field.name for field in own if field.name in there and is_ours(there[field.name])]
            others = {name: one for name, one in there.items() if name not in ours}
            yield from (_left(place(connection, kind, field.name)) for field in own if field.name in others)
            yield from _removed(client, connection, kind, ours)
            groups = {group_name(fields), *(there[name].group for name in ours)}
            yield from _emptied(client, connection, kind, (groups, {one.group for one in others.values()}))


def _removed(client: Client, connection: str, kind: Kind, names: Sequence[str]) -> Iterator[Finding]:
    held = {name: client.count_with(kind, name) for name in names}
    for some in chunks(names, BATCH):
        client.archive_properties(kind, some)
        for name in some:
            yield Finding(Level.INFO, place(connection, kind, name), f"removed; {_records(held[name])}")


def _emptied(client: Client, connection: str, kind: Kind, groups: tuple[Set[str], Set[str]]) -> Iterator[Finding]:
    """Removes those of the first groups that are not among the second ones: they are still in use."""
    ours, used = groups
    for name in sorted(ours & client.groups(kind)):
        where = place(connection, kind, name)
        if name in used:
            yield Finding(Level.WARNING, where, "property group left: there are other properties in it")
        else:
            client.archive_group(kind, name)
            yield Finding(Level.INFO, where, "property group removed")


def _left(where: str) -> Finding:
    return Finding(
        Level.WARNING,
        where,
        "left: refloop did not make this property",
        "Delete it in HubSpot under Settings > Properties, if nobody needs it.",
    )


def _records(count: int) -> str:
    return "no record held a value" if count == 0 else f"{count} record{'s' * (count != 1)} held a value"
