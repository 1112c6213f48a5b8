"""Records one by one: list, read, create, change, archive, merge, search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from refloop_sandbox.hubspot.associations import associate
from refloop_sandbox.hubspot.call import Answer, Call, numeric
from refloop_sandbox.hubspot.errors import bad_request, resource_not_found
from refloop_sandbox.hubspot.json_body import mapping, objects, type_ids
from refloop_sandbox.hubspot.merge import merge
from refloop_sandbox.hubspot.portal import APP
from refloop_sandbox.hubspot.records import (
    BIN,
    Values,
    archive,
    binned,
    check_required,
    check_unique,
    create,
    erase,
    live,
    prepare,
    update,
)
from refloop_sandbox.hubspot.render import View
from refloop_sandbox.hubspot.schema import CONTACTS, LEADS, ObjectType, object_type
from refloop_sandbox.hubspot.search import MAX_BODY, parse
from refloop_sandbox.hubspot.store import Row

PAGE, PAGE_WITH_HISTORY = 100, 50
Target = tuple[ObjectType, int, list[int]]
"""A record to associate with, and the types; none for the default one."""


def list_records(call: Call) -> Answer:
    """Ascending by id, strongly consistent; `paging.next.after` is the id of the next record."""
    view = _view(call)
    limit = call.whole("limit", 10, PAGE_WITH_HISTORY if view.history else PAGE)
    since = call.portal.now() - BIN if call.flag("archived") else None
    rows = call.portal.store.page(call.kind.number, call.whole("after", 0), limit + 1, archived_since=since)
    body: dict[str, Any] = {"results": [view.shown(row) for row in rows[:limit]]}
    if len(rows) > limit:
        body["paging"] = call.next_page(rows[limit].id)
    return Answer(200, body)


def _view(call: Call) -> View:
    return View(
        call.portal,
        call.kind,
        call.names("properties"),
        call.names("propertiesWithHistory") or (),
        [object_type(name) for name in call.names("associations") or ()],
        str(call.asked.replace(path="", query="")),
    )


def read_record(call: Call) -> Answer:
    return Answer(200, _view(call).shown(_addressed(call, archived=call.flag("archived"))))


def _addressed(call: Call, *, archived: bool = False) -> Row:
    """The record of the path, by id or by `idProperty`. Raises Refusal (404)."""
    by = call.query.get("idProperty")
    if by and by != "hs_object_id":
        row = find_by(call, by, call.parts["id"], "read")
    elif archived:
        row = binned(call.portal, call.kind, call.record_id())
    else:
        row = live(call.portal, call.kind, call.record_id())
    if row is None:
        raise resource_not_found()
    return row


def find_by(call: Call, name: str, value: str, verb: str) -> Row | None:
    """The record with a value of a unique property. Raises Refusal (400) when the property is not unique."""
    definition = call.portal.schema.properties(call.kind).get(name)
    if definition is None or not definition.unique:
        raise bad_request(f"Unable to perform {verb} by non-unique {call.kind.type_id} property {name}")
    wanted = value.strip().lower() if name == "email" else value
    record_id = call.portal.store.owner_of(call.kind.number, name, wanted)
    return None if record_id is None else live(call.portal, call.kind, record_id)


def create_record(call: Call) -> Answer:
    row = make(call, *prepare_new(call, call.body))
    return Answer(201, shown_whole(call, row))


def prepare_new(call: Call, item: Mapping[str, Any]) -> tuple[Values, list[Target]]:
    """The checked values and associations of a record to create. Raises Refusal or InvalidValues."""
    values = prepare(call.portal, call.kind, properties_of(item), {}, APP)
    targets = _targets(call, objects(item, "associations"))
    if call.strict_rules:
        check_required(call.portal, call.kind, values, {})
    if call.kind is LEADS and not any(kind is CONTACTS for kind, _, _ in targets):
        raise bad_request("A lead must be associated with a contact.")
    check_unique(call.portal, call.kind, values, None)
    return values, targets


def properties_of(item: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = item.get("properties")
    if not isinstance(properties, dict):
        raise bad_request("Some required fields were not set: [properties]")
    return properties


def _targets(call: Call, items: Sequence[Mapping[str, Any]]) -> list[Target]:
    targets: list[Target] = []
    for item in items:
        to_id = numeric(mapping(item, "to").get("id"))
        types = type_ids(item)
        kind = call.portal.labels.target(call.kind, types[0])
        row = live(call.portal, kind, to_id)
        if row is None:
            raise bad_request("One or more associations are invalid")
        targets.append((kind, row.id, types))
    return targets


def make(call: Call, values: Values, targets: Sequence[Target]) -> Row:
    row = create(call.portal, call.kind, values, APP)
    for kind, to_id, types in targets:
        associate(call.portal, (call.kind, row.id, kind, to_id), types)
    return row


def shown_whole(call: Call, row: Row) -> dict[str, Any]:
    """A record with all that is set, as creations answer."""
    return View(call.portal, call.kind, list(row.props)).shown(row)


def change_record(call: Call) -> Answer:
    """Follows merged ids, as a single read does."""
    row = _addressed(call)
    values = prepare_change(call, call.body, row)
    new = update(call.portal, call.kind, row, values, APP)
    return Answer(200, View(call.portal, call.kind, list(values)).shown(new))


def prepare_change(call: Call, item: Mapping[str, Any], row: Row) -> Values:
    values = prepare(call.portal, call.kind, properties_of(item), row.props, APP)
    if call.strict_rules:
        check_required(call.portal, call.kind, values, row.props)
    check_unique(call.portal, call.kind, values, row.id)
    return values


def archive_record(call: Call) -> Answer:
    """204 whatever the state, as HubSpot does."""
    row = live(call.portal, call.kind, call.record_id())
    if row is not None:
        archive(call.portal, call.kind, row)
    return Answer(204)


def merge_records(call: Call) -> Answer:
    rows = [live(call.portal, call.kind, numeric(call.body.get(key))) for key in ("primaryObjectId", "objectIdToMerge")]
    primary, other = rows
    if primary is None or other is None:
        raise resource_not_found()
    return Answer(200, shown_whole(call, merge(call.portal, call.kind, primary, other, APP)))


def erase_contact(call: Call) -> Answer:
    """GDPR deletion, by id or by e-mail: the record is gone for good, from the bin too. 204 whatever there was."""
    by, wanted = call.body.get("idProperty"), str(call.body.get("objectId", ""))
    row = find_by(call, str(by), wanted, "read") if by else live(call.portal, call.kind, numeric(wanted))
    row = row or (None if by else binned(call.portal, call.kind, numeric(wanted)))
    if row is not None:
        erase(call.portal, call.kind, row)
    return Answer(204)


def search_records(call: Call) -> Answer:
    """Over the search index. Refuses bodies of more than 3,000 characters."""
    if len(call.raw.decode("utf-8", "replace")) > MAX_BODY:
        raise bad_request(f"The request body is too long: at most {MAX_BODY} characters are allowed.")
    request = parse(call.body, call.portal.max_search_results)
    found = call.services.search.run(call.kind, request)
    view = View(call.portal, call.kind, request.names)
    body: dict[str, Any] = {"total": found.total, "results": [view.shown(row) for row in found.rows]}
    following = request.offset + request.limit
    if found.rows and following < found.total:
        body["paging"] = {"next": {"after": str(following)}}
    return Answer(200, body)
