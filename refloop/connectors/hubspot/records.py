"""A row of HubSpot's answer -> a record and its links. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.layout import SHIPPED, Layout, Stages
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
from refloop.model import Stage as PersonStage

_FACTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACT: (
        "email",
        "hs_additional_emails",
        "firstname",
        "lastname",
        "company",
        "associatedcompanyid",
        "hubspot_owner_id",
        "lifecyclestage",
        "hs_lead_status",
        "hs_merged_object_ids",
        "hs_calculated_merged_vids",
        "hs_all_contact_vids",
    ),
    Kind.DEAL: (
        "dealname",
        "hs_primary_associated_company",
        "hubspot_owner_id",
        "pipeline",
        "dealstage",
        "dealtype",
        "amount",
        "deal_currency_code",
        "amount_in_home_currency",
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
LABEL = " (label)"
"""Ends the name under which is told what people read in a field with codes that is a list to choose from."""
_EPOCH_MS = re.compile(r"-?[0-9]{6,}")
_SALESFORCE_ID = re.compile(r"[A-Za-z0-9]{15}([A-Z0-5]{3})?")
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class AccountFacts(Protocol):
    """What an account says about itself: each is asked for only when a record needs it."""

    def stages(self) -> Stages: ...

    def currency(self) -> str | None:
        """For amounts whose deal names none; None when the account has no currency of three letters."""
        ...

    def home_currency(self) -> str | None:
        """The account's own, in which it gives `amount_in_home_currency`."""
        ...

    def owner_name(self, owner: str) -> str:
        """The name of the user who has that owner id; "" where it is not to be known."""
        ...

    def label(self, kind: Kind, name: str, value: str) -> str | None:
        """What people read where a property holds a value; None where it has no such option."""
        ...

    def has_labels(self) -> bool:
        """Whether a contact of a deal may have labels; so too where the account does not say."""
        ...

    def layout(self) -> Layout:
        """Which properties are read beside the usual ones."""
        ...

    def assume(self, layout: Layout | None) -> None:
        """Takes over what an earlier pull found, so that it need not be asked for; None: it is asked for anew."""
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
        entered = self.account.layout().entered.get(kind, {}).values()
        return tuple(dict.fromkeys((*_FACTS[kind], *mirrors, *entered, *self.code_fields(kind), *ours)))

    def fields_of(self, kind: Kind) -> Iterator[FieldSpec]:
        return (field for field in self.fields if kind in field.kinds)

    def code_fields(self, kind: Kind) -> tuple[str, ...]:
        return self.settings.code_fields.deal if kind is Kind.DEAL else self.settings.code_fields.contact

    def record(self, kind: Kind, row: Row) -> Record:
        return self._deal(row) if kind is Kind.DEAL else self._person(row)

    def texts(self, kind: Kind, held: Mapping[str, str | None]) -> dict[str, str]:
        """The fields that may carry a code, as they are; of a list to choose from also what people read of it."""
        texts = {name: text for name in self.code_fields(kind) if (text := held.get(name))}
        choices = self.account.layout().choices.get(kind, ()) if texts else ()
        labels = {name + LABEL: self._labels(kind, name, texts[name]) for name in choices if name in texts}
        return texts | {name: label for name, label in labels.items() if label}

    def _labels(self, kind: Kind, name: str, value: str) -> str:
        """The labels of one or several chosen values (`a;b`), but for those that say the same."""
        chosen = [one for one in value.split(";") if one]
        labels = [(one, self.account.label(kind, name, one)) for one in chosen]
        return "; ".join(label for one, label in labels if label and label.casefold() != one.casefold())

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

    def _person(self, row: Row) -> Record:
        said = row.properties.get
        stages = [*self._stages_of(row, "hs_lead_status"), *self._stages_of(row, "lifecyclestage")]
        first = stages[0] if stages else None
        return Record(
            ref=Ref(self.connection, Kind.CONTACT, row.id),
            created_at=row.created,
            modified_at=row.updated,
            email=said("email") or None,
            emails=tuple(filter(None, (said("hs_additional_emails") or "").split(";"))),
            name=" ".join(filter(None, (said("firstname"), said("lastname")))) or None,
            title=said("company") or None,
            account=said("associatedcompanyid") or None,
            stage=first.word if first else None,
            stage_at=first.at if first else None,
            further_stages=tuple(stages[1:]),
            texts=self.texts(Kind.CONTACT, row.properties),
            found=found_values(row, self.fields_of(Kind.CONTACT)),
            deleted=row.archived,
            owner=self._owner(row),
        )

    def _stages_of(self, row: Row, name: str) -> Iterator[PersonStage]:
        """Where a person stands by one property: HubSpot's own word; of a stage of the account's own making what people
        read, and then its id, by which the company may know it too."""
        value = row.properties.get(name)
        if not value:
            return
        at = self._entered(Kind.CONTACT, row, value) if name == "lifecyclestage" else None
        label = None if value in SHIPPED else self.account.label(Kind.CONTACT, name, value)
        yield PersonStage(label or value, at)
        if label and label.casefold() != value.casefold():
            yield PersonStage(value, at)

    def _entered(self, kind: Kind, row: Row, stage: str) -> datetime | None:
        name = self.account.layout().entered.get(kind, {}).get(stage)
        return _moment(row.properties.get(name)) if name else None

    def _deal(self, row: Row) -> Record:
        said = row.properties.get
        key = (said("pipeline") or "", said("dealstage") or "")
        stage = self.account.stages().get(key) if key[1] else None
        outcome = stage.outcome if stage and stage.outcome else _outcome_by_flags(row)
        ended = outcome in (Outcome.WON, Outcome.LOST)
        entered = self._entered(Kind.DEAL, row, key[1]) if ended else None
        kind = said("dealtype")
        amount = _amount(said("amount"))
        home = _amount(said("amount_in_home_currency")) if said("deal_currency_code") else None
        return Record(
            ref=Ref(self.connection, Kind.DEAL, row.id),
            created_at=row.created,
            modified_at=row.updated,
            title=said("dealname") or None,
            account=said("hs_primary_associated_company") or None,
            stage=stage.label if stage else key[1] or None,
            stage_at=entered,
            outcome=outcome,
            amount=amount,
            currency=None if amount is None else self._currency(row),
            closed_at=_closed_at(row, outcome, entered) if ended else None,
            pipeline=(stage.pipeline if stage else "") or key[0] or None,
            deal_type=(self.account.label(Kind.DEAL, "dealtype", kind) or kind) if kind else None,
            home_amount=home,
            home_currency=None if home is None else self.account.home_currency(),
            texts=self.texts(Kind.DEAL, row.properties),
            found=found_values(row, self.fields_of(Kind.DEAL)),
            deleted=row.archived,
            owner=self._owner(row),
        )

    def _currency(self, row: Row) -> str:
        code = (row.properties.get("deal_currency_code") or "").upper()
        return code if _CURRENCY.fullmatch(code) else self.account.currency() or NO_CURRENCY


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
    texts = (_whole_parts(text) for name in names if (text := row.properties.get(name)))
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


