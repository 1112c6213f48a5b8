"""Rows -> records and links. Pure. A row that makes no sense raises ValueError naming the field, not its value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache, partial
from types import MappingProxyType
from typing import TypeVar

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.fields import PERSON, ROLE_NAME
from refloop.connectors.salesforce.ids import id_of, record_id
from refloop.connectors.salesforce.names import OBJECTS, crm_name
from refloop.connectors.salesforce.rates import NO_RATES, Rates
from refloop.connectors.salesforce.settings import SalesforceSettings
from refloop.connectors.salesforce.values import amount, from_crm, moment, text_or_none
from refloop.connectors.salesforce.values import day as day_of
from refloop.mapping.days import day_begins
from refloop.model import (
    NO_CURRENCY,
    FieldSpec,
    FieldType,
    Kind,
    Link,
    Outcome,
    OutOfBounds,
    Owner,
    Record,
    Ref,
    Relation,
    canonical,
)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the rows of one connection, for one set of our fields."""

    connection: str
    settings: SalesforceSettings
    fields: Sequence[FieldSpec]
    zone: tzinfo | None = None
    """Where the org's people read days; None while no row needed it."""
    rates: Rates = NO_RATES
    """What the org's currencies are worth, as far as rows needed it."""

    def record(self, kind: Kind, row: Row) -> Record:
        """The record that a row shows."""
        saved = saved_at(row)
        entered = self._stage_at(kind, row, saved)
        outcome = _outcome(row) if kind is Kind.DEAL else None
        money = _get(row, "Amount", amount) if kind is Kind.DEAL else None
        currency = self._currency(row) if money is not None else None
        home = self._home(row, money, currency) if money is not None and currency else None
        return Record(
            ref=self._ref(kind, row),
            created_at=_need(row, "CreatedDate", moment),
            modified_at=saved,
            email=_get(row, "Email", text_or_none),
            title=_title(kind, row),
            texts=self._texts(kind, row),
            found=found(row, [field for field in self.fields if kind in field.kinds]),
            stage=_get(row, _STAGE[kind], text_or_none) if kind in _STAGE else None,
            outcome=outcome,
            amount=money,
            currency=currency,
            closed_at=self._closed_at(row, entered, saved) if outcome in (Outcome.WON, Outcome.LOST) else None,
            deleted=_get(row, "IsDeleted", _flag) is True,
            owner=_owner(row),
            emails=self._emails(kind, row),
            name=_get(row, "Name", text_or_none) if kind is not Kind.DEAL else None,
            account=_get(row, _ACCOUNT[kind], _id_or_none),
            stage_at=entered,
            pipeline=_of_parent(row, "RecordType", "Name") if kind is Kind.DEAL else None,
            deal_type=_get(row, "Type", text_or_none) if kind is Kind.DEAL else None,
            home_amount=home,
            home_currency=self.rates.home if home is not None else None,
            lost_reason=self._lost_reason(row) if outcome is Outcome.LOST else None,
        )

    def links(self, kind: Kind, row: Row) -> Iterator[Link]:
        """The edges that a row itself shows: conversion of a lead, merge of a lead or contact, the person that a deal's
        account is."""
        source = self._ref(kind, row)
        for field, relation, target in _LINKS[kind]:
            if other := _get(row, field, _id_or_none):
                yield Link(source, relation, Ref(self.connection, target, other))
        if kind is Kind.DEAL and "Account" in row:
            yield self._person(source, row)

    def _person(self, deal: Ref, row: Row) -> Link:
        """A deal has one account: the deal's own id is the key of the edge, which is gone where that is no person (and
        its end then means nothing)."""
        person = _of_parent(row, "Account", PERSON)
        target = Ref(self.connection, Kind.CONTACT, record_id(person) if person else deal.id)
        return Link(deal, Relation.ASSOCIATED_WITH, target, key=deal.id, gone=person is None)

    def role(self, row: Row) -> Iterator[Link]:
        """The edge that an OpportunityContactRole is; none while it names no contact."""
        deal, contact = _need(row, "OpportunityId", record_id), _get(row, "ContactId", _id_or_none)
        label = _get(row, ROLE_NAME, text_or_none)
        if contact:
            yield Link(
                source=Ref(self.connection, Kind.DEAL, deal),
                relation=Relation.ASSOCIATED_WITH,
                target=Ref(self.connection, Kind.CONTACT, contact),
                key=_need(row, "Id", record_id),
                gone=_get(row, "IsDeleted", _flag) is True,
                labels=(label,) if label else (),
            )

    def lost_role(self, role: str) -> Link:
        """The end of an edge of which nothing is known but its key."""
        deal, contact = (Ref(self.connection, kind, role) for kind in (Kind.DEAL, Kind.CONTACT))
        return Link(deal, Relation.ASSOCIATED_WITH, contact, key=role, gone=True)

    def _ref(self, kind: Kind, row: Row) -> Ref:
        return Ref(self.connection, kind, _need(row, "Id", partial(id_of, OBJECTS[kind])))

    def _texts(self, kind: Kind, row: Row) -> Mapping[str, str]:
        names = {name.casefold() for name in self.settings.fields_with_codes(kind)}
        texts = {name: _get(row, name, _as_text) for name in row if name.casefold() in names}
        return MappingProxyType({name: text for name, text in texts.items() if text})

    def _emails(self, kind: Kind, row: Row) -> tuple[str, ...]:
        names = {name.casefold() for name in self.settings.fields_with_emails(kind)}
        if not names:
            return ()
        return tuple(text for name in row if name.casefold() in names and (text := _get(row, name, text_or_none)))

    def _lost_reason(self, row: Row) -> str | None:
        name = (self.settings.lost_reason or "").casefold()
        return next((_get(row, field, _as_text) for field in row if field.casefold() == name), None)

    def _stage_at(self, kind: Kind, row: Row, saved: datetime) -> datetime | None:
        """When a deal entered its stage; when a lead was converted, which is the last stage of a lead."""
        if kind is Kind.DEAL:
            return _get(row, "LastStageChangeDate", moment)
        day = _get(row, "ConvertedDate", day_of) if kind is Kind.LEAD else None
        return min(day_begins(self.zone or UTC, day), saved) if day else None

    def _closed_at(self, row: Row, changed: datetime | None, saved: datetime) -> datetime | None:
        """When a closed deal, whose stage last changed then, was closed: never later than it was saved.

        Its CloseDate is the day for which the business counts it, and Salesforce sets that to today where a deal is won
        early; the day of the last stage change moves with every correction. But today is that of UTC (Salesforce
        knowledge article 004517774): in the evening of the Americas it is tomorrow. And a deal that stands as closed in
        the books for a day that was yet to come was closed when its stage last changed, whatever was saved since."""
        day = _get(row, "CloseDate", day_of)
        if day is None:
            return min(changed, saved) if changed else None
        begins = day_begins(self.zone or UTC, day)
        return min(begins, changed or saved, saved)

    def _currency(self, row: Row) -> str:
        return _get(row, "CurrencyIsoCode", text_or_none) or self.settings.currency or NO_CURRENCY

    def _home(self, row: Row, money: Decimal, currency: str) -> Decimal | None:
        return self.rates.converted(money, currency, _get(row, "CloseDate", day_of)) if self.rates.home else None


