"""Tooling API: the CustomField object (Tooling API Developer Guide)."""

from __future__ import annotations

import json
from typing import Any

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.describe import described, summary
from refloop_sandbox.salesforce.errors import RecordError, bad_json, not_found
from refloop_sandbox.salesforce.fields import add_field, change_field, remove_field
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.records import Row, identified
from refloop_sandbox.salesforce.schema import SObject


def _entity(org: Org) -> SObject:
    return org.schema.named("CustomField", tooling=True)


def list_objects(org: Org, call: Call) -> Answer:
    return Answer(
        body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [summary(_entity(org), f"{call.root}/tooling")]}
    )


def describe(org: Org, call: Call) -> Answer:
    return Answer(body=described(org.schema, _entity(org), call.user, f"{call.root}/tooling"))


def create(org: Org, call: Call) -> Answer:
    org.records.rights.check_customize(call.user)
    body = call.object()
    full_name, metadata = body.get("FullName"), body.get("Metadata")
    if not isinstance(full_name, str):
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName]", "FullName")
    made = add_field(org.records, full_name, _object(metadata), call.user)
    return Answer(201, {"id": made, "success": True, "errors": [], "warnings": [], "infos": []})


def _object(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        raise bad_json("Metadata must be an object")
    return metadata


def read(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    row = _row(org, id)
    address = {"type": "CustomField", "url": f"{call.root}/tooling/sobjects/CustomField/{row['Id']}"}
    return Answer(body={"attributes": address, **row, "Metadata": json.loads(str(row["Metadata"]))})


def change(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    org.records.rights.check_customize(call.user)
    change_field(org.records, _row(org, id), _object(call.object().get("Metadata")))
    return Answer(204)


def remove(org: Org, call: Call, id: str) -> Answer:  # noqa: A002 - the API's word
    org.records.rights.check_customize(call.user)
    remove_field(org.records, _row(org, id))
    return Answer(204)


def _row(org: Org, record_id: str) -> Row:
    row = org.store.row(_entity(org), identified(record_id))
    if row is None:
        raise not_found()
    return row
