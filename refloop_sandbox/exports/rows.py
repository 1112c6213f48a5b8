"""Our columns -> what the local CRMs keep. Raises BadRow for what they cannot hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from refloop_sandbox.exports.files import BadRow, Entry, EveryFault
from refloop_sandbox.exports.values import amount, flag, moment
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.hubspot.standard import LIFECYCLE_STAGES
from refloop_sandbox.nouns import Outcome
from refloop_sandbox.salesforce import LocalSalesforce

NOT_PROVIDED = "[not provided]"
"""What Salesforce's own importers put where a last name or company is demanded and there is none."""

_EMAIL = re.compile(r"[^@\s,;<>()\"]+@[^@\s,;<>()\".]+(\.[^@\s,;<>()\".]+)+")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
_LEAD_STATUSES = frozenset(
    ("NEW", "OPEN", "IN_PROGRESS", "OPEN_DEAL", "UNQUALIFIED", "ATTEMPTED_TO_CONTACT", "CONNECTED", "BAD_TIMING")
)
_LIFECYCLE = frozenset(LIFECYCLE_STAGES)
_STAGES_LIMIT = 100  # a column of free text is not a column of stages
_PIPELINE = re.compile(r"\s*\([^()]*pipeline[^()]*\)$", re.IGNORECASE)
"""What HubSpot's exports put behind a stage: `Closed Won (Sales Pipeline)`."""

_NAMED_AS = re.compile(r"(?:closed|deal)?[\s:_(-]*(won|lost)\b", re.IGNORECASE)
Row = dict[str, object]


class Times(NamedTuple):
    """When a record was made and last changed."""

    created: datetime
    modified: datetime


def times(entry: Entry) -> Times:
    every = EveryFault()
    created = every.of(_created, entry)
    changed = every.of(_time, entry, "modified_at")
    every.told()
    return Times(created, max(created, changed or created))


def _created(entry: Entry) -> datetime:
    return moment("created_at", entry.need("created_at"), entry.order)


def _time(entry: Entry, column: str) -> datetime | None:
    text = entry.cells.get(column)
    return moment(column, text, entry.order) if text else None


def _who_and_when(entry: Entry) -> tuple[str | None, Times]:
    every = EveryFault()
    email, known = every.of(_email, entry), every.of(times, entry)
    every.told()
    return email, known


def _email(entry: Entry) -> str | None:
    email = entry.cells.get("email")
    if email is not None and not _EMAIL.fullmatch(email):
        raise BadRow("email is not an e-mail address")
    return email


def salesforce_contact(entry: Entry, account: str | None) -> Row:
    """`account` is the id of the person's company."""
    return {**_salesforce_person(entry), "AccountId": account}


def salesforce_lead(entry: Entry) -> Row:
    """A lead that is not converted. Without a status it is a new one."""
    said = entry.cells.get
    status = {"Status": entry.cells["status"]} if "status" in entry.cells else {}
    return {**_salesforce_person(entry), "Company": said("company") or NOT_PROVIDED, **status}


def _salesforce_person(entry: Entry) -> Row:
    said, (email, known) = entry.cells.get, _who_and_when(entry)
    return {
        "FirstName": said("first_name"), "LastName": said("last_name") or NOT_PROVIDED, "Email": email,
        "Title": said("title"), "Description": _description(entry), **_stamps(known),
    }  # fmt: skip


def _description(entry: Entry) -> str | None:
    """Salesforce has no field for the first page: its link stands below the text."""
    parts = [entry.cells[name] for name in ("code_text", "first_page_url") if name in entry.cells]
    return "\n".join(parts) or None


def _stamps(known: Times) -> Row:
    return {"CreatedDate": known.created, "LastModifiedDate": known.modified, "SystemModstamp": known.modified}


def hubspot_person(entry: Entry) -> Row:
    """In HubSpot a lead is a contact."""
    said, (email, known) = entry.cells.get, _who_and_when(entry)
    status, stage = lead_status(said("status")), lifecycle_stage(said("stage"))
    return {
        "email": email, "firstname": said("first_name"), "lastname": said("last_name"),
        "company": said("company"), "jobtitle": said("title"), "hs_lead_status": status, "lifecyclestage": stage,
        "message": said("code_text"), "hs_analytics_first_url": said("first_page_url"),
        "createdate": known.created, "lastmodifieddate": known.modified,
    }  # fmt: skip