def _outcome_by_flags(row: Row) -> Outcome | None:
    """By HubSpot's own verdict on the deal, where the stage is unknown (deleted, or of another pipeline)."""
    closed = row.properties.get("hs_is_closed")
    if row.properties.get("hs_is_closed_won") == "true":
        return Outcome.WON
    return {"true": Outcome.LOST, "false": Outcome.OPEN}.get(closed or "")


def _closed_at(row: Row, outcome: Outcome | None, entered: datetime | None) -> datetime | None:
    """When a won or lost deal ended; never after its last save.

    `closedate` is an instant, prefilled and editable: for a won deal HubSpot's own date comes first. One that was yet
    to come is when somebody expected the deal to close: then it ended when it entered its stage, whatever was saved
    since, our own writes among it; where that is not kept, at its last save.
    """
    names = ("hs_closed_won_date", "closedate") if outcome is Outcome.WON else ("closedate",)
    said = [moment for name in names if (moment := _moment(row.properties.get(name)))]
    if entered is not None:
        return min([*said[:1], entered, row.updated])
    return next((moment for moment in said if moment <= row.updated), row.updated) if said else None


def _moment(text: str | None) -> datetime | None:
    try:
        return parse_time(text) if text else None
    except (ValueError, OverflowError):
        return None


def _amount(text: str | None) -> Decimal | None:
    try:
        plain = canonical(FieldType.MONEY, text)
    except ValueError:
        return None
    return None if plain is None else Decimal(plain)
