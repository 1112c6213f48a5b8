"""Rows of one kind -> the page that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from refloop.connectors.hubspot.answers import Labels, Row
from refloop.connectors.hubspot.client import BATCH, Client, chunks
from refloop.connectors.hubspot.records import Reader
from refloop.connectors.hubspot.search import Filter, Query, fits
from refloop.model import Kind, Link, Page, Ref, Relation

Links = Mapping[str, Mapping[str, Labels]]
"""The contacts of each deal, by their ids, with their labels."""


def page_of(reader: Reader, kind: Kind, rows: Sequence[Row], linked: Links) -> Page:
    """The records and links that the rows show; the links of the `linked` deals are whole."""
    links = [link for row in rows for link in reader.links(kind, row)]
    whole = tuple((Ref(reader.connection, Kind.DEAL, deal), Relation.ASSOCIATED_WITH) for deal in linked)
    for source, relation in whole:
        for person in sorted(linked[source.id], key=int):
            there = Ref(reader.connection, Kind.CONTACT, person)
            links.append(Link(source, relation, there, labels=linked[source.id][person]))
    return Page(tuple(reader.record(kind, row) for row in rows), tuple(links), whole)


def archived_page(reader: Reader, kind: Kind, rows: Sequence[Row]) -> Page:
    """The records of rows that HubSpot showed as archived, whatever each row says itself; and what was merged into them
    while they were there, which HubSpot shows nowhere else any more."""
    links = tuple(link for row in rows for link in reader.links(kind, row))
    return Page(tuple(reader.record(kind, replace(row, archived=True)) for row in rows), links)


def query_of(reader: Reader, kind: Kind, *alternatives: Filter) -> Query:
    """A search for whole records: without properties where its body has no room for all, `completed` brings them."""
    wanted = reader.properties(kind)
    return Query(kind, alternatives, wanted if fits(wanted) else ())


def completed(client: Client, reader: Reader, query: Query, rows: Sequence[Row]) -> Sequence[Row]:
    """What a search of `query_of` found, with all properties. Raises what `Client` raises."""
    if query.properties:
        return rows
    wanted = reader.properties(query.kind)
    ids = [row.id for row in rows]
    return [row for chunk in chunks(ids, BATCH) for row in client.batch_read(query.kind, chunk, wanted).rows]


def linked_contacts(client: Client, kind: Kind, rows: Sequence[Row]) -> Links:
    """The contacts of the rows, where they are deals. Raises what `Client` raises."""
    return client.contacts_of([row.id for row in rows]) if kind is Kind.DEAL and rows else {}
