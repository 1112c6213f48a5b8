"""Each line of config.yaml that decides something is in the rule book, and moves the digest of its part alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from refloop.mapping.policy import Part, Policy
from refloop.sync.policy import policy_of
from refloop.sync.session import read_config

CONFIG = """\
version: 1
fields:
  prefix: ref
matching:
  url_parameters: []
  statuses: {}
attribution:
  model: first
sync:
  max_changes: 100
connections:
  crm:
    connector: salesforce
    url: https://example.my.salesforce.com
    currency: EUR
    code_fields: {lead: [Description]}
    look_back: 15
    auth: {method: access_token, token: "env:TOKEN"}
  marketing:
    connector: hubspot
    auth: {method: service_key, token: "env:TOKEN"}
    quota_share: 0.5
"""


def policy(folder: Path, text: str) -> Policy:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return policy_of(read_config(path))


@pytest.mark.parametrize(
    ("before", "after", "parts", "read_anew"),
    [
        ("model: first", "model: linear", {Part.CREDIT}, set()),
        ("url_parameters: []", "url_parameters: [partner]", {Part.MATCH}, set()),
        ("currency: EUR", "currency: EUR\n    roles: {Consultant: nobody}", {Part.DEALS}, set()),
        ("currency: EUR", "currency: EUR\n    deals: {types: {Upsell: ignore}}", {Part.DEALS}, set()),
        ("currency: EUR", "currency: EUR\n    deals: {renewals: apart}", {Part.DEALS}, set()),
        ("currency: EUR", "currency: EUR\n    deals_by_account: never", {Part.DEALS}, set()),
        ("statuses: {}", "statuses: {Warm: qualified}", {Part.STATUS}, set()),
        ("prefix: ref", "prefix: aff", {Part.PLAN}, {"crm", "marketing"}),
        ("currency: EUR", "currency: CHF", {Part.PLAN}, {"crm"}),
        ("lead: [Description]", "lead: [Notes__c]", set(), {"crm"}),
        ("connector: hubspot\n", "connector: hubspot\n    mirror_of: crm\n", set(), {"marketing"}),
        ("connector: hubspot\n", "connector: hubspot\n    code_fields: {deal: [ref]}\n", set(), {"marketing"}),
        ("look_back: 15", "look_back: 30", set(), set()),
        ("quota_share: 0.5", "quota_share: 0.9", set(), set()),
        ("max_changes: 100", "max_changes: 9", set(), set()),
        ("env:TOKEN", "env:OTHER", set(), set()),
    ],
)
def test_what_a_line_moves(tmp_path: Path, before: str, after: str, parts: set[Part], read_anew: set[str]) -> None:
    assert before in CONFIG
    was, now = policy(tmp_path, CONFIG), policy(tmp_path, CONFIG.replace(before, after))
    assert {part for part in Part if was.parts[part].digest != now.parts[part].digest} == parts
    assert {name for name in ("crm", "marketing") if was.reading(name) != now.reading(name)} == read_anew


def test_no_secret_is_in_what_the_ledger_keeps_of_the_rules(tmp_path: Path) -> None:
    made = policy(tmp_path, CONFIG)
    kept = [rules.told() for rules in made.parts.values()] + list(made.pull.readings.values())
    assert not any("TOKEN" in text or "auth" in text for text in kept)
