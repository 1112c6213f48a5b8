"""What holds for particular objects: derived fields, required fields, references, permissions.

Source: Salesforce Object Reference, each object's page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date

from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.store import quoted
from refloop_sandbox.salesforce.tables import Tables
from refloop_sandbox.salesforce.values import Stored

Row = dict[str, Stored]
_PARTS = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Contact": (("OpportunityContactRole", "ContactId"), ("CampaignMember", "ContactId")),
    "Lead": (("CampaignMember", "LeadId"),),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"),),
    "Campaign": (("CampaignMember", "CampaignId"),),
    "PermissionSet": (
        ("PermissionSetAssignment", "PermissionSetId"),
        ("FieldPermissions", "ParentId"),
        ("ObjectPermissions", "ParentId"),
    ),
}
_OWNED_BY_INACTIVE = frozenset({"Account", "Opportunity"})
_KEYS: Mapping[str, tuple[str, ...]] = {
    "PermissionSet": ("Name",),
    "PermissionSetAssignment": ("PermissionSetId", "AssigneeId"),
    "FieldPermissions": ("ParentId", "Field"),
    "ObjectPermissions": ("ParentId", "SobjectType"),
    "User": ("Username",),
}


def check_required(sobject: SObject, row: Row) -> None:
    missing = [
        item.name
        for item in sobject.fields.values()
        if not item.nillable and item.createable and row.get(item.name) is None and item.type != "boolean"
    ]
    if missing:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)


def check_cleared(sobject: SObject, values: Row) -> None:
    """A required field may not be emptied."""
    emptied = [name for name, value in values.items() if value is None and not sobject.field(name).nillable]
    if emptied:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(emptied)}]", *emptied)


def check_references(tables: Tables, sobject: SObject, row: Row, before: Row) -> None:
    """Every id that changed must name a living record of an allowed object."""
    for item in sobject.references():
        value = row.get(item.name)
        if value is None or value == before.get(item.name):
            continue
        targets = [found for name in item.targets if (found := tables.schema.get(name))]
        target = next((found for found in targets if str(value).startswith(found.prefix)), None)
        if target is None:
            message = f"{item.label}: id value of incorrect type: {value}"
            raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, item.name)
        found_row = tables.store.row(target, str(value))
        if found_row is None or found_row.get("IsDeleted"):
            code = "INVALID_CROSS_REFERENCE_KEY" if found_row is None else "ENTITY_IS_DELETED"
            raise RecordError(code, "invalid cross reference id" if found_row is None else "entity is deleted")
        if item.name == "OwnerId":
            _check_owner(sobject, found_row)


def _check_owner(sobject: SObject, owner: Row) -> None:
    """Who has left may still get accounts, deals and custom objects (release notes, Spring '15), but no people."""
    if owner.get("IsActive") == 0 and sobject.name not in _OWNED_BY_INACTIVE:
        message = f"operation performed with inactive user [{owner['Id']}] as owner of {sobject.label.lower()}"
        raise RecordError("INACTIVE_OWNER_OR_USER", message)
    if "IsActive" not in owner and owner["Type"] != "Queue":
        raise RecordError("INVALID_OPERATION", "Queue not associated with this SObject type", "OwnerId")


def check_unique(tables: Tables, sobject: SObject, row: Row, before: Row) -> None:
    for item in sobject.fields.values():
        if item.unique and row.get(item.name) is not None:
            _refuse_second(tables, sobject, row, (item.name,))
    if sobject.name in _KEYS and not before:
        _refuse_second(tables, sobject, row, _KEYS[sobject.name])


def _refuse_second(tables: Tables, sobject: SObject, row: Row, names: tuple[str, ...]) -> None:
    for other in tables.store.where(sobject, {name: row.get(name) for name in names}):
        if other["Id"] != row["Id"] and not other.get("IsDeleted"):
            message = f"duplicate value found: {names[-1]} duplicates value on record with id: {other['Id']}"
            raise RecordError("DUPLICATE_VALUE", message)


def defaults(tables: Tables, sobject: SObject) -> Row:
    """Values of a new record that depend on the org's settings."""
    row: Row = {}
    if sobject.name == "Lead":
        statuses = tables.schema.named("LeadStatus")
        row["Status"] = next((item["ApiName"] for item in tables.store.where(statuses, {"IsDefault": 1})), None)
    if "currencyisocode" in sobject.fields:
        organization = next(tables.store.where(tables.schema.named("Organization"), {}))
        row["CurrencyIsoCode"] = organization["DefaultCurrencyIsoCode"]
    return row


def derive(tables: Tables, sobject: SObject, row: Row, before: Row) -> None:
    """Sets what follows from other fields."""
    rule = _DERIVED.get(sobject.name)
    if rule is not None:
        rule(tables, row, before)


def _person(_tables: Tables, row: Row, _before: Row) -> None:
    row["Name"] = " ".join(str(row[name]) for name in ("FirstName", "LastName") if row.get(name)) or None


def _opportunity(tables: Tables, row: Row, before: Row) -> None:
    if row.get("StageName") != before.get("StageName"):
        _enter_stage(tables, row, before)
    amount, probability = row.get("Amount"), row.get("Probability")
    row["ExpectedRevenue"] = None if amount is None else round(float(amount) * float(probability or 0) / 100, 2)
    close = row.get("CloseDate")
    if close != before.get("CloseDate") and close is not None:
        day = date.fromisoformat(str(close))
        quarter = (day.month - 1) // 3 + 1
        row.update(FiscalYear=day.year, FiscalQuarter=quarter, Fiscal=f"{day.year} {quarter}")


def _enter_stage(tables: Tables, row: Row, before: Row) -> None:
    found = tables.stages.get(str(row["StageName"]).casefold())
    row["IsClosed"] = found["IsClosed"] if found else 0
    row["IsWon"] = found["IsWon"] if found else 0
    if row.get("Probability") == before.get("Probability"):
        row["Probability"] = found["DefaultProbability"] if found else 0
    row["ForecastCategoryName"] = found["ForecastCategoryName"] if found else "Pipeline"
    row["ForecastCategory"] = found["ForecastCategory"] if found else "Pipeline"
    if before:
        row["LastStageChangeDate"] = tables.stamp()


def _contact_role(tables: Tables, row: Row, _before: Row) -> None:
    if row.get("IsPrimary"):
        table = quoted("OpportunityContactRole")
        sql = f"UPDATE {table} SET IsPrimary = 0 WHERE OpportunityId = ? AND Id IS NOT ? AND IsPrimary = 1"  # noqa: S608 - quoted
        tables.store.execute(sql, (row["OpportunityId"], row["Id"]))


def _campaign_member(tables: Tables, row: Row, _before: Row) -> None:
    if row.get("LeadId") is None and row.get("ContactId") is None:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]", "LeadId")
    row["LeadOrContactId"] = row.get("ContactId") or row.get("LeadId")
    row["Type"] = "Contact" if row.get("ContactId") else "Lead"
    row["HasResponded"] = int(row.get("Status") == "Responded")
    if row["HasResponded"] and row.get("FirstRespondedDate") is None:
        row["FirstRespondedDate"] = tables.stamp()[:10]


