"""The few v1 and v2 resources that other people's connectors still read (HubSpot legacy deals and companies APIs)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from refloop_sandbox.hubspot.call import Answer, Call
from refloop_sandbox.hubspot.render import View
from refloop_sandbox.hubspot.routes.setup import list_properties
from refloop_sandbox.hubspot.schema import COMPANIES, CONTACTS, DEALS, ObjectType
from refloop_sandbox.hubspot.spelling import parse_millis
from refloop_sandbox.hubspot.store import Row

_MAX_PAGE = 250


def list_properties_bare(call: Call) -> Answer:
    """The list without anything around it."""
    return Answer(200, list_properties(call).body["results"])


def custom_objects(_call: Call) -> Answer:
    """The account has no custom objects; connectors ask all the same."""
    return Answer(200, {"results": []})


def company_properties(call: Call) -> Answer:
    return list_properties_bare(replace(call, parts={"object": COMPANIES.name}))


def deals_paged(call: Call) -> Answer:
    """All deals, ascending by id: `hasMore`, and the `offset` to go on from."""
    call = replace(call, parts={"object": DEALS.name})
    limit = call.whole("limit", 100, _MAX_PAGE)
    rows = call.portal.store.page(DEALS.number, call.whole("offset", 0), limit + 1)
    names = None if call.flag("includeAllProperties") else call.names("properties")
    view = View(call.portal, DEALS)
    deals = [_deal(call, view, row, names) for row in rows[:limit]]
    more = len(rows) > limit
    return Answer(200, {"deals": deals, "hasMore": more, "offset": rows[limit].id if more else 0})


def _deal(call: Call, view: View, row: Row, names: list[str] | None) -> dict[str, Any]:
    definitions = call.portal.schema.properties(DEALS)
    held = view.everything(row)
    wanted = {name: held[name] for name in (held if names is None else [*names, DEALS.modified]) if name in held}
    shown: dict[str, Any] = {
        name: {
            "value": str(parse_millis(value)) if definitions[name].type in ("date", "datetime") else value,
            "timestamp": row.modified,
            "source": "CRM_UI",
            "sourceId": None,
            "versions": [],
        }
        for name, value in wanted.items()
    }
    linked = call.flag("includeAssociations")
    associations = {
        "associatedVids": _associated(call, row, CONTACTS) if linked else [],
        "associatedCompanyIds": _associated(call, row, COMPANIES) if linked else [],
        "associatedDealIds": [],
    }
    return {
        "portalId": call.portal.portal_id,
        "dealId": row.id,
        "isDeleted": False,
        "associations": associations,
        "properties": shown,
    }


def _associated(call: Call, row: Row, kind: ObjectType) -> list[int]:
    return sorted({to_id for to_id, _ in call.portal.store.associated(row.object, row.id, kind.number)})
