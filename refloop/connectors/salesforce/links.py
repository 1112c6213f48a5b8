"""The contacts of opportunities, as contact roles without a role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from refloop.connectors.links import Pair
from refloop.connectors.salesforce.answers import Row, Saved, refused, row_page
from refloop.connectors.salesforce.batch import COLLECTION, HEADERS
from refloop.connectors.salesforce.client import Client, ForeignAnswer, Part, PartAnswer
from refloop.connectors.salesforce.errors import verdict
from refloop.connectors.salesforce.fields import ROLE_FIELDS
from refloop.connectors.salesforce.ids import record_id
from refloop.connectors.salesforce.look import usable_id
from refloop.connectors.salesforce.names import ROLE
from refloop.connectors.salesforce.soql import ids_query
from refloop.errors import FateUnknown, TryLater
from refloop.model import Ref, Verdict

UNKNOWN_FATE = "the answer was lost"


class ContactRoles:
    """The contact roles of one org: a look and a write for two hundred. Raises as `Client` does.

    A contact may stand on an opportunity in several roles: taking the link away takes them all.
    """

    most = COLLECTION

    def __init__(self, client: Client, connection: str) -> None:
        self._client = client
        self._connection = connection
        self._roles: dict[Pair, list[str]] = {}

    def usable(self, ref: Ref) -> str | None:
        return usable_id(ref, self._connection)

    def linked(self, pairs: Sequence[Pair]) -> Set[Pair]:
        self._roles = {}
        after: str | None = ""
        deals = list(dict.fromkeys(pair.deal for pair in pairs))
        while after is not None:
            query = {"q": ids_query(ROLE, ROLE_FIELDS, ("OpportunityId", deals), after)}
            body = self._client.call(Part("roles", "GET", "query", query))
            try:
                page = row_page(ROLE, body, after)
                for row in page.rows:
                    self._note(row)
            except ValueError as error:
                raise ForeignAnswer(f"a query of {ROLE}", str(error)) from None
            after = page.last
        return {pair for pair in pairs if pair in self._roles}

    def _note(self, row: Row) -> None:
        if row.get("ContactId"):
            pair = Pair(record_id(row.get("OpportunityId")), record_id(row["ContactId"]))
            self._roles.setdefault(pair, []).append(record_id(row.get("Id")))

    def write(self, pairs: Sequence[Pair], *, linked: bool) -> Mapping[Pair, tuple[Verdict, str]]:
        return self._add(pairs) if linked else self._remove(pairs)

    def _add(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Verdict, str]]:
        roles = [
            {"attributes": {"type": ROLE}, "OpportunityId": pair.deal, "ContactId": pair.contact} for pair in pairs
        ]
        body = {"allOrNone": False, "records": roles}
        results = self._sent(Part("roles", "POST", "composite/sobjects", body=body, headers=HEADERS), len(pairs))
        return dict(zip(pairs, results, strict=True))

    def _remove(self, pairs: Sequence[Pair]) -> Mapping[Pair, tuple[Verdict, str]]:
        """The worst of what became of the roles of each pair."""
        roles = [(pair, role) for pair in pairs for role in self._roles[pair]]
        fates: dict[Pair, tuple[Verdict, str]] = dict.fromkeys(pairs, (Verdict.WRITTEN, ""))
        for start in range(0, len(roles), COLLECTION):
            some = roles[start : start + COLLECTION]
            ids = {"ids": ",".join(role for _, role in some), "allOrNone": "false"}
            results = self._sent(Part("roles", "DELETE", "composite/sobjects", ids), len(some))
            for (pair, _), fate in zip(some, results, strict=True):
                fates[pair] = fates[pair] if fate[0] is Verdict.WRITTEN else fate
        return fates

    def _sent(self, part: Part, count: int) -> Sequence[tuple[Verdict, str]]:
        try:
            answer = self._client.write([part])[0]
        except FateUnknown:
            return [(Verdict.UNKNOWN, UNKNOWN_FATE)] * count
        except TryLater as error:
            return [(Verdict.DEFERRED, error.message)] * count
        return _results(answer, count)


def _results(answer: PartAnswer, count: int) -> Sequence[tuple[Verdict, str]]:
    """What became of each role of a call; where the answer does not tell, nobody knows."""
    if 400 <= answer.status < 500:
        return [verdict(refused(answer.body))] * count
    body = answer.body
    if not answer.is_good or not isinstance(body, list) or len(body) != count:
        return [(Verdict.UNKNOWN, UNKNOWN_FATE)] * count
    return [_result(one) for one in body]


def _result(one: object) -> tuple[Verdict, str]:
    if not isinstance(one, dict) or not isinstance(one.get("success"), bool):
        return Verdict.UNKNOWN, UNKNOWN_FATE
    return verdict(Saved() if one["success"] else refused(one.get("errors")))