_STAGE: Mapping[Kind, str] = MappingProxyType({Kind.LEAD: "Status", Kind.DEAL: "StageName"})

_ACCOUNT: Mapping[Kind, str] = MappingProxyType(
    {Kind.LEAD: "ConvertedAccountId", Kind.CONTACT: "AccountId", Kind.DEAL: "AccountId"}
)

_LINKS: Mapping[Kind, Sequence[tuple[str, Relation, Kind]]] = MappingProxyType(
    {
        Kind.LEAD: (
            ("ConvertedContactId", Relation.CONVERTED_TO, Kind.CONTACT),
            ("ConvertedOpportunityId", Relation.CONVERTED_TO, Kind.DEAL),
            ("MasterRecordId", Relation.MERGED_INTO, Kind.LEAD),
        ),
        Kind.CONTACT: (("MasterRecordId", Relation.MERGED_INTO, Kind.CONTACT),),
        Kind.DEAL: (),
    }
)


def found(row: Row, fields: Sequence[FieldSpec]) -> Mapping[str, str]:
    """What our fields hold, by our names, canonical, empty ones left out."""
    texts = {field.name: held(row, field) for field in fields}
    return MappingProxyType({name: text for name, text in texts.items() if text is not None})


def held(row: Row, field: FieldSpec) -> str | None:
    """What one field of ours holds, canonical."""
    return _get(row, crm_name(field), lambda value: from_crm(field.type, value))


