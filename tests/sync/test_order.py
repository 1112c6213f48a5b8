"""Whatever the order in which a ledger comes to know things, it ends up saying the same.

A history of what people do to two CRMs is told to one ledger bit by bit, and to another all at once, in pages of
another size. Nothing is pushed, so both see the same records in the end; both must then want the same fields.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refloop.model import Kind, Outcome, Ref, Relation
from refloop.sync.intake import BadRow, Claim, submit
from refloop.testing import Draft, MemoryCrm
from refloop.testing.memory import RememberingConnector
from tests.new_ledger import new_ledger
from tests.sync.loop import MEMORY_DISK, Loop, wanted

EMAILS = ("ada@buyer.io", "bo@buyer.io", "info@buyer.io", "anna@partners.io", None)
CODES = ("ANNA-7K2Q", "BENS-4F6T", "OLDS-8G3R", "")
# an id is that of the record on which a referral was seen first
TIMELESS = frozenset({"ref_code", "ref_referrer", "ref_sent"})
TIMELY = frozenset(
    f"ref_{name}"
    for name in [
        "status",
        "status_at",
        "why",
        "open",
        "won",
        "lost",
        "other",
        "won_amount",
        "last_update",
        "last_update_at",
    ]
)


class Company(MemoryCrm):
    """A CRM in which people also change e-mails, reopen deals and mirror them from another CRM."""

    def readdress(self, ref: Ref, email: str | None) -> None:
        self._update(ref, email=email)

    def mirror(self, deal: Ref, original: Ref) -> None:
        self._link(deal, Relation.SAME_DEAL, original)
        self._update(deal)

    def lose(self, deal: Ref) -> None:
        self._update(deal, stage="lost", outcome=Outcome.LOST, closed_at=self.now)

    def gone(self, ref: Ref) -> bool:
        return self._rows[ref].record.deleted

    def api_texts(self, token: str, refs: Sequence[Ref]) -> Mapping[Ref, Sequence[tuple[datetime, Mapping[str, str]]]]:
        """Of deleted records too: else only who saw them before knows."""
        self._admit(token, "texts")
        return {ref: tuple(self._rows[ref].texts) for ref in refs if ref in self._rows}


@dataclass
class History:
    """What happened so far, and the ledger that is told bit by bit."""

    loop: Loop
    refs: list[Ref] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    dates: dict[str, date] = field(default_factory=dict)
    loosened: set[Ref] = field(default_factory=set)

    def play(self, name: str, a: int, b: int) -> None:
        getattr(self, name)(a, b)
        for crm in self.loop.crms.values():
            crm.pass_time(timedelta(hours=7))

    def crm(self, ref: Ref) -> Company:
        crm = self.loop.crms[ref.connection]
        assert isinstance(crm, Company)
        return crm

    def pick(self, number: int, *kinds: Kind) -> Ref | None:
        found = [ref for ref in self.refs if ref.kind in kinds and not self.crm(ref).gone(ref)]
        return found[number % len(found)] if found else None

    def person(self, a: int, b: int) -> None:
        crm = self.loop.crms[("sales", "marketing")[a % 2]]
        draft = Draft(email=EMAILS[b % 5], title=f"Buyer {len(self.refs)}", code=CODES[b // 5 % 4] or None)
        self.refs.append(crm.create((Kind.CONTACT, Kind.LEAD)[a // 2 % 2], draft))

    def deal(self, a: int, b: int) -> None:
        crm = self.loop.crms[("sales", "marketing")[a % 2]]
        draft = Draft(title=f"Deal {len(self.refs)}", code=CODES[b % 4] or None, amount=Decimal(b + 1))
        deal = crm.create(Kind.DEAL, draft)
        self.refs.append(deal)
        person = self.pick(b // 4, Kind.CONTACT, Kind.LEAD)
        if person and person.connection == deal.connection:
            crm.associate(deal, person)

    def associate(self, a: int, b: int) -> None:
        deal, person = self.pick(a, Kind.DEAL), self.pick(b, Kind.CONTACT, Kind.LEAD)
        if deal and person and deal.connection == person.connection:
            self.crm(deal).associate(deal, person)

    def dissociate(self, a: int, b: int) -> None:
        deal = self.pick(a, Kind.DEAL)
        crm = self.crm(deal) if deal else None
        on = [link for link in crm._links if link[:2] == (deal, Relation.ASSOCIATED_WITH)] if crm else []
        links = [link for link in on if crm and not crm.gone(link[2])]  # nobody takes off who is not shown
        if deal and crm and links:
            person = links[b % len(links)][2]
            crm.dissociate(deal, person)
            self.loosened |= {deal, person}

    def edit(self, a: int, b: int) -> None:
        ref = self.pick(a, *Kind)
        if ref:
            self.crm(ref).edit(ref, CODES[b % 4])

    def type_a_code(self, a: int, b: int) -> None:
        ref = self.pick(a, *Kind)
        if ref:
            self.crm(ref).write(ref, self.loop.policy.spec("ref_code"), CODES[b % 4])

    def readdress(self, a: int, b: int) -> None:
        ref = self.pick(a, Kind.CONTACT, Kind.LEAD)
        if ref:
            self.crm(ref).readdress(ref, EMAILS[b % 5])

    def merge(self, a: int, b: int) -> None:
        loser = self.pick(a, *Kind)
        survivor = self.pick(b, loser.kind) if loser else None
        if loser and survivor and loser != survivor and loser.connection == survivor.connection:
            self.crm(loser).merge(loser, survivor)

    def convert(self, a: int, _b: int) -> None:
        lead = self.pick(a, Kind.LEAD)
        if lead:
            self.refs += self.crm(lead).convert(lead)
            self.refs.remove(lead)

    def win(self, a: int, b: int) -> None:
        deal = self.pick(a, Kind.DEAL)
        if deal:
            self.crm(deal).win(deal) if b % 2 else self.crm(deal).lose(deal)

    def delete(self, a: int, _b: int) -> None:
        ref = self.pick(a, *Kind)
        # whoever looks once cannot know that somebody was taken off a deal before one of the two was deleted
        if ref and ref not in self.loosened:
            self.crm(ref).delete(ref)

    def mirror(self, a: int, b: int) -> None:
        deals = [ref for ref in self.refs if ref.kind is Kind.DEAL and not self.crm(ref).gone(ref)]
        mirrors = [ref for ref in deals if ref.connection == "marketing"]
        originals = [ref for ref in deals if ref.connection == "sales"]
        if mirrors and originals:
            deal = mirrors[a % len(mirrors)]
            if not any(link[:2] == (deal, Relation.SAME_DEAL) for link in self.crm(deal)._links):
                self.crm(deal).mirror(deal, originals[b % len(originals)])

    def claim(self, a: int, b: int) -> None:
        claim = Claim(CODES[a % 3], EMAILS[b % 4] or "", date(2026, 1, 10 + a * b % 12), "")
        try:
            self._submit(self.loop, claim)
        except BadRow:
            assert self.dates, "the code was not valid on that day any more"
        else:
            self.claims.append(claim)

    def dates_of_a_code(self, a: int, b: int) -> None:
        self.dates[CODES[a % 3]] = date(2026, 1, 14 + b % 8)
        self._codes(self.loop, self.dates)

    def sync(self, a: int, _b: int) -> None:
        only = [("sales",), ("marketing",), (), ()][a % 4]
        self.loop.sync(*only, push=False)

    def _submit(self, loop: Loop, claim: Claim) -> None:
        with loop.ledger.writing():
            submit(loop.context(), claim)

    def _codes(self, loop: Loop, dates: Mapping[str, date]) -> None:
        for code, name in zip(CODES, ("anna", "ben", "anna"), strict=False):
            loop.code(code, name, f"{name}@partners.io", **({"valid_from": dates[code]} if code in dates else {}))

    def retold(self, loop: Loop) -> Loop:
        """The same history, told to another ledger at its end."""
        self._codes(loop, {})
        for claim in self.claims:
            self._submit(loop, claim)
        self._codes(loop, self.dates)
        return loop


ACTS = [
    "person",
    "person",
    "person",
    "deal",
    "deal",
    "associate",
    "associate",
    "dissociate",
    "edit",
    "type_a_code",
    "readdress",
    "merge",
    "convert",
    "win",
    "delete",
    "mirror",
    "claim",
    "dates_of_a_code",
    "sync",
    "sync",
    "sync",
]
STEPS = st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 23), st.integers(0, 23)), min_size=12, max_size=30)


def check(steps: list[tuple[str, int, int]], page_size: int = 3) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY_DISK)))
        # who looks often knows more of when a code came, but for CRMs that keep what their fields held
        crms = {name: Company(name, connector_class=RememberingConnector) for name in ("sales", "marketing")}
        first = new_ledger(folder / "first.db")
        stack.callback(first.close)
        history = History(Loop(first, dict(crms)))
        history.loop.provision()
        history._codes(history.loop, {})
        for step in steps:
            history.play(*step)
        history.loop.sync(push=False)
        for crm in crms.values():
            crm.page_size = page_size
        second = new_ledger(folder / "second.db")
        stack.callback(second.close)
        other = history.retold(Loop(second, {name: crms[name] for name in sorted(crms, reverse=True)}))
        other.sync(push=False)
        # only who saw a deal won knows that it was reversed
        reversed_ = first.one("SELECT 1 FROM current_statuses WHERE status = 'reversed'")
        names = TIMELESS if reversed_ else TIMELESS | TIMELY
        first_told, second_told = _told(history.loop, names), _told(other, names)
        assert first_told == second_told


def _told(loop: Loop, names: Collection[str]) -> dict[Ref, dict[str, str | None]]:
    """What should stand in those of our fields. Where nothing counts, only who looked in between knows of a code that
    came and was taken off again, and says so."""
    told = {
        ref: {name: want.value for name, want in wants.items() if name in names} for ref, wants in wanted(loop).items()
    }
    return {ref: wants for ref, wants in told.items() if any(wants[name] for name in wants if name != "ref_why")}


QUICK = settings(max_examples=80, derandomize=True, print_blob=False)


@given(STEPS, st.integers(1, 9))
@QUICK
def test_the_order_in_which_things_become_known_does_not_matter(
    steps: list[tuple[str, int, int]], page_size: int
) -> None:
    check(steps, page_size)


@pytest.mark.slow
@given(STEPS, st.integers(1, 9))
@settings(QUICK, max_examples=250)
def test_the_order_in_which_things_become_known_does_not_matter_at_length(
    steps: list[tuple[str, int, int]], page_size: int
) -> None:
    check(steps, page_size)


@pytest.mark.parametrize(
    "steps",
    [
        # the original of a mirrored deal is seen later, and is deleted again
        [("deal", 0, 0), ("person", 1, 0), ("deal", 1, 3), ("mirror", 0, 0), ("sync", 1, 0), ("sync", 0, 0)],
        [("deal", 0, 0), ("person", 1, 0), ("deal", 1, 3), ("mirror", 0, 0), ("sync", 2, 0), ("delete", 0, 0)],
        # a deal that carries a code is merged away
        [("person", 0, 15), ("deal", 0, 3), ("deal", 0, 0), ("sync", 2, 0), ("merge", 2, 1)],
        # a claim by e-mail finds a record, whose e-mail then changes
        [("claim", 0, 0), ("person", 0, 15), ("sync", 2, 0), ("readdress", 0, 1), ("sync", 2, 0)],
        # two persons were one buyer, and are two: the deal of the other one is credited anew
        [("person", 0, 0), ("person", 2, 15), ("deal", 0, 7), ("sync", 2, 0), ("readdress", 0, 1)],
        # the first person on a deal that carries a code is deleted
        [("person", 0, 15), ("person", 0, 16), ("deal", 0, 0), ("associate", 0, 1), ("sync", 2, 0), ("delete", 0, 0)],
    ],
    ids=["original later", "original deleted", "merged deal", "claim moves", "buyer splits", "first person deleted"],
)
def test_stories_of_their_own(steps: list[tuple[str, int, int]]) -> None:
    check(steps)
