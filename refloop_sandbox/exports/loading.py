"""One load: takes batches, finds the rows that the CRMs refuse, remembers ids and addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from refloop_sandbox.exports.files import CRMS, BadRow, Entry, Faulty
from refloop_sandbox.exports.links import People, Wanted, of_row, put, refused
from refloop_sandbox.exports.owners import Owners
from refloop_sandbox.exports.rows import (
    HubSpotDeals,
    Row,
    SalesforceDeals,
    hubspot_person,
    lead_status,
    lifecycle_stage,
    salesforce_contact,
    salesforce_lead,
    times,
)
from refloop_sandbox.exports.sheets import Known
from refloop_sandbox.exports.values import flag, own_id
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import ApiError, LocalSalesforce

FAULTS_LIMIT = 1000

_BATCH = 1000
_COMPANY_LIMIT = 255  # Account.Name
_TARGETS = {
    ("contacts", "salesforce"): "Contact",
    ("deals", "salesforce"): "Opportunity",
    ("leads", "salesforce"): "Lead",
    ("contacts", "hubspot"): "contacts",
    ("deals", "hubspot"): "deals",
    ("leads", "hubspot"): "contacts",
}
OBJECTS = frozenset({"contacts", "deals", "leads", "links"})
_IDS = ("id", "converted_contact_id", "converted_deal_id")


@dataclass
class LoadReport:
    """What became of the files: how many rows of each went into which CRM, and what was left out.

    `loaded` counts by (kind, CRM). `faults` has a line for each of the first 1,000 bad rows, `bad_rows` counts all.
    `ignored` are the columns that are not ours, by file; `strange` the files of no kind that is known; `notes` counts
    what else is to be said. `ids` gives the CRM's id by (kind, CRM, own id).
    """

    loaded: Counter[tuple[str, str]] = field(default_factory=Counter)
    bad_rows: int = 0
    faults: list[str] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    ids: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def fault(self, file: str, line: int, why: str) -> None:
        self.bad_rows += 1
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(f"{file}:{line}: {why}")


@dataclass
class Loading:
    """Loads sheet by sheet, in the order of their kinds; then `settle` links who is there."""

    salesforce: LocalSalesforce
    hubspot: LocalHubSpot
    report: LoadReport = field(default_factory=LoadReport)
    _accounts: dict[str, str] = field(default_factory=dict)
    _names: dict[tuple[str, str], str] = field(default_factory=dict)
    _people: People = field(default_factory=People)
    _wanted: list[Wanted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._salesforce_deals = SalesforceDeals(self.salesforce)
        self._hubspot_deals = HubSpotDeals(self.hubspot)
        self._owners = Owners(self.salesforce, self.hubspot)

    def read(self, known: Known, progress: Callable[[str, str, int], None]) -> None:
        """Loads one sheet."""
        kind, file = known.layout.name, known.sheet.name
        entries = self._good(kind, file, known)
        while batch := list(islice(entries, _BATCH)):
            if kind in ("accounts", "owners"):
                self._learn_names(kind, batch)
            elif kind != "links":
                for crm in CRMS:
                    self._keep(kind, file, [entry for entry in batch if entry.crm == crm])
            progress("load", file, len(batch))

    def _good(self, kind: str, file: str, rows: Iterable[Entry | Faulty]) -> Iterator[Entry]:
        """The rows that can be used, with what other tables say of their ids; and their links, kept for later."""
        for item in rows:
            if isinstance(item, Faulty):
                self.report.fault(file, item.line, item.why)
                continue
            try:
                entry = self._completed(kind, item)
                if kind in OBJECTS:
                    wanted = list(of_row(kind, file, entry))
                    self._wanted += wanted
                    if not wanted and "person_emails" in entry.cells:
                        self.report.notes[f"{file}: a deal that names its people without id or address"] += 1
            except BadRow as bad:
                self.report.fault(file, item.line, str(bad))
            else:
                yield entry

    def _completed(self, kind: str, entry: Entry) -> Entry:
        cells = dict(entry.cells)
        if kind in ("contacts", "leads") and "id" not in entry.columns and "email" in cells:
            cells["id"] = cells["email"].casefold()
        if kind == "deals" and "id" not in entry.columns and "name" in cells:
            cells["id"] = cells["name"]
        cells |= {column: own_id(cells[column]) for column in _IDS if column in cells}
        for column, names, named_by in (("company", "accounts", "account_id"), ("owner", "owners", "owner_id")):
            if column not in cells and named_by in cells:
                name = self._names.get((names, own_id(cells[named_by])))
                cells |= {column: name} if name else {}
        if "full_name" in cells and "last_name" not in cells:
            cells["first_name"], _, cells["last_name"] = cells["full_name"].rpartition(" ")
        if kind != "links":
            replace(entry, cells=cells).need("id")
        return replace(entry, cells={column: text for column, text in cells.items() if text})

    def _learn_names(self, kind: str, entries: Iterable[Entry]) -> None:
        for entry in entries:
            said = entry.cells.get
            parts = " ".join(filter(None, (said("first_name"), said("last_name"))))
            if name := said("name") or parts or said("email"):
                self._names[kind, entry.cells["id"]] = name

    def _keep(self, kind: str, file: str, entries: Sequence[Entry]) -> None:
        self._open_accounts(entry for entry in entries if entry.crm == "salesforce" and kind != "leads")
        rows: list[tuple[Entry, Row]] = []
        seen: set[str] = set()
        for entry in entries:
            own = entry.cells["id"]
            again = own in seen or (kind, entry.crm, own) in self.report.ids
            if again and kind == "deals" and {"person_ids", "person_emails"} & entry.cells.keys():
                continue  # a report has a row for each of a deal's people: the link is all that is new
            try:
                if again:
                    raise BadRow("id stands in an earlier row too")
                rows.append((entry, self._row(kind, file, entry)))
            except BadRow as bad:
                self.report.fault(file, entry.line, str(bad))
            else:
                seen.add(own)
        if rows:
            self._load(kind, file, rows)

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

    def _row(self, kind: str, file: str, entry: Entry) -> Row:
        row = self._salesforce_row(kind, entry) if entry.crm == "salesforce" else self._hubspot_row(kind, file, entry)
        return {**row, **self._owners.cells(entry)}

    def _salesforce_row(self, kind: str, entry: Entry) -> Row:
        if kind == "contacts":
            return salesforce_contact(entry, self._account(entry))
        if kind == "deals":
            return self._salesforce_deals.row(entry, self._account(entry))
        return {**salesforce_lead(entry), **self._conversion(entry)}

    def _hubspot_row(self, kind: str, file: str, entry: Entry) -> Row:
        if kind == "deals":
            return self._hubspot_deals.row(entry)
        row = hubspot_person(entry)
        for column, read in (("status", lead_status), ("stage", lifecycle_stage)):
            text = entry.cells.get(column)
            if text and read(text) is None:
                self.report.notes[f"{file}: a {column} that HubSpot does not ship with, left empty"] += 1
        return row

    def _conversion(self, entry: Entry) -> Row:
        """What a converted lead points at. Where only a flag says that it is converted, the contact is the one with its
        address, or is made of it."""
        said = entry.cells.get
        contact = self._there("contacts", entry, "converted_contact_id")
        if contact is None and flag("converted", said("converted")):
            contact = self._people.find("salesforce", said("email") or "@") or self._made_contact(entry)
        if contact is None:
            if "converted_deal_id" in entry.cells:
                raise BadRow("converted_deal_id needs a converted_contact_id beside it")
            return {}
        return {
            "IsConverted": True, "ConvertedDate": times(entry).modified.date().isoformat(),
            "ConvertedContactId": contact,
            "ConvertedOpportunityId": self._there("deals", entry, "converted_deal_id"),
            "ConvertedAccountId": self._accounts.get(entry.cells.get("company", "")),
            "Status": said("status") or "Closed - Converted",
        }  # fmt: skip

    def _made_contact(self, entry: Entry) -> str:
        self._open_accounts([entry])
        row = salesforce_contact(entry, self._account(entry))
        try:
            return self.salesforce.load("Contact", [{**row, **self._owners.cells(entry)}])[0]
        except ApiError as refusal:
            raise BadRow(refused(refusal)) from None

    def _there(self, kind: str, entry: Entry, column: str) -> str | None:
        """The CRM's id of the record that a cell names; None for an empty cell."""
        own = entry.cells.get(column)
        if own is not None and (kind, entry.crm, own) not in self.report.ids:
            raise BadRow(f"{column} names none of the {kind} that were loaded into {entry.crm}")
        return self.report.ids[kind, entry.crm, own] if own else None

    def _load(self, kind: str, file: str, rows: Sequence[tuple[Entry, Row]]) -> None:
        """All at once; one by one where the CRM refuses one of them."""
        try:
            self._put(kind, rows)
        except (ApiError, ValueError):
            for item in rows:
                try:
                    self._put(kind, [item])
                except (ApiError, ValueError) as refusal:
                    self.report.fault(file, item[0].line, refused(refusal))

    def _put(self, kind: str, rows: Sequence[tuple[Entry, Row]]) -> None:
        crm = rows[0][0].crm
        load = self.salesforce.load if crm == "salesforce" else self.hubspot.load
        ids = load(_TARGETS[kind, crm], (row for _, row in rows))
        self.report.loaded[kind, crm] += len(rows)
        for (entry, row), record in zip(rows, ids, strict=True):
            self.report.ids[kind, crm, entry.cells["id"]] = record
            stands_for = row.get("ConvertedContactId") if (kind, crm) == ("leads", "salesforce") else record
            if kind != "deals" and stands_for:
                self._people.add(entry, str(stands_for))

    def settle(self) -> None:
        """Links everybody who is there to the deals that are there."""
        for name, crm in (("salesforce", self.salesforce), ("hubspot", self.hubspot)):
            pairs: dict[tuple[str, str], tuple[Wanted, str, str]] = {}
            for wanted in self._wanted:
                if wanted.crm == name and (ends := self._ends(wanted)):
                    pairs.setdefault(ends, (wanted, *ends))
            failed = 0
            for wanted, why in put(crm, list(pairs.values())):
                failed += 1
                self.report.fault(wanted.file, wanted.line, why)
            if pairs:
                self.report.loaded["links", name] += len(pairs) - failed

    def _ends(self, wanted: Wanted) -> tuple[str, str] | None:
        deal = self.report.ids.get(("deals", wanted.crm, wanted.deal))
        person = self._people.find(wanted.crm, wanted.person)
        if deal and person:
            return deal, person
        if not wanted.strict:
            self.report.notes[f"{wanted.file}: an association with a record that was not loaded into {wanted.crm}"] += 1
        elif deal is None:
            self.report.fault(
                wanted.file, wanted.line, f"deal_id names none of the deals that were loaded into {wanted.crm}"
            )
        else:
            self.report.fault(
                wanted.file,
                wanted.line,
                f"person_id names nobody who was loaded into {wanted.crm} and can stand on a deal",
            )
        return None
