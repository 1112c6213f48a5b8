"""Loads a person's own CSV exports into the local CRMs: leads, contacts, deals and the links between them.

docs/exports.md lists the columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from refloop_sandbox.exports.files import BadRow, Entry, ExportError, ExportFile, Faulty, Layout
from refloop_sandbox.exports.owners import Owners
from refloop_sandbox.exports.rows import (
    HubSpotDeals,
    Row,
    SalesforceDeals,
    hubspot_person,
    salesforce_contact,
    salesforce_lead,
    times,
)
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import ApiError, LocalSalesforce

FAULTS_LIMIT = 1000
CODE_FIELDS = {
    "salesforce": {"lead": ["Description"], "contact": ["Description"], "deal": ["Description"]},
    "hubspot": {"contact": ["hs_analytics_first_url", "message"], "deal": ["description"]},
}
"""Where `code_text` and `first_page_url` come to stand: the connections' `code_fields`."""

_BATCH = 1000
_COMPANY_LIMIT = 255  # Account.Name
_TARGETS = {
    ("contacts", "salesforce"): "Contact",
    ("deals", "salesforce"): "Opportunity",
    ("leads", "salesforce"): "Lead",
    ("links", "salesforce"): "OpportunityContactRole",
    ("contacts", "hubspot"): "contacts",
    ("deals", "hubspot"): "deals",
    ("leads", "hubspot"): "contacts",
    ("links", "hubspot"): "",
}
_PERSON = (
    "id", "email", "first_name", "last_name", "company", "title", "status", "stage", "code_text", "first_page_url",
    "created_at", "modified_at", "owner",
)  # fmt: skip
_DEAL = (
    "id", "name", "company", "amount", "currency", "stage", "outcome", "code_text", "created_at", "closed_at",
    "modified_at", "owner",
)  # fmt: skip
_LEAD = (*_PERSON, "converted_contact_id", "converted_deal_id")
LAYOUTS = (
    Layout("contacts", _PERSON, ("id", "created_at"), "hubspot"),
    Layout("deals", _DEAL, ("id", "created_at"), "hubspot"),
    Layout("leads", _LEAD, ("id", "created_at"), "salesforce"),
    Layout("links", ("deal_id", "person_id", "role"), ("deal_id", "person_id"), "hubspot"),
)
"""In the order in which they are loaded: a lead may name the contact and the deal it was converted to."""


@dataclass
class LoadReport:
    """What became of the files: how many rows of each went into which CRM, and what was left out.

    `loaded` counts by (file, CRM). `faults` has a line for each of the first 1,000 bad rows, `bad_rows` counts
    all. `ignored` are the columns that are not ours, by file. `ids` gives the CRM's id by (file, CRM, own id).
    """

    loaded: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_rows: int = 0
    faults: list[str] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def fault(self, file: str, line: int, why: str) -> None:
        self.bad_rows += 1
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(f"{file}.csv:{line}: {why}")


def load_exports(folder: Path, salesforce: LocalSalesforce, hubspot: LocalHubSpot) -> LoadReport:
    """Loads `contacts.csv`, `deals.csv`, `leads.csv` and `links.csv`; those that are there, at least one.

    Streams the files; only the ids are kept. Bad rows are in the report, the good ones are loaded. Raises
    ExportError when a file as a whole cannot be used.
    """
    if not folder.is_dir():
        raise ExportError(f"{folder} is not a folder", remedy="Name the folder that holds the CSV files.")
    files = [
        ExportFile(folder / f"{item.name}.csv", item) for item in LAYOUTS if (folder / f"{item.name}.csv").exists()
    ]
    if not files:
        names = ", ".join(sorted(f"{item.name}.csv" for item in LAYOUTS))
        raise ExportError(f"{folder} holds none of {names}", remedy="Put at least one of them there.")
    loading = _Loading(salesforce, hubspot)
    for file in files:
        if file.unknown:
            loading.report.ignored[file.layout.name] = file.unknown
        loading.read(file)
    return loading.report


