"""What provisioning and taking back have in common: looking around in Setup, and telling what was done there."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.connectors.salesforce.answers import Row, row_page
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.soql import quoted_id
from refloop.model import Finding, Level


class Setup:
    """The Setup of one org, for one connection."""

    def __init__(self, connection: str, client: Client) -> None:
        self._connection = connection
        self._client = client

    def query(self, name: str, columns: str, where: str, *, tooling: bool = False) -> Sequence[Row]:
        """All rows: a few hundred at most. `where` is made of constants, quoted_id and quoted_name."""
        rows: list[Row] = []
        last: str | None = ""
        path = "tooling/query" if tooling else "query"
        while last is not None:
            behind = f" AND Id > {quoted_id(last)}" if last else ""
            soql = f"SELECT Id, {columns} FROM {name} WHERE {where}{behind} ORDER BY Id"  # noqa: S608 - see above
            try:
                page = row_page(name, self._client.call(Part(name, "GET", path, {"q": soql})), last)
            except ValueError as error:
                raise ForeignAnswer(f"a query of {name}", str(error)) from None
            rows.extend(page.rows)
            last = page.last
        return rows

    def done(self, place: str, what: str) -> Finding:
        """The finding for something that was done, or need not be."""
        return Finding(Level.INFO, f"{self._connection}: {place}", what)

    def left(self, place: str, what: str, remedy: str) -> Finding:
        """The finding for something that was left alone on purpose."""
        return Finding(Level.WARNING, f"{self._connection}: {place}", what, remedy)

    def failed(self, place: str, what: str, remedy: str) -> Finding:
        """The finding for something that could not be done."""
        return Finding(Level.ERROR, f"{self._connection}: {place}", what, remedy)


def only_id(name: str, rows: Sequence[Row]) -> str:
    """The id of the one row there should be. Raises CrmUnavailable for none, many or nonsense."""
    try:
        (row,) = rows
        return record_id(row.get("Id"))
    except ValueError:
        raise ForeignAnswer(f"a query of {name}", "it is not the one row there should be") from None
