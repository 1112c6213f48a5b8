"""A CRM seen from inside: what the people in it do, what it holds, and how it can fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from refloop.connectors.base import Connector
from refloop.model import FieldSpec, FieldType, Kind, Ref


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person fills in when she creates a record. `code` goes into a field that may carry a code.

    `email` is for leads and contacts, `amount` for deals; `title` is a deal's name or a person's company.
    """

    email: str | None = None
    title: str | None = None
    code: str | None = None
    amount: Decimal | None = None


class World(ABC):
    """The CRM under test. One per test, new and empty, none of our fields in it.

    The attributes say what this CRM has and how the connector under test is set up; keep `page_size` and
    `batch_size` small (3 or more), the contract creates a few times as many records.
    """

    connection: str = "crm"
    kinds: tuple[Kind, ...] = tuple(Kind)
    page_size: int = 5
    """How many records of one kind a page holds at most."""
    batch_size: int = 5
    """How many records one call writes at most."""
    look_back: timedelta = timedelta()
    """How far behind its cursor a pull looks again."""
    sweep: timedelta = timedelta()
    """How long it may take at most until deletes, merges and changed links are seen."""
    converts: bool = True
    merges: tuple[Kind, ...] = (Kind.LEAD, Kind.CONTACT)
    owners: bool = True
    """Whether somebody looks after a record in this CRM, and the CRM says who."""
    roles: bool = False
    """Whether the CRM has words for what people are to a deal (`stand`)."""
    overwrites_unseen: bool = False
    """Whether the connector goes over what a person writes between look and write, and nobody hears of it. Its
    documentation must say so."""
    secrets: tuple[str, ...] = ()
    """What no `repr` may show."""

    @abstractmethod
    def connector(self) -> Connector:
        """A new connector with good credentials, that knows nothing of earlier ones."""

    @abstractmethod
    def stranger(self) -> Connector:
        """A new connector whose credentials the CRM refuses."""

    @abstractmethod
    def pass_time(self, by: timedelta) -> None:
        """Moves the CRM's clock; back, when `by` is negative."""

    # what people do

    @abstractmethod
    def create(self, kind: Kind, draft: Draft) -> Ref:
        """Creates a record by hand."""

    @abstractmethod
    def import_at_once(self, kind: Kind, drafts: Sequence[Draft]) -> Sequence[Ref]:
        """Creates records that all have the same creation and modification time, to the last digit."""

    @abstractmethod
    def edit(self, ref: Ref, code: str) -> None:
        """Puts another text into the field that may carry a code."""

    @abstractmethod
    def write(self, ref: Ref, field: FieldSpec, value: str | None) -> None:
        """A person changes a field of ours by hand. `value` is canonical."""

    @abstractmethod
    def win(self, deal: Ref) -> None:
        """Moves a deal to a stage that is won."""

    @abstractmethod
    def delete(self, ref: Ref) -> None:
        """Deletes a record, as the CRM's own delete button does."""

    @abstractmethod
    def convert(self, lead: Ref) -> Sequence[Ref]:
        """Converts a lead; gives what became of it: a contact, and a deal where there is one."""

    @abstractmethod
    def merge(self, loser: Ref, survivor: Ref) -> Ref:
        """Merges two records; gives the one that remains, which may be a new one."""

    @abstractmethod
    def hand_over(self, ref: Ref, name: str) -> str:
        """Gives a record to somebody who is called so, a new user of the CRM; gives the id of the owner."""

    @abstractmethod
    def associate(self, deal: Ref, person: Ref) -> None:
        """Makes a person a part of a deal."""

    @abstractmethod
    def dissociate(self, deal: Ref, person: Ref) -> None:
        """Undoes `associate`."""

    def stand(self, deal: Ref, person: Ref, *words: str) -> None:
        """Makes a person a part of a deal, with words for what they are to it. Asked only of a CRM with `roles`."""
        raise NotImplementedError

    def remember(self) -> None:  # noqa: B027 - most CRMs keep it without being told
        """From now on the CRM keeps what the fields that may carry a code, and `ref_code`, held before. For a connector
        that declares `Histories`, where an administrator has to switch that on; our fields are there."""

    # what the CRM holds

    @abstractmethod
    def stored(self, ref: Ref, field: FieldSpec) -> str | None:
        """The canonical value of a field of ours."""

    @abstractmethod
    def facts(self, ref: Ref) -> Mapping[str, str]:
        """Everything a record holds that is not ours, except its modification time."""

    @abstractmethod
    def writes(self, ref: Ref) -> Sequence[frozenset[str]]:
        """The writes to this record that came in through the API and were done: our names of the fields in each."""

    @abstractmethod
    def has_field(self, kind: Kind, field: FieldSpec) -> bool:
        """Whether the field exists."""

    @abstractmethod
    def drop_field(self, kind: Kind, field: FieldSpec) -> None:
        """Somebody deletes a field of ours."""

    # how it fails

    @abstractmethod
    def poison(self, ref: Ref) -> None:
        """From now on the CRM refuses every API write to this record (a validation rule, say)."""

    @abstractmethod
    def break_next_write(self, *, done: bool) -> None:
        """The next API write of records ends with a broken connection, after (`done`) or before it took effect."""

    @abstractmethod
    def before_next_write(self, act: Callable[[], None]) -> None:
        """People do this right before the next API write of records takes effect, whatever was looked at before."""

    @abstractmethod
    def garble_reads(self, *, on: bool) -> None:
        """While on, the API's answers to reads of records are cut short or make no sense."""


def contract_fields(kinds: tuple[Kind, ...]) -> tuple[FieldSpec, ...]:
    """One field of ours of each type, on all `kinds`."""
    return (
        FieldSpec("ref_code", "Referral code", FieldType.TEXT, kinds),
        FieldSpec(
            "ref_status",
            "Referral status",
            FieldType.CHOICE,
            kinds,
            choices=(("submitted", "Submitted"), ("won", "Won"), ("lost", "Lost")),
        ),
        FieldSpec("ref_share", "Referral share", FieldType.NUMBER, kinds, places=2),
        FieldSpec("ref_value", "Referral value", FieldType.MONEY, kinds),
        FieldSpec("ref_at", "Referral date", FieldType.TIME, kinds),
    )
