"""The local Salesforce as the contract sees a CRM: from inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Unpack

from refloop.connectors.salesforce import Salesforce, SalesforceSettings
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.model import FieldSpec, FieldType, Kind, Ref, canonical
from refloop.testing import Draft, World
from refloop_sandbox import faults
from refloop_sandbox.faults import Asked, Where
from refloop_sandbox.salesforce import LocalSalesforce, troubles
from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.fields import remove_field
from refloop_sandbox.server import Server

SECRET = "the-app's-s3cret"
LONG_ENOUGH = timedelta(seconds=5)
"""What a wait takes by the org's clock: as long as all the waits of a push together, at least."""


class SalesforceWorld(World):
    """A local org whose query pages hold five rows. Who waits for it moves its clock instead.

    `changes` are settings of the connection. `by_jobs`: all that can go by Bulk jobs does, without conditions.
    `code_field` is the one that people type codes into; another one than Description is a custom field of short text.
    """

    page_size = 5
    batch_size = 200
    look_back = timedelta(minutes=16)  # 15, and the minute that `latestDateCovered` is cut to
    roles = True
    secrets = (SECRET,)

    def __init__(
        self, connection: str = "crm", *, by_jobs: bool = False, code_field: str = "Description", **changes: object
    ) -> None:
        self.connection = connection
        bulk = {"bulk_rows": 0, "bulk_changes": 0, "conditional_writes": "never"} if by_jobs else {}
        self._changes = {**bulk, **changes}
        self.overwrites_unseen = self._changes.get("conditional_writes") == "never"
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.local = LocalSalesforce(clock=lambda: self.now, client_secret=SECRET, page_size=self.page_size)
        self._server = Server(self.local.app)
        self.url = self._server.url
        self._code_field = code_field
        if code_field != "Description":
            for name in OBJECTS.values():
                self.local.add_field(name, code_field, {"type": "Text", "label": "Heard of us", "length": 255})
        self._writes: list[tuple[str, frozenset[str]]] = []
        self._watch()

    def _watch(self) -> None:
        """Notes each write by the API that was done."""
        records = self.local._org.records
        update = records.update

        def noted(sobject: Any, record_id: str, fields: Mapping[str, object], actor: Any) -> None:
            update(sobject, record_id, fields, actor)
            if actor.api:
                names = (name.removesuffix("__c").lower() for name in fields if name.lower() != "attributes")
                self._writes.append((record_id, frozenset(names)))

        records.update = noted  # type: ignore[method-assign] # a witness, not a stand-in

    def close(self) -> None:
        self._server.close()
        self.local.close()

    def _connect(self, secret: str) -> Salesforce:
        document = {
            "connector": "salesforce",
            "url": self.url,
            "auth": {"method": "client_credentials", "client_id": "local-client", "client_secret": secret},
            "code_fields": {kind.value: [self._code_field] for kind in self._kinds_with_codes()},
            **self._changes,
        }
        crm = Salesforce(self.connection, SalesforceSettings.model_validate(document), clock=lambda: self.now)
        crm._client.transport._sleep = lambda _: self.pass_time(LONG_ENOUGH)
        return crm

    def _kinds_with_codes(self) -> Sequence[Kind]:
        """Those of which the connection has to say so: leads and contacts carry codes in their Description anyway."""
        return (Kind.DEAL,) if self._code_field == "Description" else self.kinds

    def connector(self) -> Salesforce:
        return self._connect("env:SF_SECRET")

    def stranger(self) -> Salesforce:
        return self._connect("env:SF_WRONG")

    def pass_time(self, by: timedelta) -> None:
        self.now += by

    def create(self, kind: Kind, draft: Draft) -> Ref:
        fields: dict[str, object] = {self._code_field: draft.code}
        if kind is Kind.DEAL:
            fields |= {"Name": draft.title or "Deal", "StageName": "Prospecting", "CloseDate": "2026-12-31"}
            fields["Amount"] = None if draft.amount is None else float(draft.amount)
        else:
            fields |= {"LastName": "Person", "Email": draft.email}
        if kind is Kind.LEAD:
            fields["Company"] = draft.title or "Company"
        if kind is Kind.CONTACT and draft.title:
            fields["AccountId"] = self.local.create("Account", {"Name": draft.title})
        return Ref(self.connection, kind, self.local.create(OBJECTS[kind], fields))

    def import_at_once(self, kind: Kind, drafts: Sequence[Draft]) -> Sequence[Ref]:
        return [self.create(kind, draft) for draft in drafts]

    def _update(self, ref: Ref, **fields: object) -> None:
        self.local.update(OBJECTS[ref.kind], ref.id, fields)

    def edit(self, ref: Ref, code: str) -> None:
        self._update(ref, **{self._code_field: code})

    def write(self, ref: Ref, field: FieldSpec, value: str | None) -> None:
        number = field.type in (FieldType.NUMBER, FieldType.MONEY)
        self._update(ref, **{crm_name(field): float(value) if number and value else value})

    def win(self, deal: Ref) -> None:
        self._update(deal, StageName="Closed Won")

    def delete(self, ref: Ref) -> None:
        self.local.delete(OBJECTS[ref.kind], ref.id)

    def convert(self, lead: Ref) -> Sequence[Ref]:
        became = self.local.convert_lead(lead.id)
        assert became.opportunity
        return [
            Ref(self.connection, Kind.CONTACT, became.contact),
            Ref(self.connection, Kind.DEAL, became.opportunity),
        ]

    def merge(self, loser: Ref, survivor: Ref) -> Ref:
        self.local.merge(OBJECTS[loser.kind], survivor.id, loser.id)
        return survivor

    def hand_over(self, ref: Ref, name: str) -> str:
        username = f"{name.replace(' ', '.')}@acme.example"
        owner = self.local.create("User", {"LastName": name, "Username": username, "Email": username})
        self._update(ref, OwnerId=owner)
        return owner

    def associate(self, deal: Ref, person: Ref) -> None:
        self.local.create("OpportunityContactRole", {"OpportunityId": deal.id, "ContactId": person.id})

    def dissociate(self, deal: Ref, person: Ref) -> None:
        for role in self.local.rows("OpportunityContactRole"):
            if (role["OpportunityId"], role["ContactId"], role["IsDeleted"]) == (deal.id, person.id, False):
                self.local.delete("OpportunityContactRole", str(role["Id"]))

    def stand(self, deal: Ref, person: Ref, *words: str) -> None:
        for word in words:
            role = {"OpportunityId": deal.id, "ContactId": person.id, "Role": word}
            self.local.create("OpportunityContactRole", role)

    def remember(self) -> None:
        for name in OBJECTS.values():
            self.local.track_history(name, self._code_field, "Ref_Code__c")

    def _row(self, ref: Ref) -> dict[str, object]:
        row = self.local.get(OBJECTS[ref.kind], ref.id)
        assert row is not None
        return row

    def stored(self, ref: Ref, field: FieldSpec) -> str | None:
        return canonical(field.type, self._row(ref)[crm_name(field)])

    def facts(self, ref: Ref) -> Mapping[str, str]:
        stamps = {"SystemModstamp", "LastModifiedDate", "LastModifiedById"}
        row = self._row(ref)
        return {name: str(value) for name, value in row.items() if name not in stamps and not name.endswith("__c")}

    def writes(self, ref: Ref) -> Sequence[frozenset[str]]:
        return [names for record, names in self._writes if record == ref.id]

    def has_field(self, kind: Kind, field: FieldSpec) -> bool:
        return crm_name(field).lower() in self.local._org.schema.named(OBJECTS[kind]).fields

    def drop_field(self, kind: Kind, field: FieldSpec) -> None:
        org = self.local._org
        custom = org.schema.named("CustomField", tooling=True)
        remove_field(org.records, next(org.store.where(custom, {"FullName": f"{OBJECTS[kind]}.{crm_name(field)}"})))

    def poison(self, ref: Ref) -> None:
        self.local.refuse_next(ref.id, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not on a Sunday.", times=1000)

    def break_next_write(self, *, done: bool) -> None:
        self.local.fail_next(None, applied=done, when=is_write)

    def before_next_write(self, act: Callable[[], None]) -> None:
        self.local.faults.add(faults.meanwhile(act), when=is_write)

    def garble_reads(self, *, on: bool) -> None:
        self.local.faults.clear()
        if on:
            self.local.fail_next(200, body=b'{"totalSize": 3', when=is_read, times=10**6)


def is_write(asked: Asked) -> bool:
    """An update, alone or within a composite call."""
    return asked.method == "PATCH" or b'"PATCH"' in asked.body


def is_read(asked: Asked) -> bool:
    """Whatever reads records, alone or within a composite call."""
    return "/query" in asked.path or "/composite" in asked.path


def refuse_next(local: LocalSalesforce, status: int, code: str, message: str = "", **where: Unpack[Where]) -> None:
    """The next matching request is answered with an error of the API's."""
    local.faults.add(troubles.fault(ApiError(status, code, message or code)), **where)


def inside(local: LocalSalesforce) -> Any:
    """The org's own application, within the layers that meter it and break it."""
    return local.app._inner  # type: ignore[attr-defined]  # tests may look inside
