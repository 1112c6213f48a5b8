"""docs/fields.md says of each field what the code makes of it, and of no other."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from refloop.connectors.hubspot.fields import definition
from refloop.connectors.salesforce.metadata import OwnField, list_views, metadata
from refloop.mapping.fields import field_specs
from refloop.mapping.labels import Labels
from refloop.mapping.reasons import (
    OWN_CODE,
    Reader,
    Refused,
    Told,
    answer_to_items,
    answer_to_refused,
    ending,
    how_sentence,
    void_sentence,
)
from refloop.mapping.stages import OPEN, label_of
from refloop.model import Code, Described, FieldLabel, FieldSpec, How, Kind, Ref, ReviewItem, ReviewReason, Rule, Status

PAGE = (Path(__file__).parents[1] / "docs/fields.md").read_text(encoding="utf-8")
SPECS = field_specs("ref")
SENTENCES = re.findall(r"^### `(\w+)`, \"(.+)\"\n\n(.+)$", PAGE, re.MULTILINE)
TYPES = {
    "text": ("Text", "single-line text"),
    "choice": ("Picklist, not restricted", "dropdown select"),
    "number": ("Number", "number"),
    "money": ("Number with decimals", "number"),
    "time": ("Date/Time", "date and time picker"),
}


def test_every_field_stands_there_with_label_and_description_and_no_other() -> None:
    assert sorted(SENTENCES) == sorted((spec.name, spec.label, spec.description) for spec in SPECS)
    assert set(re.findall(r"\bref_\w+", PAGE)) == {spec.name for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_field_has_the_type_that_the_page_says(spec: FieldSpec) -> None:
    kinds = ", ".join(spec.kinds)
    length = spec.length if spec.type == "text" else ""
    assert f"| `{spec.name}` | {kinds} | {' | '.join(TYPES[spec.type])} | {length} |".replace("|  |", "| |") in PAGE
    made = metadata(spec)["type"]
    assert {"Text": "Text", "Picklist": "Picklist", "Number": "Number", "DateTime": "Date/Time"}[made] in TYPES[
        spec.type
    ][0]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_the_crm_says_the_same_in_one_sentence(spec: FieldSpec) -> None:
    assert definition(spec, "group")["description"].startswith(spec.description)
    assert metadata(spec)["inlineHelpText"] == spec.description


def test_every_status_is_explained() -> None:
    told = next(line for line in PAGE.splitlines() if line.startswith("One of: ")).split("(")[0]
    assert [label_of(status) for status in Status if status in OPEN] == told.removeprefix("One of: ").strip().split(
        ", "
    )
    assert all(label_of(status) in PAGE for status in Status)


def test_what_may_be_missing_after_an_upgrade_is_named() -> None:
    (line,) = (line for line in PAGE.splitlines() if line.startswith("After an upgrade"))
    assert re.findall(r"ref_\w+", line) == [
        spec.name for spec in sorted(SPECS, key=lambda one: line.find(one.name)) if spec.is_later
    ]


def test_the_list_views_that_it_names_are_printed() -> None:
    own = [OwnField("Contact", spec) for spec in SPECS]
    assert [view.label for view in list_views(own)] == ["Referrals", "Referrers"]


LABELS = Labels.of(
    {
        "sf": Described("Salesforce", (FieldLabel(Kind.LEAD, "Detail__c", "Lead Source Detail"),)),
        "hs": Described("HubSpot", (FieldLabel(Kind.CONTACT, "url", "First page", "on the first page they saw"),)),
    }
)
GORAN, ANN = "Göran Ek", "Ann Berg"
CAME = datetime(2026, 11, 4, tzinfo=UTC)
ENDED = datetime(2026, 5, 3, tzinfo=UTC)
LEAD = Reader("sf", Kind.LEAD, LABELS, typed="ref_code")
ANNS = Code("ANN-2026", "ann2026", "ann", "p", date(2026, 6, 1), date(2026, 5, 3))
OTHER = Code("ANN-2O26", "ann2o26", "ann", "p")


def came(how: How, reader: Reader = LEAD) -> str:
    return how_sentence(Told("ANN-2026", ANN, how, CAME), reader)


def answered(reason: ReviewReason, *codes: Code) -> str:
    item = ReviewItem(Ref("sf", Kind.LEAD, "1"), reason, "ref_code", "x", tuple(code.key for code in codes))
    return answer_to_items([item], {code.key: code for code in codes})


@pytest.mark.parametrize(
    "sentence",
    [
        how_sentence(
            Told("GORAN-7K", GORAN, How(Rule.URL, "hs", Kind.CONTACT, "url"), datetime(2025, 9, 3, tzinfo=UTC)),
            Reader("hs", Kind.CONTACT, LABELS),
        ),
        came(How(Rule.EXACT, "sf", Kind.LEAD, "Detail__c")),
        came(How(Rule.TEXT, "sf", Kind.LEAD, "Description"), Reader("sf", Kind.CONTACT, LABELS)),
        came(How(Rule.EXACT, "sf", Kind.LEAD, "ref_code")).replace("Ref Code", "Referral Code"),
        came(How(Rule.CLAIM)),
        came(How(Rule.EXACT, "sf", Kind.LEAD, "Detail__c"), Reader("hs", Kind.CONTACT, LABELS)),
        ending(Status.LOST, ENDED, 'the reason given is "Price"', LEAD),
        ending(Status.DISQUALIFIED, ENDED, "the record's stage is Unqualified", LEAD),
        void_sentence("ANN-2026", Status.DISQUALIFIED, OWN_CODE),
        void_sentence("ANN-2026", Status.WITHDRAWN, "a person took the code off the record"),
        answered(ReviewReason.NEAR, ANNS),
        answered(ReviewReason.UNKNOWN),
        answered(ReviewReason.AMBIGUOUS, ANNS, OTHER),
        answered(ReviewReason.EXPIRED, ANNS),
        answered(ReviewReason.NOT_YET_VALID, ANNS),
        answer_to_refused(Refused("ANN-2026", Status.DISQUALIFIED, OWN_CODE), LEAD),
        answer_to_refused(
            Refused(
                "ANN-2026",
                Status.DUPLICATE,
                "",
                Told("BO-7", "Bo Ek", How(Rule.CLAIM), datetime(2025, 9, 3, tzinfo=UTC)),
            ),
            LEAD,
        ),
    ],
)
def test_what_refloop_says_stands_there_with_its_reason(sentence: str) -> None:
    assert re.search(rf"^\| (\.\.\.)?{re.escape(sentence)} \| \S", PAGE, re.MULTILINE)
