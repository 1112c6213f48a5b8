"""What each record should say, read out of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from refloop.ledger import summaries
from refloop.ledger.identity import canonical_deals
from refloop.ledger.records import records_of
from refloop.ledger.store import Ledger
from refloop.mapping.days import zone_named
from refloop.mapping.fields import (
    BuyerView,
    Desired,
    ReferrerView,
    deal_view,
    desired_for_buyer,
    desired_for_referrer,
    person_view,
    referrer_view,
)
from refloop.mapping.policy import Policy
from refloop.model import Kind, Record, Ref
from refloop.sync.context import zones_of


class DesiredState:
    """Tells what should stand on records, for one policy."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._currency = cache(self._currency_of)
        self._zones = zones_of(ledger, policy)

    def of(self, records: Sequence[Record]) -> dict[Ref, dict[str, Desired]]:
        """The desired fields of each record. A converted lead has none: its contact and deal speak for it."""
        refs = [record.ref for record in records]
        converted = summaries.converted_among(self._ledger, refs)
        buyers = self._of_persons(refs) | self._of_deals([ref for ref in refs if ref.kind is Kind.DEAL])
        referrers = self._of_referrers([record for record in records if record.ref.kind is Kind.CONTACT])
        told: dict[Ref, dict[str, Desired]] = {}
        for record in records:
            if record.ref in converted:
                continue
            told[record.ref] = desired_for_buyer(buyers.get(record.ref), self._policy.names.prefix)
            if record.ref.kind is Kind.CONTACT:
                told[record.ref] |= desired_for_referrer(referrers.get(record.ref), self._policy.names.prefix)
        return told

    def _of_persons(self, refs: Iterable[Ref]) -> dict[Ref, BuyerView]:
        """A person's record tells of the buyer's first referral that counts."""
        views: dict[Ref, BuyerView] = {}
        for held in summaries.held_by(self._ledger, [ref for ref in refs if ref.kind is not Kind.DEAL]):
            views.setdefault(held.ref, person_view(held))
        return views

    def _of_deals(self, refs: Sequence[Ref]) -> dict[Ref, BuyerView]:
        """A deal tells of the referral with the largest share in it; a mirrored deal what its original does."""
        speaker = canonical_deals(self._ledger, refs)
        originals = {speaker[ref] for ref in refs}
        deals = {record.ref: record for record in records_of(self._ledger, originals)}
        told: dict[Ref, BuyerView] = {}
        for held in summaries.credited_on(self._ledger, originals):
            told.setdefault(held.ref, deal_view(deals[held.ref], held))
        return {ref: told[speaker[ref]] for ref in refs if speaker[ref] in told}

    def _of_referrers(self, contacts: Sequence[Record]) -> dict[Ref, ReferrerView]:
        emails = {email for record in contacts for email in record.addresses}
        referrers = summaries.referrers_by_email(self._ledger, emails)
        views = {}
        for record in contacts:
            names = sorted({name for email in record.addresses for name in referrers.get(email, ())})
            view = self._referrer_view(names, record.ref.connection)
            if view is not None:
                views[record.ref] = view
        return views

    def _referrer_view(self, names: Sequence[str], connection: str) -> ReferrerView | None:
        return referrer_view(
            [item for name in names for item in summaries.standings_of(self._ledger, name)],
            summaries.won_by(self._ledger, names),
            self._currency(connection),
            zone_named(self._zones.get(connection)),
            converted=self._policy.plan.converted,
        )

    def _currency_of(self, connection: str) -> str | None:
        return counted_currency(self._ledger, self._policy, connection)


def counted_currency(ledger: Ledger, policy: Policy, connection: str) -> str | None:
    """The one currency in which referrers are told what they won, in a connection; None where nobody knows it."""
    return declared_currency(ledger, policy, connection) or summaries.usual_currency(ledger, connection)


def declared_currency(ledger: Ledger, policy: Policy, connection: str) -> str | None:
    """The same where config.yaml or the account says it: no deal has to be looked at."""
    return policy.plan.currencies.get(connection) or summaries.own_currency(ledger, connection)
