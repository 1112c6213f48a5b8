"""What a person should look at about those who stand on a deal, and about those who do not. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property

from refloop.mapping.credit import closed_before
from refloop.mapping.namesakes import may_be_one_person
from refloop.mapping.roles import RoleWords, Stand, is_buyer, is_referrer, sides_of
from refloop.model import Outcome, Record, Ref, Referral, ReviewItem, ReviewReason, Side

Holding = Mapping[Ref, Sequence[Referral]]
"""Record -> the referrals that hold it."""


@dataclass(frozen=True)
class Party:
    """Who stands on a deal, taken together from all records that are this deal, and what the ledger knows of them.

    `deals` are those records, `holding` the referrals of them and of the persons, `issued` the keys of the codes that
    each of the persons hands out, `roles` what the words for them say, `zone` where its people read days.
    """

    deals: Collection[Ref]
    stands: Sequence[Stand] = ()
    holding: Holding = field(default_factory=dict)
    issued: Mapping[Ref, tuple[str, ...]] = field(default_factory=dict)
    roles: RoleWords = field(default_factory=dict)
    zone: tzinfo = UTC

    @cached_property
    def buyers(self) -> list[Ref]:
        """The persons who stand on it as buyers, sorted."""
        return sorted({stand.person for stand in self.stands if is_buyer(stand, self.roles)})

    @cached_property
    def held(self) -> list[Referral]:
        """The referrals of the deal itself and of its buyers, each once."""
        return self._of((*self.deals, *self.buyers))

    @cached_property
    def referrers(self) -> list[Stand]:
        """Who stands on it as its referrer; and who stands on it without a word, while another buyer came by a code of
        theirs."""
        codes = {referral.code for referral in self.held if referral.void is None}
        return [
            stand
            for stand in self.stands
            if is_referrer(stand, self.roles)
            or (not stand.words and not codes.isdisjoint(self.issued.get(stand.person, ())))
        ]

    @cached_property
    def eligible(self) -> list[Referral]:
        """The referrals to which the deal belongs: those of its buyers, but for those that hold a referrer of it."""
        excluded = {referral.id for referral in self._of(stand.person for stand in self.referrers)}
        return [referral for referral in self.held if referral.id not in excluded]

    def of_person(self, person: Ref) -> list[Referral]:
        """The referrals that hold a person."""
        return self._of([person])

    def _of(self, refs: Iterable[Ref]) -> list[Referral]:
        found = {referral.id: referral for ref in refs for referral in self.holding.get(ref, ())}
        return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class Suspects:
    """By whom a deal may have come, though nothing says so: the referrals that hold somebody of its company, and those
    that hold somebody of the name of a buyer, with the record of each of the two."""

    by_company: Sequence[Referral] = ()
    by_name: Sequence[tuple[Record, Record, Referral]] = ()


def review_party(deal: Record, party: Party) -> list[ReviewItem]:
    """What a person should look at about who stands on a deal: nothing where it is lost or gone."""
    if deal.deleted or deal.outcome is Outcome.LOST:
        return []
    return [*_two_sides(deal, party), *_only_a_role(deal, party)]


def candidates_by_company(deal: Record, party: Party, suspects: Suspects) -> list[Referral]:
    """The referrals by which a deal may have come, by its company alone: no buyer stands on it, nor does a referral
    hold the deal itself, and they were made before it ended."""
    return [] if party.buyers or party.held else _counting(deal, suspects.by_company, party.zone)


def review_company(deal: Record, party: Party, suspects: Suspects) -> list[ReviewItem]:
    """Asks by which referral of its company a won deal came on which nobody stands as a buyer."""
    found = candidates_by_company(deal, party, suspects)
    if deal.deleted or deal.outcome is not Outcome.WON or not found:
        return []
    return [ReviewItem(deal.ref, ReviewReason.NO_BUYER, "account", deal.account or "", _names(found))]


def review_names(deal: Record, party: Party, suspects: Suspects) -> list[ReviewItem]:
    """Asks whether a buyer of a won deal that belongs to no referral is a referred person of the same name."""
    if deal.deleted or deal.outcome is not Outcome.WON or _counting(deal, party.eligible, party.zone):
        return []
    named: dict[Ref, list[Referral]] = {}
    for buyer, other, referral in suspects.by_name:
        if may_be_one_person(buyer, other):
            named.setdefault(buyer.ref, []).append(referral)
    return [
        ReviewItem(deal.ref, ReviewReason.SAME_NAME, "name", str(ref), _names(counting))
        for ref, referrals in sorted(named.items())
        if (counting := _counting(deal, referrals, party.zone))
    ]


def _two_sides(deal: Record, party: Party) -> list[ReviewItem]:
    """Who stands on the deal as its referrer and as its buyer."""
    return [
        ReviewItem(
            deal.ref,
            ReviewReason.REFERRER_IS_BUYER,
            ", ".join(stand.words) or "roles",
            str(stand.person),
            _names(party.of_person(stand.person)),
        )
        for stand in party.referrers
        if Side.BUYER in sides_of(stand, party.roles)
    ]


def _only_a_role(deal: Record, party: Party) -> list[ReviewItem]:
    """Who stands on the deal as its referrer, while no code says so: there is none, or it is another's."""
    codes = {referral.code for referral in _counting(deal, party.eligible, party.zone)}
    return [
        ReviewItem(deal.ref, ReviewReason.ONLY_A_ROLE, ", ".join(stand.words), str(stand.person), issued)
        for stand in party.referrers
        if Side.BUYER not in sides_of(stand, party.roles)
        and codes.isdisjoint(issued := party.issued.get(stand.person, ()))
        and (issued or not codes)
    ]


def _counting(deal: Record, referrals: Sequence[Referral], zone: tzinfo) -> list[Referral]:
    """Each once, those that count and were made before the deal ended."""
    found = {referral.id: referral for referral in referrals}
    return [
        referral
        for _, referral in sorted(found.items())
        if referral.void is None and not closed_before(deal, referral, zone)
    ]


def _names(referrals: Sequence[Referral]) -> tuple[str, ...]:
    return tuple(sorted({referral.id for referral in referrals if referral.void is None}))


PARTY_REASONS = frozenset(
    {ReviewReason.NO_BUYER, ReviewReason.ONLY_A_ROLE, ReviewReason.REFERRER_IS_BUYER, ReviewReason.SAME_NAME}
)
"""Why `review_party`, `review_company` and `review_names` ask for a person."""
