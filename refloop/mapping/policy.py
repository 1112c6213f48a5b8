"""The rule book: everything that decides something, as one frozen value with a digest for each of its parts.

A decision keeps the digest of the part that made it. When the digest of a part has moved, because the configuration
changed or refloop learned better, what that part decided is decided anew (`refloop.ledger.policies`). The functions
that apply the rules stand beside this file, one topic a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from refloop.mapping.arrivals import MASS_EDIT
from refloop.mapping.attribution import Model
from refloop.mapping.codes import DEFAULT_URL_PARAMETERS, MATCHER_VERSION
from refloop.mapping.deals import DealWords, counting_of, is_credited, word_counts_as
from refloop.mapping.fields import Names, field_specs
from refloop.mapping.identity import MOST_RECORDS_OF_ONE_PERSON
from refloop.mapping.money import USUAL_PLACES, places_of
from refloop.mapping.roles import RoleWords, side_of
from refloop.mapping.stages import STANDARD_STATUSES
from refloop.mapping.trust import LEAST_SHOWN
from refloop.model import ByAccount, Counting, FieldSpec, Record, Side, Status


class Part(StrEnum):
    """The parts of the rule book, in the order in which they decide. Each is named like the queue of its stage, but for
    DEALS, by which several decide."""

    MATCH = "match"  # which code a record carries
    CLAIM = "claim"  # whose records are one buyer's, and which referrals they hold
    DEALS = "deals"  # who on a deal is its buyer, which deals count, and what becomes of those without a buyer
    CREDIT = "credit"  # who gets which share of a deal
    STATUS = "status"  # where a referral stands
    PLAN = "plan"  # what our fields are called, what should stand in them, and when a change waits


@dataclass(frozen=True)
class Rules:
    """One part. `version` goes up whenever the same values could decide otherwise than before."""

    version: ClassVar[str] = "1"

    def told(self) -> str:
        """The rules as one line of JSON, the same for equal rules."""
        values = {item.name: _plain(getattr(self, item.name)) for item in fields(self)}
        return json.dumps({"version": self.version, **values}, sort_keys=True, ensure_ascii=False)

    @cached_property
    def digest(self) -> str:
        return hashlib.blake2b(self.told().encode(), digest_size=8).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return {key: _plain(held) for key, held in value.items()} if isinstance(value, Mapping) else value


@dataclass(frozen=True)
class MatchRules(Rules):
    """`url_parameters` are the names of the query parameters of links that may carry a code, in any case. `zones`, by
    connection where set: the time zone in which the account's people read days, whatever it says itself. One code that
    came within minutes to `mass_edit` records, which were there before without it, is a question, not that many
    referrals."""

    version: ClassVar[str] = MATCHER_VERSION
    url_parameters: frozenset[str] = DEFAULT_URL_PARAMETERS
    zones: Mapping[str, str] = field(default_factory=dict)
    mass_edit: int = MASS_EDIT


@dataclass(frozen=True)
class ClaimRules(Rules):
    """An e-mail that more than `most_records_of_one_person` records carry is a placeholder, not a person."""

    # dated by when the code came, not by the record's birthday; who was deleted still stands on their deals; all
    # addresses; other spellings of the referrer's; keeps how a buyer came, and says what became of a code
    version: ClassVar[str] = "3"
    most_records_of_one_person: int = MOST_RECORDS_OF_ONE_PERSON


@dataclass(frozen=True)
class DealRules(Rules):
    """How deals are read, by connection; of one that is not named, as refloop does by itself. `roles`: what the words
    for people on a deal say. `words`: what its pipelines and types of deals count as. `by_account`: what becomes of a
    deal on which no buyer stands."""

    roles: RoleWords = field(default_factory=dict)
    words: Mapping[str, DealWords] = field(default_factory=dict)
    by_account: Mapping[str, ByAccount] = field(default_factory=dict)

    def counting(self, deal: Record) -> Counting:
        """What a deal counts as."""
        return counting_of(deal, self.words.get(deal.ref.connection, _NO_WORDS))

    def is_credited(self, deal: Record) -> bool:
        """Whether a deal gets any credit, and shows it."""
        return is_credited(self.counting(deal), self.words.get(deal.ref.connection, _NO_WORDS))

    def role(self, connection: str, word: str) -> Side:
        """What a word for people on the deals of a connection says."""
        return side_of(word, self.roles.get(connection, {}))

    def pipeline(self, connection: str, word: str) -> Counting:
        """What the deals of a pipeline or record type of a connection count as, by that alone."""
        return word_counts_as(word, self.words.get(connection, _NO_WORDS).pipelines)

    def deal_type(self, connection: str, word: str) -> Counting:
        """What the deals of a type count as, by that alone."""
        return word_counts_as(word, self.words.get(connection, _NO_WORDS).types)

    def without_buyer(self, connection: str) -> ByAccount:
        """What becomes of a deal of a connection on which no buyer stands."""
        return self.by_account.get(connection, ByAccount.ASK)


_NO_WORDS = DealWords()


@dataclass(frozen=True)
class CreditRules(Rules):
    """How credit is shared among the referrals of a deal; `zones` as in `MatchRules`."""

    # days are the account's; a deal that may have ended before its referral is asked about; of merged deals, only the
    # people of the one that is left count; who is a buyer is said by roles
    version: ClassVar[str] = "3"
    model: Model = Model.FIRST
    zones: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StatusRules(Rules):
    """The status that each of the CRM's own words stands for; words are in lower case."""

    # a deleted buyer ends a referral; the furthest of all fields, since the CRM says; why a deal was lost
    version: ClassVar[str] = "4"
    words: Mapping[str, Status] = field(default_factory=lambda: STANDARD_STATUSES)


