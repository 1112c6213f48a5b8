"""What people do to records inside the CRM: convert a lead, merge duplicates. REST offers neither."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from refloop_sandbox.salesforce import history
from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.records import Actor, Records, Row
from refloop_sandbox.salesforce.schema import SObject

_TO_CONTACT = (
    "FirstName", "LastName", "Salutation", "Title", "Phone", "MobilePhone", "Fax", "Email", "LeadSource",
    "Description", "DoNotCall", "HasOptedOutOfEmail",
)  # fmt: skip
_ADDRESS = ("Street", "City", "State", "PostalCode", "Country")


@dataclass(frozen=True, slots=True)
class ConvertedIds:
    """Where a converted lead went. `opportunity` is None when none was wanted."""

    contact: str
    account: str
    opportunity: str | None


@dataclass(frozen=True, slots=True)
class Into:
    """Targets of a conversion: ids of existing records; None makes a new contact or account.

    `opportunity` is an id, "new", or None for none.
    """

    contact: str | None = None
    account: str | None = None
    opportunity: str | None = "new"
    opportunity_name: str | None = None


Mapped = Mapping[str, tuple[tuple[str, str], ...]]
"""Lead field -> (object, field) targets, as set in Salesforce's lead field mapping."""


@dataclass(frozen=True, slots=True)
class _Conversion:
    """One lead on its way."""

    records: Records
    lead: Row
    into: Into
    mapped: Mapped
    actor: Actor


def convert(records: Records, lead_id: str, into: Into, mapped: Mapped, actor: Actor) -> ConvertedIds:
    """Converts a lead. Only empty fields of existing targets are filled (Salesforce docs, convertLead).

    Raises RecordError CANNOT_UPDATE_CONVERTED_LEAD for one that is converted already.
    """
    leads = records.schema.named("Lead")
    lead = records.existing(leads, lead_id)
    if lead["IsConverted"]:
        raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
    with records.store.transaction():
        work = _Conversion(records, lead, into, mapped, actor)
        account = _account(work)
        contact = _contact(work, account)
        opportunity = _opportunity(work, account, contact)
        _close(records, leads, lead, ConvertedIds(contact, account, opportunity), actor)
        _carry_campaigns(records, str(lead["Id"]), contact, actor)
    return ConvertedIds(contact, account, opportunity)


def _account(work: _Conversion) -> str:
    lead, into = work.lead, work.into
    values: Row = {name: lead[name] for name in ("Phone", "Website", "Industry", "AnnualRevenue", "NumberOfEmployees")}
    values.update({f"Billing{name}": lead[name] for name in _ADDRESS})
    values.update(Name=lead["Company"], AccountSource=lead["LeadSource"], OwnerId=_owner(work))
    values.update(_mapped(work, "Account"))
    target = into.account
    if target is None and into.contact is not None:
        held = work.records.existing(work.records.schema.named("Contact"), into.contact)["AccountId"]
        target = None if held is None else str(held)
    return _fill(work, "Account", target, values)


def _contact(work: _Conversion, account: str) -> str:
    lead = work.lead
    values: Row = {name: lead[name] for name in _TO_CONTACT}
    values.update({f"Mailing{name}": lead[name] for name in _ADDRESS})
    values.update(AccountId=account, OwnerId=_owner(work), **_mapped(work, "Contact"))
    return _fill(work, "Contact", work.into.contact, values)


def _opportunity(work: _Conversion, account: str, contact: str) -> str | None:
    records, lead, into = work.records, work.lead, work.into
    if into.opportunity is None:
        return None
    today = date.fromisoformat(records.stamp()[:10])
    values: Row = {
        "Name": into.opportunity_name or f"{lead['Company']}-", "StageName": _first_stage(records),
        "CloseDate": _end_of_quarter(today).isoformat(), "AccountId": account, "LeadSource": lead["LeadSource"],
        "OwnerId": _owner(work), "CampaignId": _last_campaign(records, str(lead["Id"])),
        **_mapped(work, "Opportunity"),
    }  # fmt: skip
    existing = None if into.opportunity == "new" else into.opportunity
    made = _fill(work, "Opportunity", existing, values)
    roles = records.schema.named("OpportunityContactRole")
    linked: Row = {"OpportunityId": made, "ContactId": contact, "IsDeleted": 0}
    if next(records.store.where(roles, linked), None) is None:
        first = next(records.store.where(roles, {"OpportunityId": made, "IsDeleted": 0}), None) is None
        records.create(roles, {"OpportunityId": made, "ContactId": contact, "IsPrimary": first}, work.actor)
    return made