def _field_permission(tables: Tables, row: Row, _before: Row) -> None:
    owner, _, name = str(row["Field"]).partition(".")
    sobject = tables.schema.get(owner)
    item = sobject.fields.get(name.casefold()) if sobject else None
    if sobject is None or item is None or sobject.name != row["SobjectType"]:
        message = f"Field Name: bad value for restricted picklist field: {row['Field']}"
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, "Field")
    if not item.permissionable:
        message = f"You cannot set field-level security for a required field: {row['Field']}"
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, "Field")
    if row.get("PermissionsEdit") and not row.get("PermissionsRead"):
        message = f"Field permission {row['Field']}: edit requires read"
        raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, "PermissionsRead")


def _object_permission(tables: Tables, row: Row, _before: Row) -> None:
    if tables.schema.get(str(row["SobjectType"])) is None:
        message = f"Sobject Type Name: bad value for restricted picklist field: {row['SobjectType']}"
        raise RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, "SobjectType")
    needs = {
        "PermissionsEdit": "PermissionsRead",
        "PermissionsDelete": "PermissionsEdit",
        "PermissionsViewAllRecords": "PermissionsRead",
        "PermissionsModifyAllRecords": "PermissionsViewAllRecords",
    }
    for permission, needed in needs.items():
        if row.get(permission) and not row.get(needed):
            message = f"Permission {permission} depends on permission(s): {needed}"
            raise RecordError("FIELD_INTEGRITY_EXCEPTION", message, needed)


_DERIVED: Mapping[str, Callable[[Tables, Row, Row], None]] = {
    "Lead": _person,
    "Contact": _person,
    "User": _person,
    "Opportunity": _opportunity,
    "OpportunityContactRole": _contact_role,
    "CampaignMember": _campaign_member,
    "FieldPermissions": _field_permission,
    "ObjectPermissions": _object_permission,
}


def after_write(tables: Tables, sobject: SObject, row: Row) -> None:
    """Works out the grants again when permissions changed, and who a deal's contact is when its roles did."""
    if sobject.name == "OpportunityContactRole":
        _follow_primary(tables, str(row["OpportunityId"]))
    if sobject.name in ("PermissionSet", "PermissionSetAssignment", "FieldPermissions"):
        refresh_grants(tables)


def _follow_primary(tables: Tables, deal: str) -> None:
    """Opportunity.ContactId is the contact of the primary role. It is derived: the deal is not saved by it."""
    primary: Row = {"OpportunityId": deal, "IsPrimary": 1, "IsDeleted": 0}
    role = next(tables.store.where(tables.schema.named("OpportunityContactRole"), primary), None)
    tables.store.update(tables.schema.named("Opportunity"), deal, {"ContactId": role["ContactId"] if role else None})


def refresh_stages(tables: Tables) -> None:
    """Reads the stages of opportunities again."""
    rows = tables.store.where(tables.schema.named("OpportunityStage"), {})
    tables.stages = {str(row["MasterLabel"]).casefold(): row for row in rows}


def refresh_grants(tables: Tables) -> None:
    """Who may see which custom field, from the permission sets and their assignments."""
    grants: dict[str, dict[str, bool]] = {}
    rows = tables.store.execute(
        "SELECT a.AssigneeId, lower(f.Field), max(f.PermissionsEdit) FROM FieldPermissions f "
        "JOIN PermissionSetAssignment a ON a.PermissionSetId = f.ParentId "
        "WHERE f.PermissionsRead = 1 GROUP BY a.AssigneeId, lower(f.Field)"
    )
    for user, name, edit in rows:
        grants.setdefault(user, {})[name] = bool(edit)
    tables.schema.grant(grants)


def parts(tables: Tables, sobject: SObject, row: Row) -> Iterator[tuple[SObject, str]]:
    """The records that are deleted together with this one."""
    for name, column in _PARTS.get(sobject.name, ()):
        child = tables.schema.named(name)
        equal: Row = {column: row["Id"]}
        if child.soft_deletes:
            equal["IsDeleted"] = 0
        yield from [(child, str(item["Id"])) for item in tables.store.where(child, equal)]