def lead_status(text: str | None) -> str | None:
    """A lead status that every account has, by its value or its label; None for one of the person's own."""
    value = (text or "").upper().replace(" ", "_")
    return value if value in _LEAD_STATUSES else None


def lifecycle_stage(text: str | None) -> str | None:
    """A lifecycle stage that every account has, by its value or its label; None for one of the person's own."""
    value = (text or "").lower().replace(" ", "")
    return value if value in _LIFECYCLE else None


@dataclass(frozen=True, slots=True)
class DealFacts:
    """What both CRMs need of a deal."""

    name: str
    amount: Decimal | None
    currency: str | None
    stage: str | None
    outcome: Outcome | None
    times: Times
    closed: datetime | None
    tells_save: bool
    hint: Outcome | None = None

    def times_as(self, outcome: Outcome, now: datetime) -> Times:
        """When it was made and last saved. A table that does not say the latter, says of a deal that ended at least
        when that was, unless it is still to come."""
        created, modified = self.times
        if outcome is Outcome.OPEN or self.tells_save or not self.closed or self.closed > now:
            return self.times
        return Times(created, max(modified, self.closed))


def deal_facts(entry: Entry) -> DealFacts:
    said = entry.cells.get
    stage, every = said("stage"), EveryFault()
    facts = DealFacts(
        said("name") or NOT_PROVIDED,
        every.of(amount, said("amount")),
        every.of(_currency, said("currency")),
        _PIPELINE.sub("", stage) if stage else None,
        every.of(_outcome, entry),
        every.of(times, entry),
        every.of(_time, entry, "closed_at"),
        bool(said("modified_at")),
        _hint(entry),
    )
    every.told()
    return facts


def _outcome(entry: Entry) -> Outcome | None:
    """How the deal stands, where a column says it."""
    said = entry.cells.get
    outcome = said("outcome")
    if outcome is not None:
        if outcome.casefold() not in set(Outcome):
            raise BadRow(f"outcome must be one of: {', '.join(Outcome)}")
        return Outcome(outcome.casefold())
    won, closed = flag("won", said("won")), flag("closed", said("closed"))
    if won or (said("won_at") and not said("stage")):
        return Outcome.WON
    if closed is False:
        return Outcome.OPEN
    return Outcome.LOST if closed and won is False else None


def _hint(entry: Entry) -> Outcome | None:
    """What an unknown stage must mean, where no column says how the deal stands.

    A stage called won or lost is; HubSpot's probability is 1 or 0 of closed deals alone; and in both CRMs a closed deal
    has a close date.
    """
    said = entry.cells.get
    if named := _NAMED_AS.match(said("stage") or ""):
        return Outcome(named[1].lower())
    if entry.crm == "hubspot" and (chance := said("probability")):
        known = {"1": Outcome.WON, "1.0": Outcome.WON, "0": Outcome.LOST, "0.0": Outcome.LOST}
        return known.get(chance, Outcome.OPEN)
    return Outcome.OPEN if "closed_at" in entry.columns and not said("closed_at") else None


def _currency(text: str | None) -> str | None:
    if text is not None and not _CURRENCY.fullmatch(text):
        raise BadRow("currency is not a code of three letters, such as EUR")
    return text.upper() if text else None