@dataclass
class _Loading:
    """One load: takes batches, finds the rows that the CRMs refuse, remembers the ids."""

    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    report: LoadReport = field(default_factory=LoadReport)
    _accounts: dict[str, str] = field(default_factory=dict)
    _contact_of_lead: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._salesforce_deals = SalesforceDeals(self.salesforce)
        self._hubspot_deals = HubSpotDeals(self.hubspot)
        self._owners = Owners(self.salesforce, self.hubspot)

    def read(self, file: ExportFile) -> None:
        entries = self._good(file)
        while batch := list(islice(entries, _BATCH)):
            for crm in ("salesforce", "hubspot"):
                self._keep(file.layout.name, crm, [entry for entry in batch if entry.crm == crm])

    def _good(self, file: ExportFile) -> Iterator[Entry]:
        for item in file:
            if isinstance(item, Faulty):
                self.report.fault(file.layout.name, item.line, item.why)
            else:
                yield item

    def _keep(self, name: str, crm: str, entries: Sequence[Entry]) -> None:
        if crm == "salesforce" and name in ("contacts", "deals"):
            self._open_accounts(entries)
        rows: list[tuple[Entry, Row]] = []
        seen: set[str] = set()
        for entry in entries:
            try:
                row = self._link(crm, entry) if name == "links" else self._row(name, crm, entry, seen)
            except BadRow as bad:
                self.report.fault(name, entry.line, str(bad))
            else:
                rows.append((entry, row))
        if rows:
            self._load(name, crm, rows)

    def _open_accounts(self, entries: Iterable[Entry]) -> None:
        """One account a company."""
        named = dict.fromkeys(entry.cells.get("company", "") for entry in entries)
        new = [name for name in named if name and name not in self._accounts and len(name) <= _COMPANY_LIMIT]
        ids = self.salesforce.load("Account", ({"Name": name} for name in new))
        self._accounts.update(zip(new, ids, strict=True))

    def _account(self, entry: Entry) -> str | None:
        company = entry.cells.get("company")
        if company is not None and company not in self._accounts:
            raise BadRow(f"company is longer than {_COMPANY_LIMIT} characters")
        return self._accounts[company] if company else None

    def _row(self, name: str, crm: str, entry: Entry, seen: set[str]) -> Row:
        own = entry.need("id")
        if own in seen or (name, crm, own) in self.report.ids:
            raise BadRow("id stands in an earlier row too")
        row = self._salesforce_row(name, entry) if crm == "salesforce" else self._hubspot_row(name, entry)
        seen.add(own)
        return {**row, **self._owners.cells(entry)}

    def _salesforce_row(self, name: str, entry: Entry) -> Row:
        if name == "contacts":
            return salesforce_contact(entry, self._account(entry))
        if name == "deals":
            return self._salesforce_deals.row(entry, self._account(entry))
        return {**salesforce_lead(entry), **self._conversion(entry)}

    def _hubspot_row(self, name: str, entry: Entry) -> Row:
        return self._hubspot_deals.row(entry) if name == "deals" else hubspot_person(entry)

    def _conversion(self, entry: Entry) -> Row:
        """What a converted lead points at."""
        if "converted_contact_id" not in entry.cells:
            if "converted_deal_id" in entry.cells:
                raise BadRow("converted_deal_id needs a converted_contact_id beside it")
            return {}
        deal = self._there("deals", "salesforce", entry, "converted_deal_id")
        return {
            "IsConverted": True, "ConvertedDate": times(entry).modified.date().isoformat(),
            "ConvertedContactId": self._there("contacts", "salesforce", entry, "converted_contact_id"),
            "ConvertedOpportunityId": deal, "ConvertedAccountId": self._accounts.get(entry.cells.get("company", "")),
            "Status": entry.cells.get("status", "Closed - Converted"),
        }  # fmt: skip

    def _there(self, name: str, crm: str, entry: Entry, column: str) -> str | None:
        """The CRM's id of the record that a cell names; None for an empty cell."""
        own = entry.cells.get(column)
        if own is not None and (name, crm, own) not in self.report.ids:
            raise BadRow(f"{column} names no row of {name}.csv that was loaded into {crm}")
        return self.report.ids[name, crm, own] if own else None

    def _link(self, crm: str, entry: Entry) -> Row:
        entry.need("deal_id")
        deal, person = self._there("deals", crm, entry, "deal_id"), self._person(crm, entry)
        if crm == "hubspot":
            return {"deal": deal, "person": person}
        return {"OpportunityId": deal, "ContactId": person, "Role": entry.cells.get("role")}

    def _person(self, crm: str, entry: Entry) -> str:
        """A contact; or a lead: what it was converted to, or in HubSpot the contact that it is."""
        own = entry.need("person_id")
        of_lead = self._contact_of_lead.get(own) if crm == "salesforce" else self.report.ids.get(("leads", crm, own))
        person = self.report.ids.get(("contacts", crm, own)) or of_lead
        if person is None:
            raise BadRow(f"person_id names nobody who was loaded into {crm} and can stand on a deal")
        return person

    def _load(self, name: str, crm: str, rows: Sequence[tuple[Entry, Row]]) -> None:
        """All at once; one by one where the CRM refuses one of them."""
        try:
            self._put(name, crm, rows)
        except (ApiError, ValueError):
            for item in rows:
                try:
                    self._put(name, crm, [item])
                except (ApiError, ValueError) as refusal:
                    self.report.fault(name, item[0].line, _said(refusal))

    def _put(self, name: str, crm: str, rows: Sequence[tuple[Entry, Row]]) -> None:
        target = _TARGETS[name, crm]
        if (name, crm) == ("links", "hubspot"):
            self.hubspot.load_associations(
                "deals", "contacts", ((str(row["deal"]), str(row["person"])) for _, row in rows)
            )
            self.report.loaded[name, crm] += len(rows)
            return
        load = self.salesforce.load if crm == "salesforce" else self.hubspot.load
        ids = load(target, (row for _, row in rows))
        self.report.loaded[name, crm] += len(rows)
        for (entry, row), record_id in zip(rows, ids, strict=True):
            if name != "links":
                self.report.ids[name, crm, entry.cells["id"]] = record_id
            if row.get("ConvertedContactId"):
                self._contact_of_lead[entry.cells["id"]] = str(row["ConvertedContactId"])


def _said(refusal: ApiError | ValueError) -> str:
    """Why, without the values: they may be about a person."""
    if isinstance(refusal, ApiError):
        return f"Salesforce refuses {', '.join(refusal.fields or ('the row',))}: {refusal.code}"
    return f"HubSpot refuses the row: {refusal}"
