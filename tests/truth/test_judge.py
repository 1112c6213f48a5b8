"""The judge: what counts as right, wrong, asked, missed and false, and when two paces contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest

from tests.truth.judge import Judgement, Verdict, contradictions
from tests.truth.truth import Case, Deal

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def verdict(
    owed: str | None, credited: Mapping[str, str], items: str = "", *, won: bool = True, blind: bool = False
) -> Verdict:
    case = Case("kind", 0, Random(0), NOW)  # noqa: S311 - nothing is drawn
    deal = Deal(["crm:deal:1"], Decimal(100), "USD", owed, won=won)
    shares = {name: Decimal(share) for name, share in credited.items()}
    return Verdict(case, deal, shares, frozenset(items.split()), blind)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (verdict("ann", {"ann": "1"}), {"right": 100}),
        (verdict("ann", {"ann": "1"}, "expired"), {"right": 100}),
        (verdict("ann", {"bob": "1"}), {"wrong": 100}),
        (verdict("ann", {"bob": "1"}, "expired"), {"wrong": 100}),
        (verdict("ann", {"ann": "0.4", "bob": "0.6"}), {"right": 40, "wrong": 60}),
        (verdict("ann", {}, "expired"), {"asked": 100}),
        (verdict("ann", {"ann": "0.4"}, "expired"), {"right": 40, "asked": 60}),
        (verdict("ann", {}), {"missed": 100}),
        (verdict("ann", {"ann": "2"}), {"right": 100, "false": 100}),
        (verdict("ann", {"ann": "1", "bob": "1"}), {"right": 100, "false": 100}),
        (verdict(None, {"ann": "1"}), {"false": 100}),
        (verdict(None, {}, "expired"), {}),
        (verdict("ann", {"ann": "1"}, won=False), {"false": 100}),
        (verdict("ann", {}, won=False), {}),
        (verdict("ann", {"ann": "1"}, blind=True), {"right": 100}),
        (verdict("ann", {}, "expired", blind=True), {"asked": 100}),
        (verdict("ann", {}, blind=True), {"gone": 100}),
        (verdict("ann", {"bob": "1"}, blind=True), {"gone": 100}),
    ],
)
def test_each_part_of_what_is_owed_counts_once(given: Verdict, parts: Mapping[str, int]) -> None:
    found = {part: getattr(given, part) for part in ("right", "wrong", "asked", "missed", "gone", "false")}
    assert {part: worth for part, worth in found.items() if worth} == parts
    assert sum(worth for part, worth in found.items() if part != "false") == given.owed


@pytest.mark.parametrize(
    ("often", "seldom", "against"),
    [
        (verdict("ann", {"ann": "1"}), verdict("ann", {"ann": "1"}), False),
        (verdict("ann", {"ann": "1"}), verdict("ann", {}, "expired"), False),
        (verdict("ann", {"ann": "1"}), verdict("ann", {}), True),
        (verdict("ann", {"ann": "1"}), verdict("ann", {"bob": "1"}), True),
        (verdict("ann", {"ann": "1"}), verdict("ann", {"bob": "1"}, "expired"), True),
        (verdict("ann", {"ann": "1"}), verdict("ann", {}, blind=True), False),
        (verdict(None, {}), verdict(None, {"ann": "1"}), True),
        (verdict(None, {}), verdict(None, {}, "expired"), False),
    ],
)
def test_fewer_runs_may_ask_and_may_not_know_better(often: Verdict, seldom: Verdict, against: bool) -> None:
    pair = Judgement(60, {("kind 0", 0): often}), Judgement(1, {("kind 0", 0): seldom})
    assert bool(list(contradictions(*pair))) is against


def test_causes_are_told_by_kind_the_largest_first() -> None:
    judged = Judgement(1, {("a", 0): verdict(None, {"ann": "1"}), ("b", 0): verdict("ann", {"ann": "1"})})
    assert judged.causes("false") == [("kind", Decimal(100), 1, 2)]
    assert judged.share("false") == 1
