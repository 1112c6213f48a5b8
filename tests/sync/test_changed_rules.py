"""A changed rule reaches what was decided: after one sync the ledger is as a fresh one, and the CRMs follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from refloop.ledger import Ledger, open_ledger
from refloop.ledger.queue import Topic, pending
from refloop.mapping import match as matching
from refloop.mapping.attribution import Model
from refloop.mapping.codes import DEFAULT_URL_PARAMETERS, code_key
from refloop.mapping.deals import DealWords
from refloop.mapping.money import Won
from refloop.mapping.policy import (
    ClaimRules,
    CreditRules,
    DealRules,
    MatchRules,
    Part,
    PlanRules,
    Policy,
    PullRules,
    StatusRules,
)
from refloop.mapping.stages import status_words
from refloop.model import ByAccount, Code, Counting, Everything, Kind, Ref, Referrer, Rule, Side, Since, Status
from refloop.sync import stages
from refloop.sync.intake import Enrolment, codes_changing, enrol
from refloop.testing import Draft, MemoryConnector, MemoryCrm
from tests.new_ledger import new_ledger
from tests.sync.loop import NOW, POLICY, Loop

PARAMETERS = frozenset({*DEFAULT_URL_PARAMETERS, "partner"})

PAGO_PAGO = {"sales": "Pacific/Pago_Pago"}
"""Eleven hours behind UTC: 9 in the morning there is 10 in the evening of the day before."""


@dataclass(frozen=True)
class Change:
    """What changes in the rules, and a value in a CRM that follows: of which record, in which field, before, after."""

    before: Policy
    after: Policy
    record: str
    field: str
    values: tuple[str | None, str | None]


CHANGES = {
    "credit": Change(
        POLICY,
        replace(POLICY, credit=CreditRules(Model.LINEAR)),
        "deal",
        "why",
        (
            "Through a contact who said code ANNA-7K2Q in Code of the contact, 15 Jan 2026; sourced 100 % of this deal",
            "Through a contact who said code ANNA-7K2Q in Code of the contact, 15 Jan 2026; sourced 50 % of this deal",
        ),
    ),
    "credit, taken back": Change(
        replace(POLICY, credit=CreditRules(Model.LINEAR)),
        replace(POLICY, credit=CreditRules(Model.LAST)),
        "deal",
        "code",
        ("ANNA-7K2Q", "BENS-4F6T"),
    ),
    "url parameters": Change(
        POLICY, replace(POLICY, match=MatchRules(PARAMETERS)), "linked", "code", (None, "CYCY-9P9P")
    ),
    "url parameters, taken back": Change(
        replace(POLICY, match=MatchRules(PARAMETERS)), POLICY, "linked", "code", ("CYCY-9P9P", None)
    ),
    "roles": Change(
        POLICY,
        replace(POLICY, deals=DealRules(roles={"sales": {"consultant": Side.NOBODY}})),
        "advised",
        "code",
        ("BENS-4F6T", None),
    ),
    "roles, taken back": Change(
        replace(POLICY, deals=DealRules(roles={"sales": {"consultant": Side.REFERRER}})),
        POLICY,
        "advised",
        "code",
        (None, "BENS-4F6T"),
    ),
    "deals that count": Change(
        POLICY,
        replace(POLICY, deals=DealRules(words={"sales": DealWords(types={"upsell": Counting.IGNORE})})),
        "advised",
        "status",
        ("won", None),
    ),
    "deals that count, taken back": Change(
        replace(POLICY, deals=DealRules(words={"sales": DealWords(types={"upsell": Counting.RENEWAL})})),
        POLICY,
        "advised",
        "status",
        (None, "won"),
    ),
    "deals by account": Change(
        POLICY,
        replace(POLICY, deals=DealRules(by_account={"sales": ByAccount.CREDIT})),
        "unattended",
        "code",
        (None, "ANNA-7K2Q"),
    ),
    "deals by account, no longer asked about": Change(
        POLICY,
        replace(POLICY, deals=DealRules(by_account={"sales": ByAccount.NEVER})),
        "unattended",
        "code",
        (None, None),
    ),
    "statuses": Change(
        POLICY,
        replace(POLICY, status=StatusRules(status_words({"open": Status.QUALIFIED}))),
        "alone",
        "status",
        ("submitted", "qualified"),
    ),
    "currency": Change(
        POLICY, replace(POLICY, plan=PlanRules(currencies={"sales": "EUR"})), "anna", "won_amount", ("1000", None)
    ),
    "converted": Change(
        replace(POLICY, plan=PlanRules(currencies={"sales": "EUR"})),
        replace(POLICY, plan=PlanRules(currencies={"sales": "EUR"}, converted=True)),
        "anna",
        "won_amount",
        (None, "900"),
    ),
    "time zone": Change(
        POLICY,
        replace(POLICY, match=MatchRules(zones=PAGO_PAGO), credit=CreditRules(zones=PAGO_PAGO)),
        "evening",
        "code",
        (None, "EVENING-14"),
    ),
    "mass edit": Change(POLICY, replace(POLICY, match=MatchRules(mass_edit=1)), "edited", "code", ("CYCY-9P9P", None)),
    "records of one person": Change(
        POLICY, replace(POLICY, claim=ClaimRules(most_records_of_one_person=1)), "twin", "code", ("CYCY-9P9P", None)
    ),
}


def play(loop: Loop) -> dict[str, Ref]:
    """Two CRMs as people fill them: a deal with two people, of two programs; a link that only some would read; a buyer
    in both CRMs; a referrer who is a contact; records that nobody referred."""
    sales, marketing = loop.crms["sales"], loop.crms["marketing"]
    assert isinstance(sales, MemoryCrm)
    for code, name, program in (
        ("ANNA-7K2Q", "anna", "spring"),
        ("BENS-4F6T", "ben", "partners"),
        ("CYCY-9P9P", "cy", "spring"),
        ("EVENING-14", "di", "spring"),
    ):
        row = Code(code, code_key(code), name, program, valid_to=date(2026, 1, 14) if name == "di" else None)
        with codes_changing(loop.ledger) as done, loop.ledger.writing():
            enrolled = Enrolment(row, Referrer(name, name.title(), f"{name}@partners.io"))
            done.counts[enrol(loop.ledger, enrolled, NOW)] += 1
    made = {
        "anna": sales.create(Kind.CONTACT, Draft(email="anna@partners.io")),
        "evening": sales.create(Kind.LEAD, Draft(email="ed@buyer.io", code="EVENING-14")),
        "edited": sales.create(Kind.LEAD, Draft(email="et@buyer.io")),
        "first": sales.create(Kind.CONTACT, Draft(email="bo@buyer.io", title="Buyer", code="ANNA-7K2Q")),
    }
    sales.pass_time(timedelta(hours=1))
    sales.edit(made["edited"], "CYCY-9P9P")
    made |= {
        "second": sales.create(Kind.CONTACT, Draft(email="di@buyer.io", title="Buyer", code="BENS-4F6T")),
        "deal": sales.create(Kind.DEAL, Draft(title="Big deal", amount=Decimal(1000))),
        "linked": sales.create(Kind.LEAD, Draft(email="el@buyer.io", code="https://shop.io/?partner=cycy-9p9p")),
        "alone": marketing.create(Kind.CONTACT, Draft(email="fi@buyer.io", title="Alone", code="CYCY-9P9P")),
        "seen": marketing.create(Kind.CONTACT, Draft(email="gu@buyer.io", title="Twins", code="CYCY-9P9P")),
        "twin": sales.create(Kind.LEAD, Draft(email="gu@buyer.io", title="Twins")),
        "nobody": sales.create(Kind.LEAD, Draft(email="ha@buyer.io", code="nothing to see here")),
    }
    sales.price(made["deal"], Won(Decimal(1000), "USD", Decimal(900), "EUR"))
    sales.associate(made["deal"], made["first"])
    sales.associate(made["deal"], made["second"])
    sales.win(made["deal"])
    assert isinstance(sales, MemoryCrm)
    made |= {
        "advised": sales.create(Kind.DEAL, Draft(title="Advised")),
        "unattended": sales.create(Kind.DEAL, Draft(title="Unattended")),
    }
    sales.fill(made["first"], account="A1")
    sales.fill(made["unattended"], account="A1")
    sales.fill(made["advised"], deal_type="Upsell")
    sales.stand(made["advised"], made["second"], "Consultant")
    for name in ("advised", "unattended"):
        sales.win(made[name])
    return made


@pytest.fixture
def new_loop(folder: Path) -> Iterator[Callable[[Policy], Loop]]:
    opened: list[Loop] = []

    def make(policy: Policy) -> Loop:
        ledger = new_ledger(folder / f"{len(opened)}.db")
        opened.append(Loop(ledger, {"sales": MemoryCrm("sales"), "marketing": MemoryCrm("marketing")}, policy))
        opened[-1].provision()
        return opened[-1]

    yield make
    for loop in opened:
        loop.ledger.close()


STANDING = (
    "SELECT connection, kind, id, code_key, rule, field, evidence, confidence FROM current_matches ORDER BY 1, 2, 3",
    "SELECT referral, code_key, program, referrer, claimed_at, why FROM referrals WHERE void IS NULL ORDER BY 1",
    "SELECT m.connection, m.kind, m.id, m.referral FROM members m JOIN referrals f ON f.referral = m.referral "
    "WHERE f.void IS NULL ORDER BY 1, 2, 3, 4",
    "SELECT connection, kind, id, referral, share, role, model FROM current_credits ORDER BY 1, 2, 3, 4",
    "SELECT s.referral, s.status, s.at, s.reason, s.label FROM current_statuses s JOIN referrals f "
    "ON f.referral = s.referral WHERE f.void IS NULL ORDER BY 1",
    "SELECT connection, kind, id, doubt, field, evidence, candidates FROM questions ORDER BY 1, 2, 3, 4",
    "SELECT connection, kind, id, texts, found FROM records ORDER BY 1, 2, 3",
)


def standing(ledger: Ledger) -> list[list[tuple[object, ...]]]:
    return [[tuple(row) for row in ledger.rows(sql)] for sql in STANDING]


def shown(loop: Loop, made: Mapping[str, Ref]) -> dict[str, dict[str, str]]:
    return {name: loop.fields(ref) for name, ref in made.items()}


def written(loop: Loop) -> int:
    return sum(counts["written"] for counts in loop.reports[-1].counts.values())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_one_sync_all_is_as_under_the_new_rules_alone(change: Change, new_loop: Callable[[Policy], Loop]) -> None:
    loop = new_loop(change.before)
    made = play(loop)
    loop.sync()
    assert loop.fields(made[change.record]).get(change.field) == change.values[0]
    loop.policy = change.after
    loop.sync()
    fresh = new_loop(change.after)
    play(fresh)
    fresh.sync()
    assert loop.fields(made[change.record]).get(change.field) == change.values[1]
    assert standing(loop.ledger) == standing(fresh.ledger)
    assert shown(loop, made) == shown(fresh, made)
    loop.sync()
    assert written(loop) == 0
    assert [pending(loop.ledger, topic) for topic in Topic] == [0] * len(Topic)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_comparison_notices_a_rule_that_does_not_reach(
    change: Change, new_loop: Callable[[Policy], Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without putting back what was decided, each of the cases fails."""
    monkeypatch.setattr(stages, "decide_anew", lambda *_: [])
    monkeypatch.setattr(stages, "plan_where_currency_changed", lambda *_: None)
    with pytest.raises(AssertionError):
        test_after_one_sync_all_is_as_under_the_new_rules_alone(change, new_loop)


