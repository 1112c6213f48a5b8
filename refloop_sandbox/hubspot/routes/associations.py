"""Associations: of one record, in batches, and their types. v3 and v4 differ in their shapes; dated is v4.

HubSpot associations v4 guide: 1,000 inputs to a batch read, 2,000 to a creation, 100 to an archiving; 500 to a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from refloop_sandbox.hubspot.associations import associate, disassociate
from refloop_sandbox.hubspot.call import Answer, Call, numeric, numeric_or_none
from refloop_sandbox.hubspot.errors import Body, Refusal, bad_request, error_body, resource_not_found
from refloop_sandbox.hubspot.json_body import type_ids, whole
from refloop_sandbox.hubspot.labels import Label
from refloop_sandbox.hubspot.records import live

PAGE = 500
MAX_READ, MAX_CREATE, MAX_ARCHIVE = 1_000, 2_000, 100


def of_record(call: Call) -> Answer:
    """The associations of one record; an id that was merged away has none."""
    if live(call.portal, call.kind, call.record_id()) is None:
        raise resource_not_found()
    found, following = _page(call, call.record_id(), call.whole("after", 0), call.whole("limit", PAGE, PAGE))
    paging = {} if following is None else {"paging": call.next_page(following)}
    return Answer(200, {"results": found, **paging})


def _page(call: Call, record_id: int, after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
    """A page of associations from the other record's id `after` on, and the id at which the next one begins."""
    labels = {label.id: label for label in call.portal.labels.between(call.kind, call.to_kind)}
    pairs = call.portal.store.associated(call.kind.number, record_id, call.to_kind.number, (after, 0))
    grouped = [
        (to_id, [labels[found[1]] for found in group]) for to_id, group in groupby(pairs, key=lambda one: one[0])
    ]
    show = _shown_v3 if call.version == "v3" else _shown_v4
    shown = [one for to_id, found in grouped[:limit] for one in show(to_id, found)]
    return shown, grouped[limit][0] if len(grouped) > limit else None


