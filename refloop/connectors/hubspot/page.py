"""Rows of one kind -> the page that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.records import Reader
from refloop.model import Kind, Link, Page, Ref, Relation

Links = Mapping[str, frozenset[str]]
"""The ids of the contacts of each deal."""


def page_of(reader: Reader, kind: Kind, rows: Sequence[Row], linked: Links) -> Page:
    """The records and links that the rows show; the links of the `linked` deals are whole."""
    links = [link for row in rows for link in reader.links(kind, row)]
    whole = tuple((Ref(reader.connection, Kind.DEAL, deal), Relation.ASSOCIATED_WITH) for deal in linked)
    for source, relation in whole:
        people = sorted(linked[source.id], key=int)
        links.extend(Link(source, relation, Ref(reader.connection, Kind.CONTACT, person)) for person in people)
    return Page(tuple(reader.record(kind, row) for row in rows), tuple(links), whole)


def archived_page(reader: Reader, kind: Kind, rows: Sequence[Row]) -> Page:
    """The records of rows that HubSpot showed as archived, whatever each row says itself; and what was merged into them
    while they were there, which HubSpot shows nowhere else any more."""
    links = tuple(link for row in rows for link in reader.links(kind, row))
    return Page(tuple(reader.record(kind, replace(row, archived=True)) for row in rows), links)


def linked_contacts(client: Client, kind: Kind, rows: Sequence[Row]) -> Links:
    """The contacts of the rows, where they are deals. Raises what `Client` raises."""
    return client.contacts_of([row.id for row in rows]) if kind is Kind.DEAL and rows else {}