def test_a_matcher_that_learned_reads_all_texts_again(
    new_loop: Callable[[Policy], Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = new_loop(POLICY)
    play(loop)
    loop.sync()
    monkeypatch.setattr(matching, "CONFIDENCE", {**matching.CONFIDENCE, Rule.EXACT: 42})
    loop.policy = Policy(match=MatchRules())  # without the version, nothing says that anything changed
    loop.sync()
    assert 42 not in confidences(loop.ledger)
    monkeypatch.setattr(MatchRules, "version", "of the test")
    loop.policy = Policy(match=MatchRules())
    loop.sync()
    assert confidences(loop.ledger) == {42}
    assert written(loop) == 0


def confidences(ledger: Ledger) -> set[int]:
    return {row["confidence"] for row in ledger.rows("SELECT confidence FROM current_matches WHERE rule = 'exact'")}


@pytest.mark.parametrize(("part", "changed"), [(part, part.value) for part in Part])
def test_each_decision_says_under_which_rules_it_was_made(
    part: Part, changed: str, new_loop: Callable[[Policy], Loop]
) -> None:
    loop = new_loop(POLICY)
    play(loop)
    loop.sync()
    tables = {Part.MATCH: "matches", Part.CLAIM: "referrals", Part.CREDIT: "credits", Part.STATUS: "statuses"}
    digest = loop.policy.parts[part].digest
    if part in tables:
        rows = loop.ledger.rows(f"SELECT DISTINCT policy FROM {tables[part]}")  # noqa: S608 - a table's name
        assert [row["policy"] for row in rows] == [digest]
    (kept,) = loop.ledger.rows("SELECT * FROM policies WHERE part = ?", (changed,))
    assert (kept["digest"], kept["rules"]) == (digest, loop.policy.parts[part].told())


def test_what_a_part_decided_is_put_back_once(new_loop: Callable[[Policy], Loop]) -> None:
    loop = new_loop(POLICY)
    play(loop)
    loop.sync()
    loop.policy = replace(POLICY, credit=CreditRules(Model.LINEAR))
    visited = [loop.sync().counts[""] for _ in range(2)]
    assert visited[0]["match"] == visited[0]["claim"] == 0, "rules that did not change decide nothing again"
    assert visited[0]["credit"] == 2
    assert visited[1].total() == 0


class Asked(MemoryConnector):
    """Remembers what it was asked for."""

    spans: list[Any]

    def pull(self, *arguments: Any) -> Any:
        type(self).spans.append(arguments[-1])
        return super().pull(*arguments)


def test_records_that_are_to_be_read_otherwise_are_all_pulled_again_once(loop: Loop) -> None:
    Asked.spans = []
    loop.crms["sales"] = MemoryCrm("sales", connector_class=Asked)
    loop.provision()
    loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io"))
    for readings in ({}, {}, {"sales": "currency EUR"}, {"sales": "currency EUR"}):
        loop.policy = replace(POLICY, pull=PullRules(readings))
        loop.sync("sales")
    assert [type(span) for span in Asked.spans] == [Everything, Since, Everything, Since]


def test_fields_of_another_name_are_filled_and_the_old_ones_left(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.sync()
    old = loop.policy
    loop.policy = replace(POLICY, plan=PlanRules(prefix="aff"))
    loop.provision()
    loop.sync()
    stored = loop.crms["sales"].stored
    names = ("id", "code", "referrer", "status", "status_at", "why")
    told = [stored(lead, loop.policy.spec(f"aff_{name}")) for name in names]
    assert told == [stored(lead, old.spec(f"ref_{name}")) for name in names]
    assert None not in told
    loop.sync()
    assert written(loop) == 0


def test_a_change_that_was_parked_is_tried_again_under_a_higher_bound(loop: Loop) -> None:
    loop.code("ANNA-7K2Q", "anna", "anna@partners.io")
    lead = loop.crms["sales"].create(Kind.LEAD, Draft(email="bo@buyer.io", code="ANNA-7K2Q"))
    loop.crms["sales"].poison(lead)
    refused = [loop.sync().counts["sales"]["refused"] for _ in range(POLICY.plan.parked_after + 1)]
    assert refused == [6] * POLICY.plan.parked_after + [0]
    loop.policy = replace(POLICY, plan=PlanRules(parked_after=POLICY.plan.parked_after + 1))
    assert loop.sync().counts["sales"]["refused"] == 6


def test_a_ledger_that_does_not_say_by_which_rules_is_decided_anew_and_writes_nothing(folder: Path) -> None:
    """Of an earlier refloop: what it holds may be a mixture."""
    crms = {"sales": MemoryCrm("sales"), "marketing": MemoryCrm("marketing")}
    with closing(open_ledger(folder / "old.db")) as ledger:
        loop = Loop(ledger, dict(crms))
        loop.provision()
        made = play(loop)
        loop.sync()
        before = shown(loop, made)
        with ledger.writing():
            ledger.execute("DELETE FROM meta WHERE key LIKE 'policy:%' OR key LIKE 'reading:%'")
        report = loop.sync()
        assert report.counts[""]["match"] > 0
        assert (written(loop), shown(loop, made)) == (0, before)
        assert [report.counts[name]["pulled"] for name in crms] == [loop.sync().counts[name]["pulled"] for name in crms]
