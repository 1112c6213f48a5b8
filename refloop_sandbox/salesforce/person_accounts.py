"""Person accounts: an account that is a person, and the contact that comes with it.

Source: Salesforce object reference, Account and Contact: PersonContactId names the contact, whose IsPersonAccount is
true; fields of the contact stand on the account under another name (`PersonEmail`, `Ref_Code__pc`).
"""

from __future__ import annotations

from collections.abc import Mapping

from refloop_sandbox.salesforce.errors import RecordError
from refloop_sandbox.salesforce.records import PERSON_FIELDS, Actor, Records
from refloop_sandbox.salesforce.schema import Field, SObject


def add_fields(objects: Mapping[str, SObject]) -> None:
    """What the objects have more in an org with person accounts."""
    flag = Field("IsPersonAccount", "boolean", "Is Person Account", nillable=False, createable=False, updateable=False,
                 default=False)  # fmt: skip
    person = Field("PersonContactId", "reference", "Person Contact ID", 18, createable=False, updateable=False,
                   targets=("Contact",), relationship="PersonContact")  # fmt: skip
    account = (
        flag, person, Field("FirstName", "string", "First Name", 40), Field("LastName", "string", "Last Name", 80),
        Field("PersonEmail", "email", "Email", 80),
    )  # fmt: skip
    for name, fields in (("Contact", (flag,)), ("Account", account)):
        objects[name].fields.update({item.name.casefold(): item for item in fields})


def create(records: Records, fields: Mapping[str, object], actor: Actor) -> tuple[str, str]:
    """Adds the account and its contact; gives the ids of both. Raises RecordError where the platform refuses."""
    accounts, contacts = records.schema.named("Account"), records.schema.named("Contact")
    if not fields.get("LastName"):
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", "LastName")
    with records.store.transaction():
        made = records.create(accounts, {**fields, "Name": _name(fields)}, actor)
        shared = {contact: fields[name] for name, contact in PERSON_FIELDS.items() if fields.get(name)}
        person = records.create(contacts, {**shared, "AccountId": made}, actor)
        records.store.update(contacts, person, {"IsPersonAccount": 1})
        records.store.update(accounts, made, {"IsPersonAccount": 1, "PersonContactId": person})
    return made, person


def _name(fields: Mapping[str, object]) -> str:
    return " ".join(str(fields[name]) for name in ("FirstName", "LastName") if fields.get(name))