def _owner(work: _Conversion) -> str:
    owner = str(work.lead["OwnerId"])
    return owner if owner.startswith("005") else work.actor.user


def _mapped(work: _Conversion, target: str) -> Row:
    return {
        field: work.lead[source] for source, targets in work.mapped.items() for name, field in targets if name == target
    }


def _fill(work: _Conversion, name: str, existing: str | None, values: Row) -> str:
    records, actor = work.records, work.actor
    sobject = records.schema.named(name)
    given = {field: _plain(sobject, field, value) for field, value in values.items() if value is not None}
    if existing is None:
        return records.create(sobject, given, actor)
    before = records.existing(sobject, existing)
    records.update(sobject, existing, {field: value for field, value in given.items() if before[field] is None}, actor)
    return str(before["Id"])


def _plain(sobject: SObject, field: str, value: object) -> object:
    return bool(value) if sobject.field(field).type == "boolean" else value


def _first_stage(records: Records) -> str:
    stages = sorted(records.stages.values(), key=lambda stage: int(stage["SortOrder"] or 0))
    return next(str(stage["MasterLabel"]) for stage in stages if not stage["IsClosed"])


def _end_of_quarter(day: date) -> date:
    month = (day.month - 1) // 3 * 3 + 4
    return date(day.year + month // 13, (month - 1) % 12 + 1, 1) - timedelta(days=1)


def _last_campaign(records: Records, lead_id: str) -> str | None:
    members = list(records.store.where(records.schema.named("CampaignMember"), {"LeadId": lead_id, "IsDeleted": 0}))
    return str(members[-1]["CampaignId"]) if members else None


def _close(records: Records, leads: SObject, lead: Row, ids: ConvertedIds, actor: Actor) -> None:
    statuses = records.store.where(records.schema.named("LeadStatus"), {"IsConverted": 1})
    values: Row = {
        "IsConverted": 1, "ConvertedDate": records.stamp()[:10], "ConvertedContactId": ids.contact,
        "ConvertedAccountId": ids.account, "ConvertedOpportunityId": ids.opportunity,
        "Status": next((status["ApiName"] for status in statuses), lead["Status"]),
    }  # fmt: skip
    records.write(leads, lead, values, actor)


def _carry_campaigns(records: Records, lead_id: str, contact: str, actor: Actor) -> None:
    members = records.schema.named("CampaignMember")
    for member in list(records.store.where(members, {"LeadId": lead_id, "IsDeleted": 0})):
        records.write(members, member, {"ContactId": contact}, actor)


def merge(records: Records, sobject: SObject, survivor: str, loser: str, actor: Actor) -> None:
    """Merges `loser` into `survivor`: it is deleted with MasterRecordId set, what pointed at it moves over.

    Raises RecordError for objects that have no merge, for a record merged into itself, and for deleted ones.
    """
    if not sobject.mergeable:
        raise RecordError("INVALID_TYPE_FOR_OPERATION", f"entity type {sobject.name} does not support merge")
    kept, gone = records.existing(sobject, survivor), records.existing(sobject, loser)
    if kept["Id"] == gone["Id"]:
        raise RecordError("INVALID_OPERATION", "cannot merge a record into itself")
    with records.store.transaction():
        for child, column, row in list(_pointing(records, sobject, str(gone["Id"]))):
            if row["Id"] != gone["Id"]:
                records.write(child, row, {column: kept["Id"]}, actor)
        records.mark_deleted(sobject, gone, actor, master=str(kept["Id"]))
        records.write(sobject, records.existing(sobject, str(kept["Id"])), {}, actor)


def _pointing(records: Records, sobject: SObject, record_id: str) -> Iterator[tuple[SObject, str, Row]]:
    pasts = {name for name, _ in history.OBJECTS.values()}  # each stays with the record that it tells of
    for child in [child for child in records.schema if child.name not in pasts]:
        for item in child.references():
            if sobject.name in item.targets and item.name != "MasterRecordId" and not item.calculated:
                for row in records.store.where(child, {item.name: record_id}):
                    yield child, item.name, row
