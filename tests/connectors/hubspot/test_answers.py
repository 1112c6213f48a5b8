from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from refloop.connectors.hubspot import answers
from refloop.errors import CrmUnavailable

WHAT = "the list of deals"


def row(**more: Any) -> dict[str, Any]:
    times = {"createdAt": "2026-01-02T03:04:05.678Z", "updatedAt": "2026-02-02T03:04:05Z"}
    return {"id": "12", "properties": {"amount": "1.50", "x": None}, "archived": False} | times | more


def test_a_row_is_read() -> None:
    listing = answers.read_listing({"results": [row()], "paging": {"next": {"after": "13"}}}, WHAT, limit=100)
    (one,) = listing.rows
    assert one.id == "12"
    assert one.created == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert one.properties == {"amount": "1.50", "x": None}
    assert one.linked == frozenset()
    assert listing.after == "13"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "x",
        {},
        {"results": None},
        {"results": {}},
        {"results": ["x"]},
        {"results": [row(), row()], "x": "more than the limit"},
        {"results": [row(id=None)]},
        {"results": [row(id="")]},
        {"results": [row(id="0")]},
        {"results": [row(id="12\n")]},
        {"results": [row(id="../13")]},
        {"results": [row(id=True)]},
        {"results": [row(id="1" * 20)]},
        {"results": [row(createdAt=None)]},
        {"results": [row(updatedAt="yesterday")]},
        {"results": [row(updatedAt="2026-01-01T00:00:00")]},
        {"results": [row(properties=None)]},
        {"results": [row(properties={"amount": 1})]},
        {"results": [row(associations=[])]},
        {"results": [row(associations={"contacts": {"results": None}})]},
        {"results": [row(associations={"contacts": {"results": [{"id": "x"}]}})]},
        {"results": [], "paging": {"next": {}}},
        {"results": [], "paging": {"next": {"after": ""}}},
        {"results": [], "paging": {"next": "https://evil.example"}},
    ],
)
def test_an_answer_that_cannot_be_one_is_refused(answer: Any) -> None:
    with pytest.raises(CrmUnavailable, match="the list of deals"):
        answers.read_listing(answer, WHAT, limit=1)


@pytest.mark.parametrize("total", [None, "1", -1, 1.0, True])
def test_a_search_has_to_count_its_results(total: Any) -> None:
    with pytest.raises(CrmUnavailable, match="total"):
        answers.read_found({"results": [row()], "total": total}, WHAT, limit=200)


@pytest.mark.parametrize(
    ("associations", "linked"),
    [
        (None, frozenset()),
        ({}, frozenset()),
        ({"companies": {"results": [{"id": "9", "type": "deal_to_company"}]}}, frozenset()),
        ({"contacts": {"results": [{"id": "7", "type": "a"}, {"id": "7", "type": "b"}]}}, frozenset({"7"})),
        ({"contacts": {"results": [{"id": "7"}], "paging": {"next": {"after": "8", "link": "x"}}}}, None),
    ],
)
def test_inline_contacts(associations: Any, linked: frozenset[str] | None) -> None:
    listing = answers.read_listing({"results": [row(associations=associations)]}, WHAT, limit=1)
    assert listing.rows[0].linked == linked


def test_edges_take_numbers_and_texts_and_know_who_has_none() -> None:
    answer = {
        "results": [
            {"from": {"id": "1"}, "to": [{"toObjectId": 11}, {"toObjectId": "12"}, {"toObjectId": 11}]},
            {"from": {"id": "2"}, "to": [{"toObjectId": 21}], "paging": {"next": {"after": "t"}}},
        ],
        "errors": [
            {
                "category": "OBJECT_NOT_FOUND",
                "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                "context": {"fromObjectId": ["3"]},
            }
        ],
    }
    edges = answers.read_edges(answer, WHAT, frozenset({"1", "2", "3", "4"}))
    assert edges.targets == {"1": {"11": (), "12": ()}, "2": {"21": ()}, "3": {}, "4": {}}
    assert edges.more == {"2": "t"}


def test_edges_say_what_a_target_is_to_its_source() -> None:
    plain, champion = {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}, {"typeId": 37, "label": "Champion"}
    referrer = {"typeId": 39, "label": "Referred by"}
    to = [
        {"toObjectId": 11, "associationTypes": [referrer, plain, champion, {"label": 7}, "odd"]},
        {"toObjectId": 12, "associationTypes": [plain]},
        {"toObjectId": 12, "associationTypes": [champion]},
        {"toObjectId": 13, "associationTypes": None},
    ]
    edges = answers.read_edges({"results": [{"from": {"id": "1"}, "to": to}]}, WHAT, frozenset({"1"}))
    assert edges.targets == {"1": {"11": ("Champion", "Referred by"), "12": ("Champion",), "13": ()}}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"results": [{"from": {"id": "9"}, "to": []}]},
        {"results": [{"to": []}]},
        {"results": [{"from": {"id": "1"}}]},
        {"results": [{"from": {"id": "1"}, "to": [{"toObjectId": 1.5}]}]},
        {"results": [], "errors": [{"category": "INTERNAL_ERROR"}]},
        {"results": [], "errors": "x"},
    ],
)
def test_edges_that_are_not_whole_are_refused(answer: Any) -> None:
    with pytest.raises(CrmUnavailable):
        answers.read_edges(answer, WHAT, frozenset({"1"}))


INVALID = (
    'Property values were not valid: [{"isValid":false,"message":"Property \\"x\\" does not exist",'
    '"error":"PROPERTY_DOESNT_EXIST","name":"x","localizedErrorMessage":"no"}]'
)


@pytest.mark.parametrize(
    ("entry", "ids", "properties", "codes"),
    [
        ({"category": "OBJECT_NOT_FOUND", "context": {"ids": ["888", "9"]}}, {"888", "9"}, set(), set()),
        (
            {"category": "VALIDATION_ERROR", "message": INVALID, "context": {"objectWriteTraceId": ["5"]}},
            {"5"},
            {"x"},
            {"PROPERTY_DOESNT_EXIST"},
        ),
        (
            {"errors": [{"code": "INVALID_OPTION", "context": {"propertyName": ["ref_status"]}}]},
            set(),
            {"ref_status"},
            {"INVALID_OPTION"},
        ),
        ({"category": "OBJECT_ALREADY_EXISTS", "context": {"name": ["ref_code"]}}, set(), {"ref_code"}, set()),
        ({"context": "x", "errors": "y", "message": None}, set(), set(), set()),
        ({"context": {"ids": [123]}}, {"123"}, set(), set()),
    ],
)
def test_errors_say_whom_and_what_they_mean(
    entry: dict[str, Any], ids: set[str], properties: set[str], codes: set[str]
) -> None:
    error = answers.read_error(entry)
    assert (set(error.ids), set(error.properties), set(error.codes)) == (ids, properties, codes)


@pytest.mark.parametrize("reader", [answers.read_updated, lambda answer, what: list(answers.results(answer, what))])
def test_results_have_to_be_a_list_of_objects(reader: Callable[[Any, str], object]) -> None:
    for answer in (None, {}, {"results": 1}, {"results": [1]}):
        with pytest.raises(CrmUnavailable):
            reader(answer, WHAT)
