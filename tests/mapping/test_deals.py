"""Which deals count, and as what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from refloop.mapping.deals import DealWords, counting_of, is_credited, word_counts_as
from refloop.mapping.policy import DealRules
from refloop.mapping.roles import by_key
from refloop.model import Counting, Kind, Record, Ref, Side

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def deal(pipeline: str | None, kind: str | None) -> Record:
    return Record(Ref("crm", Kind.DEAL, "1"), DAY, DAY, pipeline=pipeline, deal_type=kind)


@pytest.mark.parametrize(
    ("word", "counting"),
    [
        ("Renewals", Counting.RENEWAL),
        ("Annual_Renewal", Counting.RENEWAL),
        ("existingbusiness", Counting.RENEWAL),
        ("Existing Business", Counting.RENEWAL),
        ("Existing Customer - Upgrade", Counting.RENEWAL),
        ("Vertragsverlängerung", Counting.RENEWAL),
        ("Sales Pipeline", Counting.NEW),
        ("newbusiness", Counting.NEW),
        ("New Customer", Counting.NEW),
        ("Nonrenewable energy", Counting.NEW),
        ("default", Counting.NEW),
    ],
)
def test_what_a_word_counts_as_by_itself(word: str, counting: Counting) -> None:
    assert word_counts_as(word, {}) is counting


@pytest.mark.parametrize(
    ("pipeline", "kind", "words", "counting"),
    [
        (None, None, DealWords(), Counting.NEW),
        ("Sales", "existingbusiness", DealWords(), Counting.RENEWAL),
        ("Renewals", "newbusiness", DealWords(), Counting.RENEWAL),
        ("Renewals", None, DealWords(pipelines={"renewals": Counting.NEW}), Counting.NEW),
        ("Renewals", None, DealWords(pipelines={"renewals": Counting.IGNORE}), Counting.IGNORE),
        ("Sales", "Upsell", DealWords(types=by_key({"UpSell": Counting.RENEWAL})), Counting.RENEWAL),
        ("Partner", None, DealWords(pipelines=by_key({"Sales": Counting.NEW, "*": Counting.IGNORE})), Counting.IGNORE),
        ("Sales", None, DealWords(pipelines=by_key({"Sales": Counting.NEW, "*": Counting.IGNORE})), Counting.NEW),
        (None, None, DealWords(pipelines={"*": Counting.IGNORE}), Counting.NEW),
    ],
)
def test_the_stricter_of_pipeline_and_type_counts(
    pipeline: str | None, kind: str | None, words: DealWords, counting: Counting
) -> None:
    assert counting_of(deal(pipeline, kind), words) is counting


@pytest.mark.parametrize("apart", [True, False])
def test_only_renewals_hang_on_whether_they_are_credited(apart: bool) -> None:
    words = DealWords(renewals_credited=apart)
    assert [is_credited(counting, words) for counting in Counting] == [True, apart, False]


def test_each_connection_reads_its_own_words() -> None:
    words = DealWords(pipelines=by_key({"Onboarding": Counting.IGNORE}), types=by_key({"Upsell": Counting.RENEWAL}))
    rules = DealRules(roles={"crm": by_key({"Advisor": Side.NOBODY})}, words={"crm": words})
    assert [rules.pipeline(name, "Onboarding") for name in ("crm", "other")] == [Counting.IGNORE, Counting.NEW]
    assert [rules.deal_type(name, "UPSELL") for name in ("crm", "other")] == [Counting.RENEWAL, Counting.NEW]
    assert [rules.role(name, "advisor") for name in ("crm", "other")] == [Side.NOBODY, Side.BUYER]