def saved_at(row: Row) -> datetime:
    """When the record was last saved, by whomever."""
    return _need(row, "SystemModstamp", moment)


def _outcome(row: Row) -> Outcome | None:
    closed, won = _get(row, "IsClosed", _flag), _get(row, "IsWon", _flag)
    if won:
        return Outcome.WON
    if closed is None or won is None:
        return None
    return Outcome.LOST if closed else Outcome.OPEN


def has_day(row: Row) -> bool:
    """Whether reading the row takes the zone in which its people read days."""
    return (row.get("IsClosed") is True and row.get("CloseDate") is not None) or row.get("ConvertedDate") is not None


def currency_of(row: Row) -> str | None:
    """The currency that a deal's row names of its amount, if it names one: in an org with several."""
    currency = row.get("CurrencyIsoCode")
    return currency if isinstance(currency, str) and currency and row.get("Amount") is not None else None


def _owner(row: Row) -> Owner | None:
    name = _of_parent(row, "Owner", "Name")
    return _get(row, "OwnerId", lambda owner: _named_owner(owner, name or ""))


@lru_cache(maxsize=4096)
def _named_owner(owner: object, name: str) -> Owner | None:
    """A few people own all records: each is checked once, and kept once. Raises ValueError for what is no id."""
    return Owner(record_id(owner), name) if owner else None


def _title(kind: Kind, row: Row) -> str | None:
    if kind is Kind.LEAD:
        return _get(row, "Company", text_or_none)
    if kind is Kind.DEAL:
        return _get(row, "Name", text_or_none)
    return _of_parent(row, "Account", "Name")


def _of_parent(row: Row, parent: str, field: str) -> str | None:
    """What a record that the row points at holds in a text field."""
    shown = row.get(parent)
    return _get(shown, field, text_or_none) if isinstance(shown, dict) else None


def _get(row: Row, field: str, read: Callable[[object], Value]) -> Value | None:
    value = row.get(field)
    if value is None:
        return None
    try:
        return read(value)
    except OutOfBounds:
        return None  # no reason to refuse a page: nothing can be decided from it
    except ValueError as error:
        raise ValueError(f"{field} is wrong: {_without_value(error)}") from None


def _need(row: Row, field: str, read: Callable[[object], Value]) -> Value:
    value = _get(row, field, read)
    if value is None:
        raise ValueError(f"{field} is missing")
    return value


def _without_value(error: ValueError) -> str:
    """The parsers of the standard library repeat what they could not read; it may be about a person."""
    return str(error).partition(":")[0]


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("not true or false")
    return value


def _id_or_none(value: object) -> str | None:
    return record_id(value) if value else None


def _as_text(value: object) -> str | None:
    """Codes sit in text, picklist and number fields alike. A whole number is its digits, whether a query (JSON) or a
    Bulk job (CSV, where all is text) brought it: 12345, and not `12345.0` or `1.2345E4`."""
    if isinstance(value, dict | list | bool):
        raise ValueError("not a text")
    if isinstance(value, Decimal) or _WHOLE_NUMBER.fullmatch(text := str(value)):
        try:
            return canonical(FieldType.NUMBER, value)
        except OutOfBounds:
            return str(value)
    return text or None


_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.0{1,2}|-?[1-9]\.[0-9]{1,17}E[0-9]{1,2}")
"""As Java writes doubles, and so Salesforce."""
