"""A row of HubSpot's answer -> a record and its links. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.names import is_record_id
from refloop.connectors.hubspot.settings import HubSpotSettings
from refloop.model import (
    NO_CURRENCY,
    FieldSpec,
    FieldType,
    Kind,
    Link,
    Outcome,
    Owner,
    Record,
    Ref,
    Relation,
    canonical,
    parse_time,
)

_FACTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACT: (
        "email",
        "company",
        "hubspot_owner_id",
        "lifecyclestage",
        "hs_lead_status",
        "hs_merged_object_ids",
        "hs_calculated_merged_vids",
        "hs_all_contact_vids",
    ),
    Kind.DEAL: (
        "dealname",
        "hubspot_owner_id",
        "pipeline",
        "dealstage",
        "amount",
        "deal_currency_code",
        "closedate",
        "hs_closed_won_date",
        "hs_is_closed",
        "hs_is_closed_won",
        "hs_merged_object_ids",
    ),
}
MIRRORS: Mapping[Kind, Mapping[str, tuple[Relation, Kind]]] = {
    Kind.CONTACT: {
        "salesforcecontactid": (Relation.SAME_PERSON, Kind.CONTACT),
        "salesforceleadid": (Relation.SAME_PERSON, Kind.LEAD),
    },
    Kind.DEAL: {"hs_salesforceopportunityid": (Relation.SAME_DEAL, Kind.DEAL)},
}
"""Properties that exist where HubSpot's own Salesforce integration is installed."""

MOST_MERGED = 1_000
"""So many of the records that were merged into one are kept: HubSpot itself ends at 250 (its docs, "Merge records"),
and old accounts hold a few that went beyond."""
_LONGEST_PROPERTY = 65_536
"""Characters (HubSpot docs, properties)."""

_CURRENCY = re.compile(r"[A-Z]{3}")
_EPOCH_MS = re.compile(r"-?[0-9]{6,}")
_SALESFORCE_ID = re.compile(r"[A-Za-z0-9]{15}([A-Z0-5]{3})?")
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a deal pipeline. `outcome` is None when the account does not say whether it closes a deal."""

    label: str
    outcome: Outcome | None


Stages = Mapping[tuple[str, str], Stage]
"""By the ids of pipeline and stage."""


class AccountFacts(Protocol):
    """What an account says about itself: each is asked for only when a record needs it."""

    def stages(self) -> Stages: ...

    def currency(self) -> str | None:
        """For amounts whose deal names none; None when the account has no currency of three letters."""
        ...

    def owner_name(self, owner: str) -> str:
        """The name of the user who has that owner id; "" where it is not to be known."""
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns rows of one account into records."""

    connection: str
    settings: HubSpotSettings
    fields: Sequence[FieldSpec]
    account: AccountFacts

    def properties(self, kind: Kind) -> tuple[str, ...]:
        """All that a read must ask for."""
        mirrors = MIRRORS[kind] if self.settings.mirror_of else ()
        ours = (field.name for field in self.fields_of(kind))
        return tuple(dict.fromkeys((*_FACTS[kind], *mirrors, *self.code_fields(kind), *ours)))

    def fields_of(self, kind: Kind) -> Iterator[FieldSpec]:
        return (field for field in self.fields if kind in field.kinds)

    def code_fields(self, kind: Kind) -> tuple[str, ...]:
        return self.settings.code_fields.deal if kind is Kind.DEAL else self.settings.code_fields.contact

    def record(self, kind: Kind, row: Row) -> Record:
        facts = self._deal(row) if kind is Kind.DEAL else _person(row)
        return Record(
            ref=Ref(self.connection, kind, row.id),
            created_at=row.created,
            modified_at=row.updated,
            email=facts.email,
            title=facts.title,
            texts={name: text for name in self.code_fields(kind) if (text := row.properties.get(name))},
            found=found_values(row, self.fields_of(kind)),
            stage=facts.stage,
            outcome=facts.outcome,
            amount=facts.amount,
            currency=facts.currency,
            closed_at=facts.closed_at,
            deleted=row.archived,
            owner=self._owner(row),
        )

    def links(self, kind: Kind, row: Row) -> Iterator[Link]:
        """What the record itself says about others: what was merged into it (of more than `MOST_MERGED` the newest, by
        their ids), and what it mirrors."""
        here = Ref(self.connection, kind, row.id)
        for loser in sorted(merged_ids(row) - {row.id}, key=int)[-MOST_MERGED:]:
            yield Link(Ref(self.connection, kind, loser), Relation.MERGED_INTO, here)
        if self.settings.mirror_of is None:
            return
        for name, (relation, other) in MIRRORS[kind].items():
            original = long_salesforce_id(row.properties.get(name) or "")
            if original is not None:
                yield Link(here, relation, Ref(self.settings.mirror_of, other, original))

    def _owner(self, row: Row) -> Owner | None:
        owner = row.properties.get("hubspot_owner_id")
        return Owner(owner, self.account.owner_name(owner)) if owner else None

    def _deal(self, row: Row) -> _Facts:
        said = row.properties.get
        key = (said("pipeline") or "", said("dealstage") or "")
        stage = self.account.stages().get(key) if key[1] else None
        outcome = stage.outcome if stage and stage.outcome else _outcome_by_flags(row)
        amount = _amount(said("amount"))
        return _Facts(
            title=said("dealname") or None,
            stage=stage.label if stage else key[1] or None,
            outcome=outcome,
            amount=amount,
            currency=None if amount is None else self._currency(row),
            closed_at=_closed_at(row, outcome),
        )

    def _currency(self, row: Row) -> str:
        code = (row.properties.get("deal_currency_code") or "").upper()
        return code if _CURRENCY.fullmatch(code) else self.account.currency() or NO_CURRENCY


