"""Which referrals a buyer holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from refloop.mapping.claims import (
    Buyer,
    Evidence,
    claim_id,
    is_referral_id,
    referral_id,
    resolve_claims,
)
from refloop.model import Arrival, Code, Kind, Match, Ref, Referral, Rule, Status

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
CODES = {
    code.key: code
    for code in (
        Code("ANNA", "anna", "anna", "p"),
        Code("BEN", "ben", "ben", "p"),
        Code("CY", "cy", "cy", "other"),
        Code("ANNA2", "anna2", "anna", "other"),
    )
}
GIVEN = "rf_00000000000000aa"


def ref(number: int) -> Ref:
    return Ref("crm", Kind.CONTACT, str(number))


def seen(code: str, day: int, number: int = 1, given: str | None = None) -> Evidence:
    at = DAY + timedelta(days=day)
    return Evidence(ref(number), Arrival(Match(code, Rule.EXACT, "Code", code, 100), at, at, at), given)


def known(name: str, code: str, day: int, *, submitted: bool = False, number: int = 1) -> Referral:
    origin = None if submitted else ref(number)
    program = CODES[code].program
    return Referral(name, code, program, code, DAY + timedelta(days=day), submitted=submitted, origin=origin)


def held(
    evidence: list[Evidence],
    referrals: list[Referral] | None = None,
    *,
    taken: set[str] | None = None,
    **more: str,
) -> list[Referral]:
    buyer = Buyer(evidence, referrals or [], {"bo@buyer.io"})
    return resolve_claims(buyer, CODES.get, more, taken=taken or set())


def verdicts(referrals: list[Referral]) -> dict[str, tuple[str, str | None]]:
    return {item.id: (item.code, item.void.value if item.void else None) for item in referrals}


def voids(referrals: list[Referral]) -> list[tuple[str, str | None]]:
    return sorted((item.code, item.void.value if item.void else None) for item in referrals)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ([], []),
        ([seen("unknown", 1)], []),
        ([seen("anna", 1)], [("anna", None)]),
        ([seen("anna", 1), seen("ben", 2, 2)], [("anna", None), ("ben", "duplicate")]),
        ([seen("anna", 3), seen("ben", 2, 2)], [("anna", "duplicate"), ("ben", None)]),
        ([seen("anna", 1), seen("cy", 2, 2)], [("anna", None), ("cy", None)]),
        ([seen("anna", 1), seen("anna", 2, 2)], [("anna", None)]),
        ([seen("anna", 1), seen("ben", 1, 2)], [("anna", None), ("ben", "duplicate")]),
    ],
    ids=["nothing", "not issued", "one", "first wins", "first wins by date", "two programs", "twice the same", "a tie"],
)
def test_the_first_claim_of_each_program_wins(evidence: list[Evidence], expected: list[tuple[str, str | None]]) -> None:
    for order in permutations(evidence):
        assert voids(held(list(order))) == expected


def test_a_referral_is_named_by_where_it_was_seen_first_and_dated_by_it() -> None:
    (referral,) = held([seen("anna", 5, 1), seen("anna", 2, 2)])
    assert (referral.id, referral.origin, referral.claimed_at) == (
        referral_id(ref(2), "anna"),
        ref(2),
        DAY + timedelta(days=2),
    )
    assert referral.why == "Said code ANNA in Code, 3 Mar 2026"
    assert is_referral_id(referral.id)


def test_a_known_referral_keeps_its_name_and_origin() -> None:
    (referral,) = held([seen("anna", 2, 2)], [known("rf_known", "anna", 9)])
    assert (referral.id, referral.origin, referral.claimed_at) == ("rf_known", ref(1), DAY + timedelta(days=2))


def test_a_loser_says_to_whom_it_lost() -> None:
    loser = next(item for item in held([seen("anna", 1), seen("ben", 2, 2)]) if item.void)
    assert loser.void_reason == "code ANNA came first"


def test_two_that_turned_out_to_be_one_buyers_are_one_referral() -> None:
    found = held([seen("anna", 1), seen("anna", 2, 2)], [known("rf_b", "anna", 2, number=2), known("rf_a", "anna", 1)])
    assert verdicts(found) == {"rf_a": ("anna", None), "rf_b": ("anna", "duplicate")}


def test_a_code_that_was_taken_off_withdraws_and_the_next_one_wins() -> None:
    found = held([seen("ben", 5)], [known("rf_a", "anna", 1), known("rf_b", "ben", 5)])
    assert verdicts(found) == {"rf_a": ("anna", "withdrawn"), "rf_b": ("ben", None)}


def test_nobody_refers_themselves_and_the_next_one_wins() -> None:
    found = held([seen("anna", 1), seen("ben", 2, 2)], anna="bo@buyer.io", ben="ben@partners.io")
    assert voids(found) == [("anna", "disqualified"), ("ben", None)]


# submitted by a person


@pytest.mark.parametrize(
    ("evidence", "referrals", "expected"),
    [
        ([], [known("c", "anna", 1, submitted=True)], {"c": None}),
        ([seen("anna", 2)], [known("c", "anna", 1, submitted=True)], {"c": None}),
        ([seen("anna", 1)], [known("c", "anna", 2, submitted=True)], {"new": None, "c": "duplicate"}),
        (
            [seen("anna", 2)],
            [known("c", "anna", 1, submitted=True), known("r", "anna", 2)],
            {"c": None, "r": "duplicate"},
        ),
        ([], [known("c", "anna", 2, submitted=True), known("r", "anna", 1)], {"c": None, "r": "withdrawn"}),
        (
            [],
            [known("c", "anna", 2, submitted=True), known("d", "ben", 1, submitted=True)],
            {"d": None, "c": "duplicate"},
        ),
        ([seen("ben", 0)], [known("c", "anna", 1, submitted=True)], {"new": None, "c": "duplicate"}),
    ],
    ids=[
        "alone",
        "before the record",
        "after the record",
        "before a known one",
        "the code was taken off the record",
        "two claims",
        "another code was first",
    ],
)
def test_a_submitted_referral_stands_beside_what_the_records_say(
    evidence: list[Evidence], referrals: list[Referral], expected: dict[str, str | None]
) -> None:
    found = {
        (item.id if item.id in ("c", "d", "r") else "new"): item.void.value if item.void else None
        for item in held(evidence, referrals)
    }
    assert found == expected


def test_a_submitted_referral_keeps_its_own_day() -> None:
    """Else a code that is seen earlier, and taken off again, would leave its day behind."""
    claim = known("c", "anna", 5, submitted=True)
    first = next(item for item in held([seen("anna", 1)], [claim]) if item.id == "c")
    assert first.claimed_at == claim.claimed_at
    (later,) = held([], [replace(claim, claimed_at=first.claimed_at)])
    assert (later.claimed_at, later.void, later.why) == (
        claim.claimed_at,
        None,
        "Submitted as anna's referral (ANNA), 6 Mar 2026",
    )


# ids that stand in the CRM


@pytest.mark.parametrize(
    ("given", "taken", "adopted"),
    [
        (GIVEN, set(), True),
        (GIVEN, {GIVEN}, False),
        ("rf_short", set(), False),
        ("RF_00000000000000AA", set(), False),
        (GIVEN + "\n", set(), False),
        ("", set(), False),
    ],
)
def test_an_id_on_the_record_is_taken_over_if_it_is_one_and_free(given: str, taken: set[str], adopted: bool) -> None:
    (referral,) = held([seen("anna", 1, given=given)], taken=taken)
    assert (referral.id == given) is adopted


def test_a_known_name_is_never_given_up_for_one_on_a_record() -> None:
    (referral,) = held([seen("anna", 1, given=GIVEN)], [known("rf_known", "anna", 1)])
    assert referral.id == "rf_known"


def test_one_id_is_taken_over_once() -> None:
    """All records of a buyer show the winner's id; a later code of another record must not get it too."""
    found = held([seen("anna", 1, 1, GIVEN), seen("ben", 2, 2, GIVEN), seen("cy", 3, 3, GIVEN)])
    assert len({item.id for item in found}) == len(found) == 3
    assert GIVEN in {item.id for item in found}


