"""A CRM in memory, for tests of whatever stands above the connectors: fast, exact, with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from refloop.connectors.base import Connector
from refloop.mapping.money import Won
from refloop.model import NO_CURRENCY, FieldSpec, Kind, Outcome, Owner, Record, Ref, Relation, canonical
from refloop.testing.memory_api import START, TOKEN, MemoryApi, Row
from refloop.testing.memory_connector import MemoryConnector, RecallingConnector, RememberingConnector
from refloop.testing.world import Draft, World

__all__ = ["MemoryConnector", "MemoryCrm", "RecallingConnector", "RememberingConnector"]

CODE_FIELD = "code"


class MemoryCrm(MemoryApi, World):
    """Leads, contacts and deals in a dictionary. Its clock stands still until `pass_time`.

    `connector_class` makes the connectors: give another one to test it against the contract. Ids are six digits
    that count up; the field that may carry a code is called `code`.
    """

    look_back = timedelta(minutes=5)
    roles = True
    secrets = (TOKEN,)

    def __init__(
        self,
        connection: str = "crm",
        *,
        now: datetime = START,
        connector_class: Callable[[MemoryApi, str], Connector] = MemoryConnector,
    ) -> None:
        super().__init__(connection, now=now)
        self._connector_class = connector_class
        self._last_id = 0

    def connector(self) -> Connector:
        return self._connector_class(self, TOKEN)

    def stranger(self) -> Connector:
        return self._connector_class(self, "expired")

    def pass_time(self, by: timedelta) -> None:
        self.now += by

    def create(self, kind: Kind, draft: Draft) -> Ref:
        self._last_id += 1
        ref = Ref(self.connection, kind, f"{self._last_id:06d}")
        is_deal = kind is Kind.DEAL
        record = Record(
            ref,
            self.now,
            self.now,
            email=draft.email,
            title=draft.title,
            texts={CODE_FIELD: draft.code} if draft.code else {},
            stage="open",
            outcome=Outcome.OPEN if is_deal else None,
            amount=draft.amount,
            currency="USD" if draft.amount is not None else None,
        )
        self._rows[ref] = Row(record, texts=[(self.now, record.texts)])
        return ref

    def import_at_once(self, kind: Kind, drafts: Sequence[Draft]) -> Sequence[Ref]:
        return [self.create(kind, draft) for draft in drafts]

    def edit(self, ref: Ref, code: str) -> None:
        self._update(ref, texts={CODE_FIELD: code} if code else {})

    def write(self, ref: Ref, field: FieldSpec, value: str | None) -> None:
        self._put(self._rows[ref], {field.name: canonical(field.type, value)})
        self._update(ref)

    def price(self, deal: Ref, amount: Won) -> None:
        """Gives a deal an amount in a currency, and what this CRM converts it to."""
        self._update(
            deal,
            amount=amount.amount,
            currency=None if amount.currency == NO_CURRENCY else amount.currency,
            home_amount=amount.home_amount,
            home_currency=amount.home_currency,
        )

    def win(self, deal: Ref) -> None:
        self._update(deal, stage="won", outcome=Outcome.WON, closed_at=self.now)

    def delete(self, ref: Ref) -> None:
        self._update(ref, deleted=True)

    def convert(self, lead: Ref) -> Sequence[Ref]:
        was = self._rows[lead].record
        draft = Draft(email=was.email, title=was.title, code=was.texts.get(CODE_FIELD))
        contact, deal = self.create(Kind.CONTACT, draft), self.create(Kind.DEAL, Draft(title=was.title))
        for target in (contact, deal):
            self._link(lead, Relation.CONVERTED_TO, target)
        self._link(deal, Relation.ASSOCIATED_WITH, contact)
        self._update(lead, stage="converted")
        return contact, deal

    def link_conversion(self, lead: Ref, contact: Ref) -> None:
        """Converts a lead into a contact that was there before."""
        self._link(lead, Relation.CONVERTED_TO, contact)
        self._update(lead, stage="converted")

    def merge(self, loser: Ref, survivor: Ref) -> Ref:
        self.delete(loser)
        self._link(loser, Relation.MERGED_INTO, survivor)
        self._update(survivor)
        return survivor

    def hand_over(self, ref: Ref, name: str) -> str:
        owner = Owner(f"user of {name}", name)
        self._update(ref, owner=owner)
        return owner.id

    def associate(self, deal: Ref, person: Ref) -> None:
        self._link(deal, Relation.ASSOCIATED_WITH, person)
        self._update(deal)

    def stand(self, deal: Ref, person: Ref, *words: str) -> None:
        """Makes a person a part of a deal, with words for what they are to it."""
        self._link(deal, Relation.ASSOCIATED_WITH, person, tuple(sorted(words)))
        self._update(deal)

    def fill(self, ref: Ref, **facts: object) -> None:
        """Fills in more of a record, by the names of `Record`."""
        self._update(ref, **facts)

    def dissociate(self, deal: Ref, person: Ref) -> None:
        del self._links[deal, Relation.ASSOCIATED_WITH, person]
        self._update(deal)

    def stored(self, ref: Ref, field: FieldSpec) -> str | None:
        return self._rows[ref].own.get(field.name)

    def facts(self, ref: Ref) -> Mapping[str, str]:
        record = self._rows[ref].record
        names = ("created_at", "email", "title", "texts", "stage", "outcome", "amount", "closed_at", "deleted")
        return {name: str(getattr(record, name)) for name in names}

    def writes(self, ref: Ref) -> Sequence[frozenset[str]]:
        return self._rows[ref].writes

    def has_field(self, kind: Kind, field: FieldSpec) -> bool:
        return (kind, field.name) in self._schema

    def drop_field(self, kind: Kind, field: FieldSpec) -> None:
        del self._schema[kind, field.name]
        for row in self._rows.values():
            if row.record.ref.kind is kind:
                row.own.pop(field.name, None)

    def poison(self, ref: Ref) -> None:
        self._rows[ref].poisoned = True

    def break_next_write(self, *, done: bool) -> None:
        self._broken.append(done)

    def before_next_write(self, act: Callable[[], None]) -> None:
        self._meanwhile.append(act)

    def garble_reads(self, *, on: bool) -> None:
        self._garbled = on
