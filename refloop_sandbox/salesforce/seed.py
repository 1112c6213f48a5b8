"""Bulk loading, and what every org has from its first day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice

from refloop_sandbox.salesforce import object_rules
from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.ids import full_id
from refloop_sandbox.salesforce.records import Actor, Records, Row
from refloop_sandbox.salesforce.schema import Field, SObject
from refloop_sandbox.salesforce.standard import LEAD_STATUSES, STAGES
from refloop_sandbox.salesforce.values import stored

_BATCH = 5000


def load(records: Records, sobject: SObject, rows: Iterable[Mapping[str, object]], actor: Actor) -> list[str]:
    """Adds rows as they are: system fields may be given, references are not checked. Gives their ids in order.

    Raises RecordError for an unknown field or a value of another type; nothing is kept then.
    """
    ids: list[str] = []
    blank = _blank(records, sobject, actor)
    prepared = (_prepared(records, sobject, row, blank) for row in rows)
    with records.store.transaction():
        while batch := list(islice(prepared, _BATCH)):
            records.store.insert(sobject, batch, sorted(set().union(*batch)))
            ids.extend(str(row["Id"]) for row in batch)
    return ids


def _blank(records: Records, sobject: SObject, actor: Actor) -> Row:
    row = records.defaults(sobject)
    if "ownerid" in sobject.fields:
        row["OwnerId"] = actor.user
    if sobject.stamped:
        row.update(CreatedDate=records.stamp(), CreatedById=actor.user, LastModifiedById=actor.user)
    return row


def _prepared(records: Records, sobject: SObject, given: Mapping[str, object], blank: Row) -> Row:
    held: Row = {item.name: stored(item, value) for item, value in _known(sobject, given)}
    row = {**blank, **held}
    row["Id"] = held.get("Id") or records.store.next_id(sobject.prefix)
    object_rules.derive(records, sobject, row, {})
    row.update(held)
    if sobject.stamped:
        _stamp(row, held)
    return row


def _known(sobject: SObject, given: Mapping[str, object]) -> Iterator[tuple[Field, object]]:
    for name, value in given.items():
        item = sobject.fields.get(name.casefold())
        if item is None:
            raise RecordError("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
        if item.type == "id" and full_id(str(value)) is None:
            raise RecordError("MALFORMED_ID", f"{sobject.name} ID: id value of incorrect type: {value}", "Id")
        yield item, value


def _stamp(row: Row, held: Row) -> None:
    """Stamps that were not given follow those that were."""
    changed = held.get("LastModifiedDate") or held.get("SystemModstamp")
    row["CreatedDate"] = held.get("CreatedDate") or changed or row["CreatedDate"]
    row["LastModifiedDate"] = changed or row["CreatedDate"]
    row["SystemModstamp"] = held.get("SystemModstamp") or row["LastModifiedDate"]


def furnish(records: Records, organization: Mapping[str, object]) -> tuple[str, str]:
    """Fills a new org. Gives the ids of its administrator and of the user that integrations run as."""
    named = records.schema.named
    admin, integration = records.store.next_id("005"), records.store.next_id("005")
    actor = Actor(admin)
    load(records, named("Organization"), [{"Name": "Local Salesforce", **organization}], actor)
    if records.schema.get("CurrencyType"):
        add_currency(records, str(organization["DefaultCurrencyIsoCode"]), 1, actor, corporate=True)
    profile = load(records, named("Profile"), [{"Name": "System Administrator"}], actor)[0]
    people = (
        {"Id": admin, "FirstName": "Ada", "LastName": "Admin", "Username": "admin@local.example", "Alias": "admin"},
        {"Id": integration, "LastName": "Integration", "Username": "integration@local.example", "Alias": "integ"},
    )
    users = ({**person, "Email": person["Username"], "ProfileId": profile} for person in people)
    load(records, named("User"), users, actor)
    for order, stage in enumerate(STAGES, 1):
        add_stage(records, stage, order, actor)
    load(records, named("LeadStatus"), list(_statuses()), actor)
    queue = {"Name": "Inbound leads", "DeveloperName": "Inbound_leads", "Type": "Queue"}
    records.assign_to = load(records, named("Group"), [queue], actor)[0]
    return admin, integration


def _statuses() -> Iterator[dict[str, object]]:
    for order, (label, default, converted) in enumerate(LEAD_STATUSES, 1):
        yield {
            "MasterLabel": label, "ApiName": label, "SortOrder": order, "IsDefault": default, "IsConverted": converted
        }  # fmt: skip


def add_currency(records: Records, code: str, rate: float, actor: Actor, *, corporate: bool = False) -> str:
    """Adds a currency: how much of it one unit of the corporate currency is worth."""
    row = {"IsoCode": code, "ConversionRate": rate, "IsCorporate": corporate}
    return load(records, records.schema.named("CurrencyType"), [row], actor)[0]


def add_dated_rate(records: Records, code: str, start: date, rate: float, actor: Actor) -> str:
    """Adds a rate from a day on; the one that was last before ends there."""
    rates = records.schema.named("DatedConversionRate")
    before = [row for row in records.store.where(rates, {"IsoCode": code}) if str(row["StartDate"]) < start.isoformat()]
    end = None
    if before:
        last = max(before, key=lambda row: str(row["StartDate"]))
        end = last["NextStartDate"]
        records.store.update(rates, str(last["Id"]), {"NextStartDate": start.isoformat()})
    row = {"IsoCode": code, "ConversionRate": rate, "StartDate": start, "NextStartDate": end}
    return load(records, rates, [row], actor)[0]


def add_stage(records: Records, stage: tuple[str, int, bool, bool, str], order: int, actor: Actor) -> str:
    """Adds a stage of opportunities: label, probability, closed, won, forecast category."""
    label, probability, closed, won, category = stage
    row = {
        "MasterLabel": label, "ApiName": label, "SortOrder": order, "IsClosed": closed, "IsWon": won,
        "DefaultProbability": probability, "ForecastCategoryName": category,
        "ForecastCategory": {"Best Case": "BestCase", "Commit": "Forecast"}.get(category, category),
    }  # fmt: skip
    made = load(records, records.schema.named("OpportunityStage"), [row], actor)[0]
    object_rules.refresh_stages(records)
    return made