def test_a_name_that_a_copy_took_over_first_is_not_used_again() -> None:
    own = referral_id(ref(1), "anna")
    (referral,) = held([seen("anna", 1, given=own)], taken={own})
    assert referral.id != own
    assert is_referral_id(referral.id)
    assert held([seen("anna", 1, given=own)], taken={own})[0].id == referral.id


def test_names_are_stable_and_their_own() -> None:
    assert referral_id(ref(1), "anna") == referral_id(ref(1), "anna")
    names = {referral_id(ref(1), "anna"), referral_id(ref(2), "anna"), referral_id(ref(1), "ben"), claim_id("a", "b")}
    assert len(names) == 4
    assert all(map(is_referral_id, names))


def test_every_known_referral_of_an_issued_code_gets_a_verdict() -> None:
    referrals = [known(f"r{n}", code, n, submitted=n % 2 == 0) for n, code in enumerate(["anna", "ben", "cy"] * 3)]
    found = held([seen("ben", 4)], referrals)
    assert {item.id for item in referrals} <= {item.id for item in found}
    active = [item.program for item in found if item.void is None]
    assert sorted(active) == ["other", "p"]
    assert Status.DUPLICATE in {item.void for item in found}


def test_of_two_that_became_one_the_same_goes_on_whatever_its_day_comes_to() -> None:
    """Else a rebuilt ledger would name the other one: the day of the one that goes on moves with its evidence."""
    once = held([seen("anna", 1)], [known("rf_a", "anna", 1), known("rf_b", "anna", 2)])
    later = held([seen("anna", 5)], once)
    again = held([seen("anna", 5)], later)
    assert verdicts(later) == verdicts(again) == {"rf_a": ("anna", None), "rf_b": ("anna", "duplicate")}
