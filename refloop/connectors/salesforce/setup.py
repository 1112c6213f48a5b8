"""What provisioning and taking back have in common: looking around in Setup, and telling what was done there."""

from __future__ import annotations

from collections.abc import Sequence

from refloop.connectors.salesforce import errors
from refloop.connectors.salesforce.answers import Row, first_error, row_page
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part, PartAnswer
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.soql import quoted_id
from refloop.errors import AuthError
from refloop.model import Finding, Level

_DEPLOY = "or let an administrator deploy what `refloop provision --print-metadata` prints."
CUSTOMIZE = f"Give the user who provisions the permission Customize Application, {_DEPLOY}"
MANAGE = (
    "Give the user who provisions the permissions Manage Profiles and Permission Sets, and Assign Permission Sets, "
    f"{_DEPLOY}"
)
VIEW = f"Give the user who provisions the permission View Setup and Configuration, {_DEPLOY}"
LICENCE = (
    "Give the run user the permission set licence Salesforce API Integration (Setup > Users > the user > Permission "
    "Set License Assignments), then run `refloop provision` again."
)
"""Salesforce help, "Give Integration Users API Only Access": the licence Salesforce Integration alone allows no rights
on objects."""


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
            except AuthError as error:
                raise AuthError(error.message, remedy=VIEW) from None
            rows.extend(page.rows)
            last = page.last
        return rows

    def done(self, place: str, what: str) -> Finding:
        """The finding for something that was done, or need not be."""
        return Finding(Level.INFO, f"{self._connection}: {place}", what)

    def told(self, place: str, what: str, how: str) -> Finding:
        """The finding for what is left to people, with how to do it."""
        return Finding(Level.INFO, f"{self._connection}: {place}", what, how)

    def left(self, place: str, what: str, remedy: str) -> Finding:
        """The finding for something that was left alone on purpose."""
        return Finding(Level.WARNING, f"{self._connection}: {place}", what, remedy)

    def failed(self, place: str, what: str, remedy: str) -> Finding:
        """The finding for something that could not be done."""
        return Finding(Level.ERROR, f"{self._connection}: {place}", what, remedy)


def refusal(answer: PartAnswer, what: str, needs: str) -> tuple[str, str]:
    """The code and the org's own sentence of a call that changed nothing. Raises AuthError, with the sentence and what
    the user `needs`, where he may not do `what`."""
    told = answer.body.get("errors") if isinstance(answer.body, dict) else answer.body
    code, message = first_error(told)
    failure = errors.failure(answer.status, answer.body, what)
    if isinstance(failure, AuthError):
        raise AuthError(": ".join(filter(None, (failure.message, message))), remedy=needs)
    return code, message


def only_id(name: str, rows: Sequence[Row]) -> str:
    """The id of the one row there should be. Raises CrmUnavailable for none, many or nonsense."""
    try:
        (row,) = rows
        return record_id(row.get("Id"))
    except ValueError:
        raise ForeignAnswer(f"a query of {name}", "it is not the one row there should be") from None