@dataclass(frozen=True)
class PlanRules(Rules):
    """`currencies` by connection, where set. `converted`: what a deal's own CRM converts into the currency that counts
    is counted with it. A change that a CRM refused `parked_after` times in a row waits until the record or the wish
    changes."""

    version: ClassVar[str] = "3"  # in the words of who reads them; answers, and counts that add up
    prefix: str = "ref"
    currencies: Mapping[str, str | None] = field(default_factory=dict)
    converted: bool = False
    parked_after: int = 3

    @cached_property
    def names(self) -> Names:
        return Names(self.prefix)

    @cached_property
    def specs(self) -> Mapping[str, FieldSpec]:
        """Our fields by name."""
        places = max(map(places_of, filter(None, self.currencies.values())), default=USUAL_PLACES)
        return {spec.name: spec for spec in field_specs(self.prefix, max(places, USUAL_PLACES))}


@dataclass(frozen=True)
class PullRules:
    """What a pull is asked for and when it is believed. `version` goes up whenever refloop reads more of a record than
    before. `readings` is, by connection, the settings that decide what
    a record is read as; a full pull that brings less than the part `least_shown` of what was known is not believed."""

    version: ClassVar[str] = "3"  # owners, companies, names, further addresses, roles, histories; why deals were lost
    readings: Mapping[str, str] = field(default_factory=dict)
    least_shown: float = LEAST_SHOWN


@dataclass(frozen=True)
class Policy:
    """All rules of a company, as one value that the stages are handed."""

    match: MatchRules = MatchRules()
    claim: ClaimRules = ClaimRules()
    deals: DealRules = DealRules()
    credit: CreditRules = CreditRules()
    status: StatusRules = StatusRules()
    plan: PlanRules = PlanRules()
    pull: PullRules = PullRules()

    @property
    def zones(self) -> Mapping[str, str]:
        """The time zones that the configuration sets, by connection."""
        return self.match.zones

    @property
    def names(self) -> Names:
        """What our fields are called."""
        return self.plan.names

    @cached_property
    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields that are ours in the CRMs."""
        return tuple(self.plan.specs.values())

    def spec(self, name: str) -> FieldSpec:
        """The field of that name. Raises KeyError for a name that is not ours."""
        return self.plan.specs[name]

    @property
    def parts(self) -> Mapping[Part, Rules]:
        """The parts that decide something, in their order."""
        return {
            Part.MATCH: self.match,
            Part.CLAIM: self.claim,
            Part.DEALS: self.deals,
            Part.CREDIT: self.credit,
            Part.STATUS: self.status,
            Part.PLAN: self.plan,
        }

    def reading(self, connection: str) -> str:
        """The digest of what decides how a connection's records are read: its settings, which fields are ours, and how
        much refloop has learned to read."""
        names = sorted(self.plan.specs)
        told = json.dumps([self.pull.readings.get(connection, ""), names, self.pull.version], ensure_ascii=False)
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