@dataclass(frozen=True, slots=True)
class _Facts:
    title: str | None
    stage: str | None
    email: str | None = None
    outcome: Outcome | None = None
    amount: Decimal | None = None
    currency: str | None = None
    closed_at: datetime | None = None


def found_values(row: Row, fields: Iterable[FieldSpec]) -> dict[str, str]:
    """What our fields hold, by our names; canonical, empty ones left out."""
    said = row.properties.get
    held = ((field.name, canonical_value(field, text)) for field in fields if (text := said(field.name)))
    return {name: value for name, value in held if value is not None}


def canonical_value(field: FieldSpec, value: str | None) -> str | None:
    """A property's text in our one form. One that is not of the field's type stays as it is: a person's, not ours."""
    try:
        if field.type is FieldType.TIME and value and _EPOCH_MS.fullmatch(value):
            return canonical(field.type, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(value)))
        return canonical(field.type, value)
    except (ValueError, OverflowError):
        return value


def merged_ids(row: Row) -> set[str]:
    """The ids that were merged into this record ("id;id", and "id:ms;id:ms" on contacts). No more is read of a property
    than HubSpot can hold, so they are at most some tens of thousands."""
    names = ("hs_merged_object_ids", "hs_calculated_merged_vids", "hs_all_contact_vids")
    texts = (_whole_parts(row.properties.get(name) or "") for name in names)
    parts = (part.partition(":")[0].strip() for text in texts for part in text.split(";"))
    return {part for part in parts if is_record_id(part)}


def _whole_parts(text: str) -> str:
    """As much of a list as a property can hold, without a part that is cut: half an id is another record's."""
    return text if len(text) <= _LONGEST_PROPERTY else text[:_LONGEST_PROPERTY].rpartition(";")[0]


def long_salesforce_id(text: str) -> str | None:
    """The 18-character form of a Salesforce id of 15 or 18; None for anything else, a wrong checksum included."""
    if not _SALESFORCE_ID.fullmatch(text):
        return None
    checksum = "".join(
        _CHECKSUM[sum(1 << place for place, letter in enumerate(text[at : at + 5]) if "A" <= letter <= "Z")]
        for at in (0, 5, 10)
    )
    return text[:15] + checksum if text[15:] in ("", checksum) else None


def _person(row: Row) -> _Facts:
    said = row.properties.get
    return _Facts(
        title=said("company") or None,
        stage=said("hs_lead_status") or said("lifecyclestage") or None,
        email=said("email") or None,
    )


def _outcome_by_flags(row: Row) -> Outcome | None:
    """By HubSpot's own verdict on the deal, where the stage is unknown (deleted, or of another pipeline)."""
    closed = row.properties.get("hs_is_closed")
    if row.properties.get("hs_is_closed_won") == "true":
        return Outcome.WON
    return {"true": Outcome.LOST, "false": Outcome.OPEN}.get(closed or "")


def _closed_at(row: Row, outcome: Outcome | None) -> datetime | None:
    """`closedate` is prefilled and editable: for a won deal HubSpot's own date comes first."""
    names = {Outcome.WON: ("hs_closed_won_date", "closedate"), Outcome.LOST: ("closedate",)}
    for name in names.get(outcome, ()) if outcome else ():
        moment = _moment(row.properties.get(name))
        if moment is not None:
            return moment
    return None


def _moment(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _amount(text: str | None) -> Decimal | None:
    try:
        plain = canonical(FieldType.MONEY, text)
    except ValueError:
        return None
    return None if plain is None else Decimal(plain)
