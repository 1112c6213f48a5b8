"""The rule book: equal rules have one digest, others another, in any process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest

from refloop.ledger.queue import Topic
from refloop.mapping.attribution import Model
from refloop.mapping.policy import (
    ClaimRules,
    CreditRules,
    MatchRules,
    Part,
    PlanRules,
    Policy,
    PullRules,
    Rules,
    StatusRules,
)
from refloop.mapping.stages import status_words
from refloop.model import Status

OTHERS: list[tuple[Part, Rules]] = [
    (Part.MATCH, MatchRules(frozenset({"ref"}))),
    (Part.MATCH, MatchRules(zones={"crm": "Asia/Tokyo"})),
    (Part.MATCH, MatchRules(mass_edit=2)),
    (Part.CLAIM, ClaimRules(most_records_of_one_person=2)),
    (Part.CREDIT, CreditRules(Model.LAST)),
    (Part.CREDIT, CreditRules(zones={"crm": "Asia/Tokyo"})),
    (Part.STATUS, StatusRules({"warm": Status.QUALIFIED})),
    (Part.PLAN, PlanRules(prefix="aff")),
    (Part.PLAN, PlanRules(currencies={"crm": "EUR"})),
    (Part.PLAN, PlanRules(converted=True)),
    (Part.PLAN, PlanRules(parked_after=4)),
]


@pytest.mark.parametrize(("part", "rules"), OTHERS)
def test_a_rule_that_differs_moves_the_digest_of_its_part_alone(part: Part, rules: Rules) -> None:
    policy = Policy()
    changed: dict[str, Any] = {part.value: rules}
    other = replace(policy, **changed)
    moved = {name for name in Part if policy.parts[name].digest != other.parts[name].digest}
    assert moved == {part}


def test_every_field_of_every_part_is_told_apart() -> None:
    tried = {(part, field.name) for part, rules in OTHERS for field in fields(rules)}
    there = {(part, field.name) for part, rules in Policy().parts.items() for field in fields(rules)}
    assert tried == there


@pytest.mark.parametrize(
    ("currencies", "places"),
    [({}, 2), ({"crm": None}, 2), ({"crm": "JPY"}, 2), ({"crm": "JPY", "hub": "BHD"}, 3), ({"crm": "CLF"}, 4)],
)
def test_the_amount_has_the_places_that_the_currencies_need(currencies: dict[str, str | None], places: int) -> None:
    assert PlanRules(currencies=currencies).specs["ref_won_amount"].places == places


def test_equal_rules_have_one_digest_whatever_their_order() -> None:
    words = status_words({"Warm": Status.QUALIFIED, "Cold": Status.LOST})
    backwards = dict(reversed(words.items()))
    assert StatusRules(words).digest == StatusRules(backwards).digest
    assert MatchRules(frozenset("abc")).digest == MatchRules(frozenset("cba")).digest


def test_the_digest_is_the_same_in_another_process() -> None:
    code = "from refloop.mapping.policy import Policy; print(*(r.digest for r in Policy().parts.values()))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert told == [rules.digest for rules in Policy().parts.values()]


def test_a_new_version_moves_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {part: rules.digest for part, rules in Policy().parts.items()}
    monkeypatch.setattr(CreditRules, "version", "of the test")
    assert CreditRules().digest != before[Part.CREDIT]


def test_what_is_told_is_json_that_names_each_rule() -> None:
    for rules in Policy().parts.values():
        told = json.loads(rules.told())
        assert told.keys() == {"version", *(field.name for field in fields(rules))}


def test_each_part_is_named_like_the_queue_of_its_stage() -> None:
    assert {part.value for part in Part} <= {topic.value for topic in Topic}


def test_a_connection_is_read_anew_when_its_settings_or_our_fields_change() -> None:
    policy = replace(Policy(), pull=PullRules({"crm": "a"}))
    same = replace(policy, credit=CreditRules(Model.LAST), pull=PullRules({"crm": "a", "other": "b"}))
    assert same.reading("crm") == policy.reading("crm")
    for other in (replace(policy, pull=PullRules({"crm": "b"})), replace(policy, plan=PlanRules(prefix="aff"))):
        assert other.reading("crm") != policy.reading("crm")
