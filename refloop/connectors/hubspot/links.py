"""The contacts of deals, as HubSpot's default associations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from refloop.connectors.hubspot.batch import reason_of
from refloop.connectors.hubspot.client import BATCH, Client
from refloop.connectors.hubspot.look import is_usable
from refloop.connectors.links import Pair
from refloop.errors import AuthError, ConfigError, CrmUnavailable, FateUnknown, TryLater
from refloop.model import Ref, Verdict

NOT_THERE = "HubSpot took the call, and the link is not as it was to be"


_TROUBLE = (AuthError, ConfigError, CrmUnavailable, TryLater)


class Associations:
    """The associations of deals with contacts in one account.

    HubSpot has no condition for them: look, write and read back are three calls a hundred. What it sends back because
    of one pair is sent pair by pair. Raises what `Client` raises.
    """

    most = BATCH

    def __init__(self, client: Client, connection: str) -> None:
        self._client = client
        self._connection = connection

    def usable(self, ref: Ref) -> str | None:
        return ref.id if is_usable(ref, self._connection) else None

    def linked(self, pairs: Sequence[Pair]) -> Set[Pair]:
        contacts = self._client.contacts_of(list(dict.fromkeys(pair.deal for pair in pairs)))
        return {pair for pair in pairs if pair.contact in contacts[pair.deal]}

    def write(self, pairs: Sequence[Pair], *, linked: bool) -> Mapping[Pair, tuple[Verdict, str]]:
        try:
            error = self._client.write_links(pairs, linked=linked)
        except FateUnknown as failure:
            return dict.fromkeys(pairs, (Verdict.UNKNOWN, failure.message))
        except TryLater as failure:
            return dict.fromkeys(pairs, (Verdict.DEFERRED, failure.message))
        if error is None:
            return self._read_back(pairs, linked=linked)
        if len(pairs) == 1:
            return {pairs[0]: (Verdict.REFUSED, reason_of(error))}
        return self._one_by_one(pairs, linked=linked)

    def _one_by_one(self, pairs: Sequence[Pair], *, linked: bool) -> Mapping[Pair, tuple[Verdict, str]]:
        """Trouble with the first pair is raised; later it leaves the rest for the next run, and what is known told."""
        fates: dict[Pair, tuple[Verdict, str]] = {}
        for pair in pairs:
            try:
                fates |= self.write([pair], linked=linked)
            except _TROUBLE as failure:
                if not fates:
                    raise
                return fates | {left: (Verdict.DEFERRED, failure.message) for left in pairs if left not in fates}
        return fates

    def _read_back(self, pairs: Sequence[Pair], *, linked: bool) -> Mapping[Pair, tuple[Verdict, str]]:
        try:
            there = self.linked(pairs)
        except _TROUBLE as failure:
            return dict.fromkeys(pairs, (Verdict.UNKNOWN, failure.message))
        return {
            pair: (Verdict.WRITTEN, "") if (pair in there) is linked else (Verdict.REFUSED, NOT_THERE) for pair in pairs
        }
