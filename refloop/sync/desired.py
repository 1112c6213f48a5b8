"""What each record should say, read out of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from refloop.ledger import summaries
from refloop.ledger.codes import code_of
from refloop.ledger.identity import canonical_deals
from refloop.ledger.labels import labels, lacking
from refloop.ledger.records import records_of
from refloop.ledger.reviews import review_items_of
from refloop.ledger.store import Ledger
from refloop.mapping.claims import NOBODYS_DOING
from refloop.mapping.days import zone_named
from refloop.mapping.fields import (
    BuyerView,
    Desired,
    ReferralView,
    ReferrerView,
    deal_view,
    desired_for_buyer,
    desired_for_referrer,
    person_view,
    referrer_view,
)
from refloop.mapping.match import READING_REASONS
from refloop.mapping.policy import Policy
from refloop.mapping.reasons import Reader, Refused, answer_to_items, answer_to_refused, void_sentence
from refloop.model import Kind, Record, Ref, ReviewItem
from refloop.sync.context import zones_of


class DesiredState:
    """Tells what should stand on records, for one policy."""

    def __init__(self, ledger: Ledger, policy: Policy) -> None:
        self._ledger = ledger
        self._policy = policy
        self._currency = cache(self._currency_of)
        self._zones = zones_of(ledger, policy)
        self._labels = labels(ledger)
        self._lacking = lacking(ledger)

    def of(self, records: Sequence[Record]) -> dict[Ref, dict[str, Desired]]:
        """The desired fields of each record, but for those of a later refloop that its account lacks. A converted lead
        has none: its contact and deal speak for it."""
        refs = [record.ref for record in records]
        converted = summaries.converted_among(self._ledger, refs)
        held = _by_record(summaries.held_by(self._ledger, refs))
        void = _by_record(summaries.void_on(self._ledger, refs))
        buyers = self._of_persons(held) | self._of_deals([ref for ref in refs if ref.kind is Kind.DEAL])
        answers = self._answers(refs, held, void)
        referrers = self._of_referrers([record for record in records if record.ref.kind is Kind.CONTACT])
        prefix = self._policy.names.prefix
        told: dict[Ref, dict[str, Desired]] = {}
        for record in records:
            ref = record.ref
            if ref in converted:
                continue
            told[ref] = desired_for_buyer(
                buyers.get(ref), prefix, answer=answers.get(ref, ""), ended=_ended(void.get(ref, ()))
            )
            if ref.kind is Kind.CONTACT:
                told[ref] |= desired_for_referrer(referrers.get(ref), prefix)
            for kind, name in self._lacking.get(ref.connection, ()):
                if kind is ref.kind and self._policy.spec(name).is_later:
                    told[ref].pop(name, None)
        return told

    def _reader(self, ref: Ref) -> Reader:
        zone = zone_named(self._zones.get(ref.connection))
        return Reader(ref.connection, ref.kind, self._labels, zone, self._policy.names("code"))

    def _of_persons(self, held: Mapping[Ref, Sequence[ReferralView]]) -> dict[Ref, BuyerView]:
        """A person's record tells of the buyer's first referral that counts."""
        persons = {ref: views[0] for ref, views in held.items() if ref.kind is not Kind.DEAL}
        return {ref: person_view(first, self._reader(ref)) for ref, first in persons.items()}

    def _of_deals(self, refs: Sequence[Ref]) -> dict[Ref, BuyerView]:
        """A deal tells of the referral with the largest share in it; a mirrored deal what its original does."""
        speaker = canonical_deals(self._ledger, refs)
        originals = {speaker[ref] for ref in refs}
        deals = {record.ref: record for record in records_of(self._ledger, originals)}
        first: dict[Ref, ReferralView] = {}
        for held in summaries.credited_on(self._ledger, originals):
            first.setdefault(held.ref, held)
        told = {ref: original for ref in refs if (original := speaker[ref]) in first}
        return {ref: deal_view(deals[one], first[one], self._reader(ref)) for ref, one in told.items()}

    def _answers(
        self,
        refs: Sequence[Ref],
        held: Mapping[Ref, Sequence[ReferralView]],
        void: Mapping[Ref, Sequence[ReferralView]],
    ) -> dict[Ref, str]:
        """What is said of the codes that people typed into our field and that do not count."""
        field, found = self._policy.names("code"), dict[Ref, str]()
        asked: dict[Ref, list[ReviewItem]] = {}
        for item in review_items_of(self._ledger, refs, READING_REASONS):
            if item.field == field:
                asked.setdefault(item.ref, []).append(item)
        typed = summaries.typed_among(self._ledger, refs, field)
        keys = {key for items in asked.values() for item in items for key in item.candidates}
        codes = {key: code for key in sorted(keys) if (code := code_of(self._ledger, key))}
        for ref, items in asked.items():
            if ref not in typed:
                found[ref] = answer_to_items(items, codes)
        for ref, key in typed.items():
            refused = next((view for view in void.get(ref, ()) if view.key == key), None)
            if refused is not None and refused.void is not None:
                beside = next((view.told for view in held.get(ref, ())), None)
                told = Refused(refused.code, refused.void, refused.reason, beside)
                found[ref] = answer_to_refused(told, self._reader(ref))
        return found

    def _of_referrers(self, contacts: Sequence[Record]) -> dict[Ref, ReferrerView]:
        emails = {email for record in contacts for email in record.addresses}
        referrers = summaries.referrers_by_email(self._ledger, emails)
        views: dict[Ref, ReferrerView] = {}
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


def _by_record(views: Iterable[ReferralView]) -> dict[Ref, list[ReferralView]]:
    found: dict[Ref, list[ReferralView]] = {}
    for view in views:
        found.setdefault(view.ref, []).append(view)
    return found


def _ended(views: Sequence[ReferralView]) -> str:
    """Why none of a record's referrals counts; "" where it never had any, or none that should have been one."""
    told = (view for view in views if view.void and view.reason not in NOBODYS_DOING)
    return next((void_sentence(view.code, view.void, view.reason) for view in told if view.void), "")


def counted_currency(ledger: Ledger, policy: Policy, connection: str) -> str | None:
    """The one currency in which referrers are told what they won, in a connection; None where nobody knows it."""
    return declared_currency(ledger, policy, connection) or summaries.usual_currency(ledger, connection)


def declared_currency(ledger: Ledger, policy: Policy, connection: str) -> str | None:
    """The same where config.yaml or the account says it: no deal has to be looked at."""
    return policy.plan.currencies.get(connection) or summaries.own_currency(ledger, connection)