def _shown_v3(to_id: int, labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [{"id": str(to_id), "type": label.name} for label in labels]


def _shown_v4(to_id: int, labels: Sequence[Label]) -> list[dict[str, Any]]:
    return [{"toObjectId": to_id, "associationTypes": [label.shown() for label in labels]}]


def read_batch(call: Call) -> Answer:
    """Each input may carry its own `after`. A record without associations is an error of its own, in a 207."""
    results: list[dict[str, Any]] = []
    errors: list[Body] = []
    for item in call.inputs(MAX_READ):
        wanted = str(item.get("id"))
        record_id = numeric_or_none(wanted)
        after = max(0, whole(item, "after", 0))
        found, following = ([], None) if record_id is None else _page(call, record_id, after, PAGE)
        if not found:
            errors.append(_none_found(call, wanted))
            continue
        # HubSpot associations guide: the link of an input is its query alone
        paging = {} if following is None else {"next": {"after": str(following), "link": f"?after={following}"}}
        results.append({"from": {"id": wanted}, "to": found, **({"paging": paging} if paging else {})})
    return _answer(call, results, errors)


def _none_found(call: Call, wanted: str) -> Body:
    kind, to_kind = call.kind.singular, call.to_kind.singular
    return error_body(
        f"No {to_kind} is associated with {kind} {wanted}.",
        "OBJECT_NOT_FOUND",
        subCategory="crm.associations.NO_ASSOCIATIONS_FOUND",
        context={"fromObjectId": [wanted], "fromObjectType": [kind], "toObjectType": [to_kind]},
    )


def create_batch(call: Call) -> Answer:
    """v4 inputs carry `types`; v3 inputs one `type`, a name or an id."""
    results: list[dict[str, Any]] = []
    errors: list[Body] = []
    for item in call.inputs(MAX_CREATE):
        try:
            results.append(_created(call, item, _types(call, item)))
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            errors.append(refusal.error)
    return _answer(call, results, errors, created=True)


def create_default_batch(call: Call) -> Answer:
    results = [_created(call, item, []) for item in call.inputs(MAX_CREATE)]
    return _answer(call, results, [])


def _created(call: Call, item: Mapping[str, Any], types: list[int]) -> dict[str, Any]:
    record_id, to_id = _end(item, "from"), _end(item, "to")
    labels = _associated(call, record_id, to_id, types)
    if call.version == "v3":
        return {"from": {"id": str(record_id)}, "to": {"id": str(to_id)}, "type": labels[0].name}
    return {
        "fromObjectTypeId": call.kind.type_id,
        "fromObjectId": record_id,
        "toObjectTypeId": call.to_kind.type_id,
        "toObjectId": to_id,
        "labels": [label.label for label in labels if label.label],
    }


def _associated(call: Call, record_id: int, to_id: int, types: list[int]) -> list[Label]:
    """Associates two live records. Raises Refusal (404) when one of them is not there."""
    for kind, wanted in ((call.kind, record_id), (call.to_kind, to_id)):
        row = live(call.portal, kind, wanted)
        if row is None or row.id != wanted:
            context = {"objectId": [str(wanted)], "objectType": [kind.singular]}
            raise Refusal(
                404, error_body(f"{kind.singular} {wanted} does not exist", "OBJECT_NOT_FOUND", context=context)
            )
    associate(call.portal, (call.kind, record_id, call.to_kind, to_id), types)
    plain = [call.portal.labels.default(call.kind, call.to_kind)]
    return [call.portal.labels.find(call.kind, call.to_kind, found) for found in types] or plain


def _end(item: Mapping[str, Any], key: str) -> int:
    end = item.get(key)
    if not isinstance(end, dict) or "id" not in end:
        raise bad_request(f"Some required fields were not set: [{key}]")
    return numeric(end["id"])


def _types(call: Call, item: Mapping[str, Any]) -> list[int]:
    if call.version == "v3":
        return [_named(call, str(item.get("type")))]
    return type_ids(item)


def _named(call: Call, name: str) -> int:
    for label in call.portal.labels.between(call.kind, call.to_kind):
        if name in (label.name, str(label.id)):
            return label.id
    raise bad_request(f"{name} is not a valid association type between {call.kind.name} and {call.to_kind.name}")


def archive_batch(call: Call) -> Answer:
    """204 whatever there was. v4 inputs name several ends in `to`, v3 inputs one."""
    for item in call.inputs(MAX_ARCHIVE):
        ends = item.get("to")
        for end in ends if isinstance(ends, list) else [ends]:
            pair = (_end(item, "from"), _end({"to": end}, "to"))
            disassociate(call.portal, (call.kind, pair[0], call.to_kind, pair[1]))
    return Answer(204)


def archive_labels_batch(call: Call) -> Answer:
    for item in call.inputs(MAX_ARCHIVE):
        ends = (call.kind, _end(item, "from"), call.to_kind, _end(item, "to"))
        disassociate(call.portal, ends, _types(call, item))
    return Answer(204)


def put_labels(call: Call) -> Answer:
    """PUT of a list of types between two records."""
    types = type_ids({"types": call.listed})
    item = {"from": {"id": call.parts["id"]}, "to": {"id": call.parts["to_id"]}}
    return Answer(201, _created(call, item, types))


def put_default(call: Call) -> Answer:
    record_id, to_id = call.record_id(), call.record_id("to_id")
    labels = _associated(call, record_id, to_id, [])
    results = [
        {
            "from": {"id": str(record_id)},
            "to": {"id": str(to_id)},
            "associationSpec": {"associationCategory": label.category, "associationTypeId": label.id},
        }
        for label in labels
    ]
    return _answer(call, results, [])


def put_named(call: Call) -> Answer:
    """v3: PUT of one type, by name or id."""
    _associated(call, call.record_id(), call.record_id("to_id"), [_named(call, call.parts["type"])])
    return Answer(200, {"id": call.parts["id"]})


def delete_one(call: Call) -> Answer:
    types = [_named(call, call.parts["type"])] if "type" in call.parts else None
    disassociate(call.portal, (call.kind, call.record_id(), call.to_kind, call.record_id("to_id")), types)
    return Answer(204)


def list_labels(call: Call) -> Answer:
    labels = call.portal.labels.between(call.kind, call.to_kind)
    return Answer(200, {"results": [label.shown() for label in labels]})


def list_types(call: Call) -> Answer:
    """v3: ids and names."""
    labels = call.portal.labels.between(call.kind, call.to_kind)
    return Answer(200, {"results": [{"id": str(label.id), "name": label.name} for label in labels]})


def create_label(call: Call) -> Answer:
    label = call.body.get("label")
    if not label:
        raise bad_request("Some required fields were not set: [label]")
    made = call.portal.labels.define(call.kind, call.to_kind, str(label), call.body.get("inverseLabel"))
    return Answer(200, {"results": [one.shown() for one in made]})


def _answer(call: Call, results: list[dict[str, Any]], errors: Iterable[Body], *, created: bool = False) -> Answer:
    found = list(errors)
    stamp = call.portal.stamp()
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if found:
        return Answer(207, {**body, "numErrors": len(found), "errors": found})
    return Answer(201 if created else 200, body)