@dataclass
class SalesforceDeals:
    """Opportunities, with stages of the person's own."""

    crm: LocalSalesforce
    _stages: dict[str, tuple[str, Outcome]] = field(default_factory=dict)
    _currency: str = ""

    def __post_init__(self) -> None:
        self._currency = str(next(self.crm.rows("Organization"))["DefaultCurrencyIsoCode"])
        for row in self.crm.rows("OpportunityStage"):
            outcome = Outcome.WON if row["IsWon"] else Outcome.LOST if row["IsClosed"] else Outcome.OPEN
            self._stages[str(row["MasterLabel"]).casefold()] = (str(row["MasterLabel"]), outcome)

    def row(self, entry: Entry, account: str | None) -> Row:
        deal = deal_facts(entry)
        if deal.currency not in (None, self._currency):
            raise BadRow(f"currency differs from the org's, {self._currency}; a Salesforce org here has one")
        stage, outcome = self._stage(deal)
        known = deal.times_as(outcome, self.crm.now())
        ended = deal.closed or known.modified
        return {
            "Name": deal.name[:120], "StageName": stage, "Amount": None if deal.amount is None else str(deal.amount),
            "CloseDate": ended.date().isoformat(), "AccountId": account,
            "Description": entry.cells.get("code_text"),
            "LastStageChangeDate": None if outcome is Outcome.OPEN else ended,
            **_stamps(known),
        }  # fmt: skip

    def _stage(self, deal: DealFacts) -> tuple[str, Outcome]:
        if deal.stage is None:
            plain = {Outcome.WON: "closed won", Outcome.LOST: "closed lost"}
            return self._stages[plain.get(deal.outcome or Outcome.OPEN, "prospecting")]
        known = self._stages.get(deal.stage.casefold())
        if known is None:
            outcome = _new_stage(deal, len(self._stages))
            self.crm.add_stage(deal.stage, outcome is not Outcome.OPEN, outcome is Outcome.WON)
            known = self._stages[deal.stage.casefold()] = (deal.stage, outcome)
        return _agreed(deal, known)


@dataclass
class HubSpotDeals:
    """Deals; stages of the person's own are in a pipeline `Imported`."""

    crm: LocalHubSpot
    _stages: dict[str, tuple[str, Outcome]] = field(default_factory=dict)
    _pipeline: str | None = None

    def __post_init__(self) -> None:
        labels = {
            "Appointment Scheduled": Outcome.OPEN, "Qualified To Buy": Outcome.OPEN,
            "Presentation Scheduled": Outcome.OPEN, "Decision Maker Bought-In": Outcome.OPEN,
            "Contract Sent": Outcome.OPEN, "Closed Won": Outcome.WON, "Closed Lost": Outcome.LOST,
        }  # fmt: skip
        for label, outcome in labels.items():
            stage = re.sub("[^a-z]", "", label.lower())
            self._stages[label.casefold()] = self._stages[stage] = (stage, outcome)

    def row(self, entry: Entry) -> Row:
        deal = deal_facts(entry)
        stage, outcome = self._stage(deal)
        known = deal.times_as(outcome, self.crm.now())
        ended = deal.closed or (None if outcome is Outcome.OPEN else known.modified)
        return {
            "dealname": deal.name, "amount": deal.amount, "deal_currency_code": deal.currency, "dealstage": stage,
            "pipeline": self._pipeline if stage.isdigit() else "default", "closedate": ended,
            "description": entry.cells.get("code_text"), "createdate": known.created,
            "hs_lastmodifieddate": known.modified,
        }  # fmt: skip

    def _stage(self, deal: DealFacts) -> tuple[str, Outcome]:
        if deal.stage is None:
            plain = {Outcome.WON: "closedwon", Outcome.LOST: "closedlost"}
            return self._stages[plain.get(deal.outcome or Outcome.OPEN, "appointmentscheduled")]
        known = self._stages.get(deal.stage.casefold())
        if known is None:
            outcome = _new_stage(deal, len(self._stages))
            known = self._stages[deal.stage.casefold()] = (self._add(deal.stage, outcome), outcome)
        return _agreed(deal, known)

    def _add(self, label: str, outcome: Outcome) -> str:
        if self._pipeline is None:
            self._pipeline = self.crm.add_pipeline("Imported", [])
        chance = {Outcome.OPEN: "0.5", Outcome.WON: "1.0", Outcome.LOST: "0.0"}[outcome]
        return self.crm.add_stage(self._pipeline, label, probability=chance)


def _new_stage(deal: DealFacts, known: int) -> Outcome:
    outcome = deal.outcome or deal.hint
    if outcome is None:
        raise BadRow("stage is none that the CRM knows; say in outcome whether it is open, won or lost")
    if known >= _STAGES_LIMIT:
        raise BadRow(f"stage is one more than the {_STAGES_LIMIT} that there can be")
    return outcome


def _agreed(deal: DealFacts, known: tuple[str, Outcome]) -> tuple[str, Outcome]:
    if deal.outcome not in (None, known[1]):
        raise BadRow(f"outcome is {deal.outcome}, but this stage is one of {known[1]} deals")
    return known
