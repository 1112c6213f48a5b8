"""The sObject resources: describe, rows, upsert, updated and deleted (REST API Developer Guide)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.describe import described, summary
from refloop_sandbox.salesforce.errors import ApiError, RecordError, not_found
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.records import Row, identified
from refloop_sandbox.salesforce.schema import Field, SObject
from refloop_sandbox.salesforce.store import quoted
from refloop_sandbox.salesforce.values import read_time, shown, stored, time_text

_MAX_IDS = 600_000
_UPDATED_DAYS = 30
_DELETED_DAYS = 15


def list_objects(org: Org, call: Call) -> Answer:
    fresh = _unless_modified(org, call)
    rights = org.records.rights
    seen = [item for item in org.schema if not item.tooling and rights.may("read", item, call.user)]
    listed = [summary(item, call.root, edits=rights.may("edit", item, call.user)) for item in seen]
    body = {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed}
    return fresh or Answer(body=body, headers={"Last-Modified": org.last_modified()})


def describe(org: Org, call: Call, sobject: str) -> Answer:
    item, rights = org.schema.named(sobject), org.records.rights
    if not rights.may("read", item, call.user):
        raise not_found()
    fresh = _unless_modified(org, call)
    if fresh is not None:
        return fresh
    body = described(org.schema, item, call.user, call.root, edits=rights.may("edit", item, call.user))
    return Answer(body=body, headers={"Last-Modified": org.last_modified()})


def _unless_modified(org: Org, call: Call) -> Answer | None:
    since = call.moment("if-modified-since")
    return Answer(304) if since is not None and org.schema_changed() <= since else None


def basic_info(org: Org, call: Call, sobject: str) -> Answer:
    item = org.schema.named(sobject)
    return Answer(body={"objectDescribe": summary(item, call.root), "recentItems": []})


def create(org: Org, call: Call, sobject: str) -> Answer:
    item = org.schema.named(sobject)
    made = org.records.create(item, _fields(call), call.actor())
    location = {"Location": f"{call.root}/sobjects/{item.name}/{made}"}
    return Answer(201, {"id": made, "success": True, "errors": []}, location)


def _fields(call: Call) -> dict[str, object]:
    fields = without_attributes(call.object())
    if any(name.casefold() == "id" for name in fields):
        raise ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    return fields


def without_attributes(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if name != "attributes"}


def read(org: Org, call: Call, sobject: str, id: str) -> Answer:  # noqa: A002 - the API's word
    item = org.schema.named(sobject)
    row = _readable(org, item, identified(id))
    since = call.moment("if-modified-since")
    if since is not None and item.stamped and org.modified(row["LastModifiedDate"]) <= since:
        return Answer(304)
    return Answer(body=_shown(org, call, item, row))


def _readable(org: Org, item: SObject, record_id: str) -> Row:
    try:
        return org.records.existing(item, record_id)
    except RecordError as error:
        if error.code == "INVALID_CROSS_REFERENCE_KEY":
            raise not_found() from None
        raise


def _shown(org: Org, call: Call, item: SObject, row: Row) -> dict[str, object]:
    fields = org.schema.readable(item, call.user)
    wanted = list(fields.values())
    if "fields" in call.query:
        wanted = [picked(item, fields, name) for name in call.query["fields"].split(",")]
    record: dict[str, object] = {"attributes": attributes(call, item, row)}
    record.update((field.name, shown(field, row[field.name])) for field in wanted)
    return record


def attributes(call: Call, item: SObject, row: Row) -> dict[str, object]:
    return {"type": item.name, "url": f"{call.root}/sobjects/{item.name}/{row['Id']}"}


def picked(item: SObject, fields: Mapping[str, Field], name: str) -> Field:
    """A field that was asked for by name. Raises ApiError INVALID_FIELD."""
    found = fields.get(name.strip().casefold())
    if found is None:
        raise ApiError(400, "INVALID_FIELD", f"No such column '{name.strip()}' on sobject of type {item.name}")
    return found


def change(org: Org, call: Call, sobject: str, id: str) -> Answer:  # noqa: A002 - the API's word
    item = org.schema.named(sobject)
    record_id = identified(id)
    check_unmodified(org, call, item, record_id)
    org.records.update(item, record_id, _fields(call), call.actor())
    return Answer(204)


def check_unmodified(org: Org, call: Call, item: SObject, record_id: str) -> None:
    """Holds `If-Unmodified-Since` against the last modified date, to the second; 412 when it is later."""
    until = call.moment("if-unmodified-since")
    if until is None or not item.stamped:
        return
    if org.modified(org.records.existing(item, record_id)["LastModifiedDate"]) > until:
        message = "The resource was modified after the date in the If-Unmodified-Since header"
        raise ApiError(412, "PRECONDITION_FAILED", message)


def remove(org: Org, call: Call, sobject: str, id: str) -> Answer:  # noqa: A002 - the API's word
    item = org.schema.named(sobject)
    org.records.delete(item, identified(id), call.actor())
    return Answer(204)


def read_by(org: Org, call: Call, sobject: str, field: str, value: str) -> Answer:
    item = org.schema.named(sobject)
    found = keyed(org, call, item, field, value)
    if not found:
        raise not_found()
    if len(found) > 1:
        return _several(call, item, found)
    return Answer(body=_shown(org, call, item, found[0]))


def upsert(org: Org, call: Call, sobject: str, field: str, value: str) -> Answer:
    item = org.schema.named(sobject)
    found = keyed(org, call, item, field, value)
    if len(found) > 1:
        return _several(call, item, found)
    fields = _fields(call)
    if found:
        check_unmodified(org, call, item, str(found[0]["Id"]))
    record_id, created = put(org, call, item, (field, value), fields)
    return Answer(201 if created else 200, {"id": record_id, "success": True, "errors": [], "created": created})


def put(org: Org, call: Call, item: SObject, key: tuple[str, object], fields: Mapping[str, object]) -> tuple[str, bool]:
    """Updates the one record with this external id, or creates it. Gives its id and whether it is new."""
    found = keyed(org, call, item, key[0], str(key[1]))
    if len(found) > 1:
        message = f"{key[0]}: more than one record found for external id field: {key[1]}"
        raise RecordError("DUPLICATE_EXTERNAL_ID", message)
    if found:
        org.records.update(item, str(found[0]["Id"]), fields, call.actor())
        return str(found[0]["Id"]), False
    if key[0].casefold() == "id":
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
    given = {**fields, item.field(key[0]).name: key[1]}
    return org.records.create(item, given, call.actor()), True


def keyed(org: Org, call: Call, item: SObject, field: str, value: str) -> list[Row]:
    """The living records with this external id. Raises ApiError NOT_FOUND where the field is none."""
    found = org.schema.readable(item, call.user).get(field.casefold())
    if found is None or not (found.external_id or found.type == "id"):
        raise ApiError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {field}")
    equal: Row = {found.name: stored(found, value)}
    if item.soft_deletes:
        equal["IsDeleted"] = 0
    return list(org.store.where(item, equal))


def _several(call: Call, item: SObject, found: list[Row]) -> Answer:
    return Answer(300, [f"{call.root}/sobjects/{item.name}/{row['Id']}" for row in found])


def updated(org: Org, call: Call, sobject: str) -> Answer:
    item, (start, end) = _replicated(org, sobject), _window(org, call, _UPDATED_DAYS)
    living = " AND IsDeleted = 0" if item.soft_deletes else ""
    sql = (
        f"SELECT Id FROM {quoted(item.name)} WHERE SystemModstamp >= ? AND SystemModstamp < ?{living} "  # noqa: S608 - quoted
        f"LIMIT {_MAX_IDS + 1}"
    )
    ids = [row[0] for row in org.store.execute(sql, (time_text(start), time_text(end)))]
    if len(ids) > _MAX_IDS:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"exceeded {_MAX_IDS} ids; use a shorter time span")
    return Answer(body={"ids": ids, "latestDateCovered": org.covered(end)})


def deleted(org: Org, call: Call, sobject: str) -> Answer:
    item, (start, end) = _replicated(org, sobject), _window(org, call, _DELETED_DAYS)
    sql = "SELECT id, max(at) FROM deletions WHERE object = ? AND at >= ? AND at < ? GROUP BY id ORDER BY max(at), id"
    rows = org.store.execute(sql, (item.name, time_text(start), time_text(end)))
    return Answer(
        body={
            "deletedRecords": [{"id": record_id, "deletedDate": at} for record_id, at in rows],
            "earliestDateAvailable": time_text(org.now() - timedelta(days=_DELETED_DAYS)),
            "latestDateCovered": org.covered(end),
        }
    )


def _replicated(org: Org, name: str) -> SObject:
    item = org.schema.named(name)
    if not item.replicateable:
        raise ApiError(400, "INVALID_TYPE_FOR_OPERATION", f"{item.name} is not replicable")
    return item


def _window(org: Org, call: Call, days: int) -> tuple[datetime, datetime]:
    start, end = (_minute(call, name) for name in ("start", "end"))
    if start >= end:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
    if start < org.now() - timedelta(days=days, minutes=1):
        message = f"startDate cannot be more than {days} days before the current date"
        raise ApiError(400, "INVALID_REPLICATION_DATE", message)
    return start, end


def _minute(call: Call, name: str) -> datetime:
    text = call.asked(name)
    try:
        return read_time(text).replace(second=0, microsecond=0)
    except ValueError:
        raise ApiError(400, "INVALID_REPLICATION_DATE", f"invalid date: {text}") from None
