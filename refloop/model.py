"""The nouns of refloop: frozen values with no behaviour beyond their own invariants.

Times are aware and in UTC. Money is `Decimal` with its ISO 4217 currency. Ids are text, as the CRM gives
them (Salesforce ids in their 18-character form).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

NO_CURRENCY = "XXX"
"""ISO 4217 for "no currency": an amount whose currency the CRM did not say."""


LARGEST_POWER = 308
"""A number is smaller than 10 ** (LARGEST_POWER + 1): what a double holds, in which both CRMs keep their numbers."""

MOST_PLACES = 400
"""Of digits after the point, exponents written out: the smallest double needs 340."""


class OutOfBounds(ValueError):  # noqa: N818 - says what the value is
    """A value of the right type, beyond what is kept of it."""


class Kind(StrEnum):
    """What a record is, in our words. A CRM without leads simply has none."""

    LEAD = "lead"
    CONTACT = "contact"
    DEAL = "deal"


class Relation(StrEnum):
    """How one record points at another. Links are directed: source -> target."""

    CONVERTED_TO = "converted-to"  # lead -> contact, lead -> deal
    MERGED_INTO = "merged-into"  # the record that vanished -> the survivor
    ASSOCIATED_WITH = "associated-with"  # deal -> contact, deal -> lead
    SAME_PERSON = "same-person"  # a person here -> the same person in another CRM, said by a CRM
    SAME_DEAL = "same-deal"  # a mirrored deal here -> the original in another CRM


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of a record: in which connection, of which kind, under which id."""

    connection: str
    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.connection}:{self.kind}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Reads `connection:kind:id`. Raises ValueError for anything else."""
        connection, kind, record_id = text.split(":", 2)
        if not connection or not record_id:
            raise ValueError(text)
        return cls(connection, Kind(kind), record_id)


class FieldType(StrEnum):
    """The type of a field of ours, as provisioned in the CRM."""

    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    MONEY = "money"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field that refloop owns in the CRM.

    `name` is ours, prefix included, in lower snake case (`ref_status`); a connector derives the CRM's
    spelling from it. `length` is for TEXT (characters); `choices` for CHOICE (value, label); `places` for NUMBER:
    how many digits after the point (MONEY has as many as its currency, three at most: `mapping.money`).
    """

    name: str
    label: str
    type: FieldType
    kinds: tuple[Kind, ...]
    description: str = ""
    length: int = 255
    choices: tuple[tuple[str, str], ...] = ()
    places: int = 0


def canonical(type: FieldType, value: object) -> str | None:  # noqa: A002 - the word for it
    """The one text form of a field's value: what is compared, planned, kept and shown.

    None and "" are both "empty" and give None. NUMBER and MONEY give a plain decimal without exponent or
    trailing zeros; TIME gives `YYYY-MM-DDTHH:MM:SSZ` (microseconds cut: Salesforce keeps whole seconds).
    Raises ValueError when `value` is not of the type, or is a naive time; OutOfBounds, which is one, when it lies
    beyond what is kept of numbers (`LARGEST_POWER`, `MOST_PLACES`) and times (`parse_time`).
    """
    if value is None or value == "":
        return None
    if type in (FieldType.NUMBER, FieldType.MONEY):
        return _plain_decimal(value)
    if type is FieldType.TIME:
        moment = value if isinstance(value, datetime) else parse_time(str(value))
        return format_time(moment)
    return str(value)


def _plain_decimal(value: object) -> str:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"not a number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    if number.is_zero():
        return "0"
    _, digits, exponent = number.as_tuple()
    # before it is written out: 1e999999999 would be a gigabyte of digits
    if number.adjusted() > LARGEST_POWER or -int(exponent) > MOST_PLACES or len(digits) > LARGEST_POWER + MOST_PLACES:
        raise OutOfBounds("a number beyond what is kept: too large, or with too many digits")
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_time(text: str) -> datetime:
    """Reads ISO 8601 with an offset (`Z`, `+0000` and `+00:00` alike), or a bare date as midnight UTC.

    Raises ValueError for a time of day without an offset: guessing a zone is how dates go wrong; OutOfBounds for one
    that is, in UTC, outside of the years 1 to 9999.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        if len(text) > len("2026-01-01"):
            raise ValueError(f"time without a zone: {text!r}")
        moment = moment.replace(tzinfo=UTC)
    return _in_utc(moment)


def format_time(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`. Raises ValueError for a naive time, OutOfBounds outside of the years 1 to 9999 in UTC."""
    if moment.tzinfo is None:
        raise ValueError(f"naive time: {moment!r}")
    # not strftime, which writes the year 987 with three digits
    return _in_utc(moment).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise OutOfBounds("a time outside of the calendar") from None


