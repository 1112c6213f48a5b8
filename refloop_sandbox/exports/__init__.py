"""Loads a person's own exports into the local CRMs: leads, contacts, deals and the links between them.

docs/exports.md lists the columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from refloop_sandbox.exports.files import DayOrder, Entry, ExportError, Sheet
from refloop_sandbox.exports.loading import OBJECTS, Loading, LoadReport
from refloop_sandbox.exports.sheets import known_sheets
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

CODE_FIELDS = {
    "salesforce": {"lead": ["Description"], "contact": ["Description"], "deal": ["Description"]},
    "hubspot": {"contact": ["hs_analytics_first_url", "message"], "deal": ["description"]},
}
"""Where `code_text` and `first_page_url` come to stand: the connections' `code_fields`."""


def nobody_watches(stage: str, about: str, done: int) -> None:
    """The progress of what nobody watches."""


@dataclass(frozen=True)
class Wishes:
    """What the person who loads says: the `order` of dates in files that do not show it; and who hears of progress
    (the step, the file, how many rows more)."""

    order: DayOrder | None = None
    progress: Callable[[str, str, int], None] = nobody_watches


def currency_of(sheets: Sequence[Sheet]) -> str | None:
    """The currency that most of the deals for Salesforce are in, three capitals: an org here has one."""
    said: Counter[str] = Counter()
    for item in known_sheets(sheets, None)[0]:
        if item.layout.name == "deals" and "currency" in item.columns:
            said.update(
                entry.cells["currency"].upper()
                for entry in item
                if isinstance(entry, Entry) and entry.crm == "salesforce" and "currency" in entry.cells
            )
    return next((name for name, _ in said.most_common() if name.isalpha() and len(name) == 3), None)


def load_exports(
    sheets: Sequence[Sheet],
    salesforce: LocalSalesforce,
    hubspot: LocalHubSpot,
    wishes: Wishes = Wishes(),
) -> LoadReport:
    """Loads leads, contacts, deals and the links between them; accounts and owners give ids their names.

    Streams; only ids, addresses and links are kept. Bad rows are in the report, the good ones are loaded. Raises
    ExportError when a sheet as a whole cannot be used, or none is of a kind that is known.
    """
    known, strange = known_sheets(sheets, wishes.order)
    if not any(item.layout.name in OBJECTS for item in known):
        raise ExportError(
            f"none of {', '.join(sheet.name for sheet in sheets) or 'the files'} holds leads, contacts, deals or links",
            remedy="Name them contacts.csv, deals.csv, leads.csv or links.csv (docs/exports.md).",
        )
    loading = Loading(salesforce, hubspot)
    loading.report.strange = strange
    for item in known:
        if item.unused:
            loading.report.ignored[item.sheet.name] = item.unused
        loading.read(item, wishes.progress)
    loading.settle()
    return loading.report
