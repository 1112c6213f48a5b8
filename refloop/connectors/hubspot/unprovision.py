"""Takes back what provisioning made: our properties, and their group when nothing else is in it. Safe to repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.fields import defined, group_name, is_ours, place
from refloop.connectors.hubspot.names import OBJECTS
from refloop.model import FieldSpec, Finding, Level


def unprovision(
    client: Client, connection: str, fields: Sequence[FieldSpec], *, preview: bool = False
) -> Iterator[Finding]:
    """One finding a thing: removed, with how many records held a value; or (WARNING) left, because it is not ours.
    A `preview` says what would be, and removes nothing.

    HubSpot keeps archived properties for 90 days (Settings > Properties > Archived), and their values with them.
    Raises what `Client` raises.
    """
    done = "would be removed" if preview else "removed"
    for kind in OBJECTS:
        own = [field for field in fields if kind in field.kinds]
        if own:
            there = defined(client, kind)
            ours = [field.name for field in own if field.name in there and is_ours(there[field.name])]
            others = {name: one for name, one in there.items() if name not in ours}
            yield from (_left(place(connection, kind, field.name)) for field in own if field.name in others)
            held = {name: client.count_with(kind, name) for name in ours}
            for some in chunks(ours, BATCH):
                if not preview:
                    client.archive_properties(kind, some)
                for name in some:
                    yield Finding(Level.INFO, place(connection, kind, name), f"{done}; {_records(held[name])}")
            groups = {group_name(fields), *(there[name].group for name in ours)} & client.groups(kind)
            used = {one.group for one in others.values()}
            yield from (_in_use(place(connection, kind, name)) for name in sorted(groups & used))
            for name in sorted(groups - used):
                if not preview:
                    client.archive_group(kind, name)
                yield Finding(Level.INFO, place(connection, kind, name), f"property group {done}")


def _in_use(where: str) -> Finding:
    return Finding(
        Level.WARNING, where, "property group left: there are other properties in it", "Move them to another group."
    )


def _left(where: str) -> Finding:
    return Finding(
        Level.WARNING,
        where,
        "left: refloop did not make this property",
        "Delete it in HubSpot under Settings > Properties, if nobody needs it.",
    )


def _records(count: int) -> str:
    return "no record held a value" if count == 0 else f"{count} record{'s' * (count != 1)} held a value"
