"""The words of an account's own making: where people stand, through which pipelines deals go, of what type they are."""

from __future__ import annotations

from collections.abc import Callable

from refloop.connectors.base import Words
from refloop.model import Word, WordKind
from tests.connectors.hubspot.account import Account, calls


def test_an_account_lists_its_words_and_no_stage_that_hubspot_ships_with(account: Account) -> None:
    trial = account.crm.add_lifecycle_stage("Trial")
    renewals = account.crm.add_pipeline("Renewals", [{"label": "Renewed", "metadata": {"probability": "1.0"}}])
    account.crm.add_label("deals", "contacts", "Referred by", "Referred")
    hubspot = account.hubspot()
    assert isinstance(hubspot, Words)
    found = list(hubspot.words())
    assert [word for word in found if word.kind is WordKind.STAGE] == [
        Word(WordKind.STAGE, "Trial", "contacts.lifecyclestage", trial)
    ]
    pipelines = {word.word: word.also for word in found if word.kind is WordKind.PIPELINE}
    assert pipelines == {"Sales Pipeline": "default", "Renewals": renewals}
    assert {word.also for word in found if word.kind is WordKind.DEAL_TYPE} == {"newbusiness", "existingbusiness"}
    assert [word.word for word in found if word.kind is WordKind.ROLE] == ["Referred by"]
    assert sum(calls(account.crm).values()) == 4


def test_what_the_key_may_not_see_is_left_out(accounts: Callable[..., Account]) -> None:
    account = accounts(denied_scopes=["crm.objects.deals.read"])
    account.crm.add_lifecycle_stage("Trial")
    assert [word.word for word in account.hubspot().words()] == ["Trial"]
