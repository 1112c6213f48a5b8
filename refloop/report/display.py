"""How a value is shown to people: money with its currency, days in their zone, fields by their label. No value is shown
as a program writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import partial

from refloop.mapping.days import zone_named
from refloop.mapping.fields import day
from refloop.mapping.money import money_phrase
from refloop.model import NO_CURRENCY, FieldSpec, FieldType, Ref, parse_time
from refloop.sync.context import zones_of
from refloop.sync.find import address_of
from refloop.sync.session import Session

EMPTY = "(empty)"


@dataclass(frozen=True, slots=True)
class Display:
    """What is known for showing: our fields by name, the zone of each connection's people and that of the company, the
    address under which people see a record (None where there is none)."""

    fields: Mapping[str, FieldSpec] = field(default_factory=dict)
    zones: Mapping[str, tzinfo] = field(default_factory=dict)
    company_zone: tzinfo = UTC
    address_of: Callable[[Ref], str | None] = lambda _ref: None

    def zone(self, connection: str | None) -> tzinfo:
        """The zone in which a connection's people read days; the company's where none is meant, or nobody said."""
        return self.zones.get(connection or "", self.company_zone)

    def time(self, moment: datetime, connection: str | None = None) -> str:
        """`12 Mar 2026 13:05`, where they are."""
        try:
            there = moment.astimezone(self.zone(connection))
        except OverflowError:  # at the edge of the calendar a zone has no room
            there = moment.astimezone(UTC)
        return f"{day(there.date())} {there:%H:%M}"

    def zone_name(self, connection: str | None) -> str:
        """The name of that zone."""
        return str(self.zone(connection))

    def field(self, name: str) -> str:
        """A field by its label and its name; one that is not ours by its name alone."""
        spec = self.fields.get(name)
        return f"{spec.label} ({name})" if spec else name

    def label(self, name: str) -> str:
        """A field by its label."""
        spec = self.fields.get(name)
        return spec.label if spec else name

    def value(self, name: str, value: str | None, connection: str | None = None) -> str:
        """What a field of ours holds, canonical, as people write it; that of another field as it is."""
        if value is None or value == "":
            return EMPTY
        spec = self.fields.get(name)
        if spec is None:
            return value
        try:
            return self._of(spec, value, connection)
        except (ValueError, InvalidOperation):  # a person wrote there, or the field is of another type by now
            return value

    def _of(self, spec: FieldSpec, value: str, connection: str | None) -> str:
        if spec.type is FieldType.TIME:
            return self.time(parse_time(value), connection)
        if spec.type in (FieldType.MONEY, FieldType.NUMBER):
            return f"{Decimal(value):,f}"
        return dict(spec.choices).get(value, value)


def display_of(work: Session) -> Display:
    """How a session's values are shown: by the fields, zones and addresses of its configuration."""
    context = work.context()
    return Display(
        fields=work.policy.plan.specs,
        zones={name: zone_named(zone) for name, zone in zones_of(work.ledger, work.policy).items()},
        company_zone=context.company_zone,
        address_of=partial(address_of, work),
    )


def percent(share: Decimal) -> str:
    """A share of one, as a percentage: `50 %`, `33.3 %`."""
    tenths = (share * 100).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"{tenths.normalize():f} %"


def money(amount: Decimal | None, currency: str | None) -> str:
    """`1,200.50 USD`; "no amount" where there is none."""
    return "no amount" if amount is None else money_phrase(amount, currency or NO_CURRENCY)
