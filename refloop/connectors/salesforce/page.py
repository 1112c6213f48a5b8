"""Rows of each object -> the page that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refloop.connectors.salesforce.answers import Row
from refloop.connectors.salesforce.client import ForeignAnswer
from refloop.connectors.salesforce.names import OBJECTS, ROLE
from refloop.connectors.salesforce.organization import Organization
from refloop.connectors.salesforce.records import Reader, currency_of, has_day
from refloop.model import Kind, Link, Page, Record

KINDS: Mapping[str, Kind] = {name: kind for kind, name in OBJECTS.items()}


class Pages:
    """Makes the pages of a pull; asks the org what its rows do not say, once, when the first row needs it."""

    def __init__(self, reader: Reader, organization: Organization) -> None:
        self.reader = reader
        self._organization = organization

    def page(self, rows: Mapping[str, Sequence[Row]]) -> Page:
        """Raises as `page_of` and as `Client` do."""
        if self.reader.zone is None and any(has_day(row) for some in rows.values() for row in some):
            self.reader = replace(self.reader, zone=self._organization.zone())
        currencies = set(filter(None, map(currency_of, rows.get(OBJECTS[Kind.DEAL], ()))))
        if not currencies <= self.reader.rates.currencies:
            self.reader = replace(self.reader, rates=self._organization.rates(currencies))
        return page_of(self.reader, rows)


def page_of(reader: Reader, rows: Mapping[str, Sequence[Row]]) -> Page:
    """The records and links that the rows show, by object. Raises CrmUnavailable for a row that makes no sense."""
    records: list[Record] = []
    links: list[Link] = []
    for name, some in rows.items():
        for row in some:
            try:
                _keep(reader, name, row, records, links)
            except ValueError as error:
                raise ForeignAnswer(f"for {name} {row.get('Id')}", str(error)) from None
    return Page(records=tuple(records), links=tuple(links))


def _keep(reader: Reader, name: str, row: Row, records: list[Record], links: list[Link]) -> None:
    if name == ROLE:
        links.extend(reader.role(row))
        return
    records.append(reader.record(KINDS[name], row))
    links.extend(reader.links(KINDS[name], row))