class Outcome(StrEnum):
    """How a deal stands, by the CRM's own stage facts."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Owner:
    """Who looks after a record in the CRM: a person there, or a queue. `name` is "" where the CRM does not tell it."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What a CRM account says about itself: its own id there (an org's, a portal's), the IANA name of the zone in which
    its people read days, and its currency. None where it does not say."""

    id: str | None = None
    zone: str | None = None
    currency: str | None = None


class WordKind(StrEnum):
    """What a word of an account is for."""

    STAGE = "stage"  # where a person stands
    PIPELINE = "pipeline"  # or record type
    DEAL_TYPE = "deal type"
    ROLE = "role"  # what a person is to a deal


@dataclass(frozen=True, slots=True)
class Word:
    """A word that an account has for something, as people read it, and the property or place where it is one; `also` is
    by which other name the CRM knows it, `count` on how many records it stands, where that was counted."""

    kind: WordKind
    word: str
    place: str
    also: str = ""
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that a person's record is in by one more of its fields: the CRM's word, and since when, where it is
    kept."""

    word: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger alone knows of a record, from the versions that it saw before.

    `texts_after`: when the record was last saved with other texts than now; its texts came after that. `found_after`:
    the same of our own fields. None: it was never seen otherwise. `stage_seen`: the save with which its stages were
    first seen.
    """

    texts_after: datetime | None = None
    found_after: datetime | None = None
    stage_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A lead, contact or deal as its CRM last showed it.

    `texts` are the fields that may carry a code, by the CRM's field name; empty ones are left out.
    `found` are our own fields as they stand in the CRM, by our name, canonical text; empty ones left out.
    `title` is what a person calls it: a deal's name, a person's company. `stage` is the CRM's own word
    (a deal's stage, a lead's status, a contact's lifecycle stage); `outcome` is set for deals only, and is
    None there when the CRM's stage metadata does not know the stage. `closed_at` is when a won or lost deal
    ended, by the CRM. `owner` is None where nobody looks after the record, or the CRM does not say who.

    Of a person: `emails` are the further addresses beside `email`, `name` is what people call them,
    `further_stages` what other fields say of where they stand. Of a deal: `pipeline` is the pipeline or record type
    that it goes through, `deal_type` what the CRM calls its type (new business, renewal), `home_amount` the amount
    in the account's own currency `home_currency`, by the account's own rates. Of both: `account` is the CRM's id of
    the company that the record belongs to, `stage_at` when it entered its stage, where the CRM keeps it. `known` is
    filled by the ledger.
    """

    ref: Ref
    created_at: datetime
    modified_at: datetime
    email: str | None = None
    title: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    found: Mapping[str, str] = field(default_factory=dict)
    stage: str | None = None
    outcome: Outcome | None = None
    amount: Decimal | None = None
    currency: str | None = None
    closed_at: datetime | None = None
    deleted: bool = False
    owner: Owner | None = None
    emails: tuple[str, ...] = ()
    name: str | None = None
    account: str | None = None
    stage_at: datetime | None = None
    further_stages: tuple[Stage, ...] = ()
    pipeline: str | None = None
    deal_type: str | None = None
    home_amount: Decimal | None = None
    home_currency: str | None = None
    known: Known = field(default=Known(), compare=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All e-mails of a person, the first one first."""
        return (self.email, *self.emails) if self.email else self.emails


@dataclass(frozen=True, slots=True)
class Link:
    """One edge. `key` is the CRM's id of the edge where it has one (two roles of one contact are two edges);
    `gone` says that the edge was removed. `labels` are the CRM's words for what the target is to the source (a
    contact's role on a deal, the labels of an association), sorted; empty where it has none."""

    source: Ref
    relation: Relation
    target: Ref
    key: str = ""
    gone: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """What a field held from `at` on, by the CRM's history; None: it was empty. `is_told`: some histories say that a
    field changed, and not to what."""

    at: datetime
    text: str | None
    is_told: bool = True


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """What the CRM keeps of the past of a field that may carry a code, oldest first. `is_whole`: the first version is
    the one with which the record was created."""

    ref: Ref
    field: str
    versions: tuple[Version, ...]
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a pull stands: a connector's own text, opaque to everybody else. Holds no secret."""

    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one step of a pull brought. The ledger keeps all of it, cursor included, in one transaction.

    `whole` names the (source, relation) pairs for which `links` is the complete truth: edges of theirs that
    are not in `links` are gone. `gone` are records that were asked for by name and of which the CRM shows nothing any
    more. `cursor` None means: nothing to remember yet.
    """

    records: tuple[Record, ...] = ()
    links: tuple[Link, ...] = ()
    whole: tuple[tuple[Ref, Relation], ...] = ()
    cursor: Cursor | None = None
    gone: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Everything:
    """Pull all there is. The cursor of the last page lets the next pull be incremental."""


@dataclass(frozen=True, slots=True)
class Since:
    """Pull what changed since `cursor`, or go on with the pull that it interrupted.

    `known` tells of records when the version was saved that is kept, where one is kept and not as deleted: where a
    connector looks behind the last pull, it need not read those again that the CRM shows at that time.
    """

    cursor: Cursor
    known: Callable[[Collection[Ref]], Mapping[Ref, datetime]] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Between:
    """Pull what was created or modified in [start, end). Its pages carry no cursor."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Named:
    """Pull these records, whatever their modification times. Its pages carry no cursor."""

    refs: tuple[Ref, ...]


Span = Everything | Since | Between | Named


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know: what, where, and what to do about it."""

    level: Level
    place: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept a run from its work: with that connection, or ("") with none in particular."""

    connection: str
    message: str

    def __str__(self) -> str:
        return f"{self.connection}: {self.message}" if self.connection else self.message


@dataclass(frozen=True, slots=True)
class Usage:
    """An account's daily quota of calls: `used` by everybody, `ours` by this connector since it was made."""

    limit: int
    used: int
    ours: int


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one record: `before` is what it must hold for us to write, `after` what we want there.

    Both canonical; None is empty.
    """

    ref: Ref
    field: FieldSpec
    before: str | None
    after: str | None
    why: str

    @property
    def key(self) -> str:
        """What of the record is changed."""
        return self.field.name


LINKED = "linked"
"""What a link is to its ends where the CRM has no label for it."""


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One link of one record: `before` is what must be there for us to write, `after` what we want there.

    Both are the CRM's label for the link (a contact's role on a deal, an association's label), LINKED where it has
    none; None: there is no link.
    """

    ref: Ref
    relation: Relation
    target: Ref
    before: str | None
    after: str | None
    why: str

    @property
    def key(self) -> str:
        """What of the record is changed: `associated-with:crm:contact:003...`, which no name of a field can be."""
        return f"{self.relation}:{self.target}"


Change = FieldChange | LinkChange


class Verdict(StrEnum):
    """What became of a change."""

    WRITTEN = "written"
    PRESENT = "present"  # the CRM held the wanted value already: nothing was sent
    MOVED = "moved"  # someone else wrote first: nothing was sent
    REFUSED = "refused"  # the CRM said no to this record; trying again as it is will not help
    DEFERRED = "deferred"  # a passing condition (lock, limit): try again next run
    UNKNOWN = "unknown"  # the call broke after it was sent: settle by reading back


@dataclass(frozen=True, slots=True)
class Receipt:
    """The fate of one change. `found` is what the CRM held (MOVED, PRESENT); `reason` the CRM's own words.

    `overwrote` says that somebody had written there between the look and the write, and was not seen in time:
    `found` is what they wrote, None where they had emptied the field. `gone`: it was REFUSED because the CRM does not
    show the record any more.
    """

    change: Change
    verdict: Verdict
    found: str | None = None
    reason: str = ""
    overwrote: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Referrer:
    """Who refers. Found in the CRM by e-mail."""

    id: str
    name: str = ""
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What a referrer hands out. `key` is its compared form (NFKC, casefold, separators removed).

    Valid from the start of `valid_from` to the end of `valid_to`, both UTC dates, both optional.
    """

    code: str
    key: str
    referrer: str
    program: str
    valid_from: date | None = None
    valid_to: date | None = None


class Rule(StrEnum):
    """How a match was decided, strongest first."""

    EXACT = "exact"
    NORMALISED = "normalised"
    FOLDED = "folded"
    URL = "url"
    TEXT = "text"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Match:
    """The verdict that a record carries a code. `evidence` is the piece of the field that decided."""

    code: str  # the code's key
    rule: Rule
    field: str
    evidence: str
    confidence: int


class Presence(StrEnum):
    """Whether a code still stands on a record that it came to."""

    CARRIED = "carried"
    OVERWRITTEN = "overwritten"  # another code was written in its place
    GONE = "gone"  # it was taken off, or a person said that it was another one


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a code came to a record: not before `since`, not after `by`, and, as far as one can tell, `at`. Both ends
    are the same where it is known.

    `match` is how it stood there. `is_late`: the record was there before, and may have been without the code.
    """

    match: Match
    since: datetime
    by: datetime
    at: datetime
    is_late: bool = False
    presence: Presence = Presence.CARRIED

    @property
    def code(self) -> str:
        """The code's key."""
        return self.match.code


class Status(StrEnum):
    """Where a referral stands and how it ended."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    CONTACTED = "contacted"
    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    ON_HOLD = "on_hold"
    WON = "won"
    LOST = "lost"
    DISQUALIFIED = "disqualified"
    NO_RESPONSE = "no_response"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    REVERSED = "reversed"
    WITHDRAWN = "withdrawn"  # the code was taken off the record again: the claim is no more


@dataclass(frozen=True, slots=True)
class Referral:
    """One claim: this buyer came through this code, on this date.

    `code` is the code's key. `submitted`: by a person, not found on a record; `email` is the key of the address that
    was submitted. `origin` is the record on which the code was first seen. `why` is a sentence for people. `void` says
    as what the referral does not count, where it does not, and `void_reason` why.

    `claimed_at` is the day as far as one can tell; the code came to the buyer not before `since` and not after `by`,
    None where these are no others. `rival` is the code of another referrer's that may have come first.
    """

    id: str
    code: str
    program: str
    referrer: str
    claimed_at: datetime
    why: str = ""
    submitted: bool = False
    origin: Ref | None = None
    email: str | None = None
    void: Status | None = None
    void_reason: str = ""
    since: datetime | None = None
    by: datetime | None = None
    rival: str = ""

    @property
    def earliest(self) -> datetime:
        """Not before this did the buyer come through the code."""
        return self.since or self.claimed_at

    @property
    def latest(self) -> datetime:
        """Not after this."""
        return self.by or self.claimed_at


@dataclass(frozen=True, slots=True)
class StatusChange:
    """Where a referral stands from `at` on (by the CRM, whole seconds), why, and what people call what it is about."""

    referral: str
    status: Status
    at: datetime
    reason: str
    label: str


class Role(StrEnum):
    """As what a referral gets its share of a deal."""

    SOURCED = "sourced"
    INFLUENCED = "influenced"
    RENEWAL = "renewal"  # the deal goes on with what the buyer has: told apart, in no figure of what was won


class Side(StrEnum):
    """What a person who stands on a deal is to it."""

    BUYER = "buyer"
    REFERRER = "referrer"
    NOBODY = "nobody"  # somebody who says nothing about who referred whom


class Counting(StrEnum):
    """What a deal counts as."""

    NEW = "new"
    RENEWAL = "renewal"
    IGNORE = "ignore"


class ByAccount(StrEnum):
    """What becomes of a deal on which no buyer stands, at a company of which somebody was referred."""

    ASK = "ask"
    CREDIT = "credit"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Credit:
    """The share of a deal that a referral gets. Shares of one deal sum to exactly one."""

    deal: Ref
    referral: str
    share: Decimal
    role: Role
    model: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field of ours in which a person wrote something else than we want. Never overwritten."""

    ref: Ref
    field: str
    wrote: str | None
    found: str | None
    want: str | None
    why: str


class ReviewReason(StrEnum):
    """Why something was left for a person to decide."""

    UNKNOWN = "unknown"  # nobody issued this code
    AMBIGUOUS = "ambiguous"  # it may be one of several, or the record carries several
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    NEAR = "near"  # one letter off an issued code
    CLOSED_BEFORE = "closed-before-referral"  # the deal had ended before the referral was made
    MAY_BE_BEFORE = "may-be-before-referral"  # the deal ended while the code came, and nobody knows which was first
    TWO_CODES = "two-codes"  # the record had another code before, or beside: the first one counts
    WHO_WAS_FIRST = "who-was-first"  # two codes of two referrers, and nobody knows which came first
    MASS_EDIT = "mass-edit"  # many records got one code within minutes, and had none before
    SELF_REFERRAL = "self-referral"  # the buyer's address is another spelling of the referrer's
    UNKNOWN_STAGE = "unknown-stage"  # the CRM does not say whether the deal is open, won or lost
    NO_BUYER = "no-buyer"  # nobody stands on the won deal as its buyer, and of its company somebody was referred
    ONLY_A_ROLE = "only-a-role"  # somebody stands on the deal as its referrer, and no code says so
    REFERRER_IS_BUYER = "referrer-is-buyer"  # somebody stands on the deal as its referrer and as its buyer
    SAME_NAME = "same-name"  # a buyer of the won deal may be a referred person: the same name at the same company


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """Something about a record that a person should look at: nothing is decided from it.

    `evidence` is the piece of `field` that raised it. `candidates` are what may be meant: keys of codes, or ids of
    referrals.
    """

    ref: Ref
    reason: ReviewReason
    field: str
    evidence: str
    candidates: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Names the item by what it is about, so that it is the same one after any new reading of the record."""
        digest = hashlib.blake2b(f"{self.ref}\0{self.reason}\0{self.field}\0{self.evidence}".encode(), digest_size=8)
        return f"ri_{digest.hexdigest()}"
