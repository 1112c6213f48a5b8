"""Merging two records into a new one.

HubSpot merge docs: a merge of contacts, companies or deals creates a new record id. The old ids answer with the
survivor when read one by one, are refused in batch updates, have no associations, and are not archived: they vanish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from refloop_sandbox.hubspot.associations import move_all
from refloop_sandbox.hubspot.errors import bad_request
from refloop_sandbox.hubspot.portal import Portal, Writer
from refloop_sandbox.hubspot.records import claim_all, imported
from refloop_sandbox.hubspot.schema import CONTACTS, ObjectType
from refloop_sandbox.hubspot.store import Change, Row

_FROM_OLDER = ("hs_analytics_first_url", "hs_analytics_first_referrer", "hs_analytics_first_timestamp")


def merge(portal: Portal, kind: ObjectType, primary: Row, other: Row, writer: Writer) -> Row:
    """The survivor: the primary's values, gaps filled by the other's. Raises Refusal for one record twice."""
    if primary.id == other.id:
        raise bad_request("Cannot merge an object with itself.")
    now = portal.now()
    old = (primary.id, other.id)
    new_id = portal.store.next_id(kind.number)
    props = _combined(portal, kind, primary, other)
    props["hs_merged_object_ids"] = _listed(props.get("hs_merged_object_ids", ""), *map(str, old))
    if kind is CONTACTS:
        props |= _contact_ids(primary, other, new_id, now)
    created = min(primary.created, other.created)
    survivor = Row(kind.number, new_id, created, now, None, {name: value for name, value in props.items() if value})
    _keep_history(portal, survivor, (primary, other), Change(now, "", *writer))
    for record_id in old:
        portal.store.delete(kind.number, record_id, portal.now())
    portal.store.mark_merged(kind.number, old, new_id)
    move_all(portal, kind, old, new_id)
    portal.store.put(survivor, now)
    claim_all(portal, kind, [survivor])
    return survivor


def _combined(portal: Portal, kind: ObjectType, primary: Row, other: Row) -> dict[str, str]:
    props = {**other.props, **primary.props}
    older, younger = sorted((primary, other), key=lambda row: (row.created, row.id))
    for name in _FROM_OLDER:
        props[name] = older.props.get(name) or younger.props.get(name, "")
    props["hs_merged_object_ids"] = _listed(
        primary.props.get("hs_merged_object_ids", ""), *other.props.get("hs_merged_object_ids", "").split(";")
    )
    props["lifecyclestage"] = _furthest(portal.lifecycle, primary.props, other.props)
    if kind is CONTACTS:
        emails = [primary.props.get("hs_additional_emails", ""), other.props.get("hs_additional_emails", "")]
        if other.props.get("email") != props.get("email"):
            emails.append(other.props.get("email", ""))
        props["hs_additional_emails"] = _listed(*emails)
    return props


def _furthest(order: Sequence[str], one: Mapping[str, str], two: Mapping[str, str]) -> str:
    """HubSpot merge docs: the stage furthest down the funnel is kept."""
    stages = [props["lifecyclestage"] for props in (one, two) if props.get("lifecyclestage")]
    known = [stage for stage in stages if stage in order]
    return max(known, key=order.index) if known else next(iter(stages), "")


def _contact_ids(primary: Row, other: Row, new_id: int, now: int) -> dict[str, str]:
    """`hs_all_contact_vids` is every id there ever was; `hs_calculated_merged_vids` says when each went away."""
    vids = [row.props.get("hs_all_contact_vids", "") for row in (primary, other)]
    gone = [row.props.get("hs_calculated_merged_vids", "") for row in (primary, other)]
    return {
        "hs_all_contact_vids": _listed(str(new_id), str(primary.id), str(other.id), *vids),
        "hs_calculated_merged_vids": _listed(*gone, f"{primary.id}:{now}", f"{other.id}:{now}"),
    }


def _listed(*parts: str) -> str:
    items = [item for part in parts for item in part.split(";") if item]
    return ";".join(dict.fromkeys(items))


def _keep_history(portal: Portal, survivor: Row, losers: tuple[Row, Row], change: Change) -> None:
    """What the merged records held stays in the history, and nowhere else, where the survivor has another value."""
    for row in losers:
        for name, value in row.props.items():
            if not portal.store.history(row.object, row.id, name):
                portal.store.remember(row.object, row.id, name, imported(row, name, value))
    for name, value in survivor.props.items():
        if any(row.props.get(name) != value for row in losers):
            portal.store.remember(survivor.object, survivor.id, name, change._replace(value=value))
