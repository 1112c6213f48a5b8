from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from refloop.connectors.hubspot import HubSpotSettings
from refloop.connectors.hubspot.account import read_stages
from refloop.connectors.hubspot.answers import Row
from refloop.connectors.hubspot.layout import Layout, Stage, Stages
from refloop.connectors.hubspot.records import (
    MOST_MERGED,
    Reader,
    canonical_value,
    long_salesforce_id,
    merged_ids,
)
from refloop.model import FieldSpec, FieldType, Kind, Link, Outcome, Owner, Ref, Relation
from refloop.model import Stage as PersonStage

BOTH = (Kind.LEAD, Kind.CONTACT, Kind.DEAL)
CODE = FieldSpec("ref_code", "Code", FieldType.TEXT, BOTH)
AT = FieldSpec("ref_status_at", "At", FieldType.TIME, BOTH)
SHARE = FieldSpec("ref_share", "Share", FieldType.NUMBER, (Kind.DEAL,))
FIELDS = (CODE, AT, SHARE)
STAGES = {
    ("default", "open"): Stage("Appointment", Outcome.OPEN, "Sales"),
    ("default", "won"): Stage("Closed won", Outcome.WON, "Sales"),
    ("default", "lost"): Stage("Closed lost", Outcome.LOST, "Sales"),
    ("default", "odd"): Stage("Odd", None, "Sales"),
}
ENTERED = {
    Kind.CONTACT: {"customer": "hs_v2_date_entered_customer", "98765": "hs_v2_date_entered_98765"},
    Kind.DEAL: {"won": "hs_v2_date_entered_won", "lost": "hs_v2_date_entered_lost"},
}
LABELS = {
    ("lifecyclestage", "98765"): "Trial",
    ("hs_lead_status", "BOOKED_2"): "Meeting booked",
    ("hs_lead_status", "Nurture"): "nurture",
    ("dealtype", "existingbusiness"): "Renewal",
    ("partner", "p17"): "Ann Gram (ANN-2026)",
    ("partner", "p18"): "BOB-2026",
    ("partner", "Direct"): "Direct",
}


def settings(**more: Any) -> HubSpotSettings:
    auth = {"method": "service_key", "token": "env:T"}
    return HubSpotSettings.model_validate({"connector": "hubspot", "auth": auth} | more)


@dataclass(frozen=True)
class Facts:
    """What an account says of itself."""

    own_currency: str | None

    def stages(self) -> Stages:
        return STAGES

    def currency(self) -> str | None:
        return self.own_currency

    def home_currency(self) -> str | None:
        return "USD"

    def owner_name(self, owner: str) -> str:
        return {"41": "Ann Owner"}.get(owner, "")

    def label(self, kind: Kind, name: str, value: str) -> str | None:  # noqa: ARG002 - as the protocol has it
        return LABELS.get((name, value))

    def has_labels(self) -> bool:
        raise AssertionError("a reader reads")

    def layout(self) -> Layout:
        return Layout(ENTERED, {Kind.CONTACT: ("partner",)})

    def assume(self, layout: Layout | None) -> None:  # noqa: ARG002 - as the protocol has it
        raise AssertionError("a reader reads")


class Silent:
    """An account that must not be asked."""

    def _asked(self, *_question: object) -> Any:
        raise AssertionError("asked")

    stages = currency = home_currency = owner_name = label = has_labels = layout = assume = _asked


def reader(currency: str | None = "EUR", **more: Any) -> Reader:
    return Reader("hub", settings(**more), FIELDS, Facts(currency))


def row(**properties: str | None) -> Row:
    return Row("7", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), properties)


def test_a_contact() -> None:
    record = reader().record(
        Kind.CONTACT,
        row(
            email="ann@example.com",
            company="Acme",
            lifecyclestage="lead",
            hs_lead_status="OPEN",
            hs_analytics_first_url="https://x.example/?ref=ANN1",
            ref_code="ANN1",
            ref_status_at="2026-01-01T10:00:00.000Z",
            ref_share="5",
        ),
    )
    assert record.ref == Ref("hub", Kind.CONTACT, "7")
    assert (record.email, record.title, record.stage, record.outcome) == ("ann@example.com", "Acme", "OPEN", None)
    assert record.texts == {"hs_analytics_first_url": "https://x.example/?ref=ANN1"}
    assert record.found == {"ref_code": "ANN1", "ref_status_at": "2026-01-01T10:00:00Z"}
    assert not record.deleted


def test_a_contact_without_anything() -> None:
    record = reader().record(Kind.CONTACT, row(email=None, company="", lifecyclestage="lead", hs_lead_status=""))
    assert (record.email, record.title, record.stage, dict(record.texts), dict(record.found)) == (
        None,
        None,
        "lead",
        {},
        {},
    )


WON_AT, CLOSE_AT = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00.000Z"
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
MAY, SAVED = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
TO_COME = "2027-12-31T00:00:00Z"


@pytest.mark.parametrize(
    ("properties", "stage", "outcome", "closed_at"),
    [
        ({"dealstage": "open", "closedate": CLOSE_AT}, "Appointment", Outcome.OPEN, None),
        ({"dealstage": "won", "closedate": CLOSE_AT, "hs_closed_won_date": WON_AT}, "Closed won", Outcome.WON, MARCH),
        ({"dealstage": "won", "closedate": CLOSE_AT}, "Closed won", Outcome.WON, APRIL),
        (
            {"dealstage": "lost", "closedate": CLOSE_AT, "hs_closed_won_date": WON_AT},
            "Closed lost",
            Outcome.LOST,
            APRIL,
        ),
        ({"dealstage": "won"}, "Closed won", Outcome.WON, None),
        ({"dealstage": "won", "closedate": "soon"}, "Closed won", Outcome.WON, None),
        ({"dealstage": "won", "closedate": "0001-01-01T00:00:00+14:00"}, "Closed won", Outcome.WON, None),
        ({"dealstage": "won", "hs_v2_date_entered_won": "2026-05-01T00:00:00Z"}, "Closed won", Outcome.WON, MAY),
        ({"dealstage": "won", "closedate": TO_COME, "hs_closed_won_date": WON_AT}, "Closed won", Outcome.WON, MARCH),
        (
            {"dealstage": "won", "closedate": TO_COME, "hs_v2_date_entered_won": "2026-05-01T00:00:00Z"},
            "Closed won",
            Outcome.WON,
            MAY,
        ),
        ({"dealstage": "won", "closedate": TO_COME, "hs_closed_won_date": TO_COME}, "Closed won", Outcome.WON, SAVED),
        ({"dealstage": "won", "hs_closed_won_date": TO_COME, "closedate": CLOSE_AT}, "Closed won", Outcome.WON, APRIL),
        (
            {"dealstage": "lost", "closedate": TO_COME, "hs_v2_date_entered_lost": "2026-05-01T00:00:00Z"},
            "Closed lost",
            Outcome.LOST,
            MAY,
        ),
        ({"dealstage": "lost", "closedate": TO_COME}, "Closed lost", Outcome.LOST, SAVED),
        ({"dealstage": "open", "closedate": TO_COME}, "Appointment", Outcome.OPEN, None),
        ({"dealstage": "42"}, "42", None, None),
        ({"dealstage": "42", "hs_is_closed": "false"}, "42", Outcome.OPEN, None),
        ({"dealstage": "42", "hs_is_closed": "true", "hs_is_closed_won": "false"}, "42", Outcome.LOST, None),
        ({"dealstage": "42", "hs_is_closed": "true", "hs_is_closed_won": "true"}, "42", Outcome.WON, None),
        ({"dealstage": "odd", "hs_is_closed": "false"}, "Odd", Outcome.OPEN, None),
        ({"dealstage": None}, None, None, None),
    ],
)
def test_how_a_deal_stands(
    properties: dict[str, str | None], stage: str | None, outcome: Outcome | None, closed_at: datetime | None
) -> None:
    said = replace(row(pipeline="default", **properties), updated=SAVED)
    record = reader().record(Kind.DEAL, said)
    assert (record.stage, record.outcome, record.closed_at) == (stage, outcome, closed_at)


@pytest.mark.parametrize(
    ("stage", "more", "reason"),
    [
        ("lost", {}, "too dear"),
        ("lost", {"lost_reason": "partner"}, "BOB-2026"),
        ("lost", {"lost_reason": "nothing_there"}, None),
        ("lost", {"lost_reason": None}, None),
        ("won", {}, None),
        ("open", {}, None),
    ],
)
def test_why_a_deal_was_lost_is_read_as_people_see_it(
    stage: str, more: dict[str, str | None], reason: str | None
) -> None:
    own = replace(reader(), settings=settings(**more))
    said = row(pipeline="default", dealstage=stage, closed_lost_reason="too dear", partner="p18")
    assert own.record(Kind.DEAL, said).lost_reason == reason
    assert (own.settings.lost_reason in own.properties(Kind.DEAL)) is (own.settings.lost_reason is not None)
    assert "closed_lost_reason" not in own.properties(Kind.CONTACT)


def test_a_deal_says_where_it_goes_through_what_it_is_and_whose() -> None:
    record = reader().record(
        Kind.DEAL,
        row(
            pipeline="default",
            dealstage="won",
            dealtype="existingbusiness",
            hs_primary_associated_company="501",
            hs_v2_date_entered_won=WON_AT,
        ),
    )
    assert (record.pipeline, record.deal_type, record.account) == ("Sales", "Renewal", "501")
    assert record.stage_at == MARCH


@pytest.mark.parametrize(
    ("properties", "pipeline", "deal_type"),
    [({}, None, None), ({"pipeline": "77", "dealstage": "x", "dealtype": "odd"}, "77", "odd")],
)
def test_what_the_account_does_not_know_stays_as_it_is(
    properties: dict[str, str], pipeline: str | None, deal_type: str | None
) -> None:
    record = reader().record(Kind.DEAL, row(**properties))
    assert (record.pipeline, record.deal_type, record.account) == (pipeline, deal_type, None)


@pytest.mark.parametrize(
    ("properties", "home"),
    [
        ({"amount": "900", "deal_currency_code": "EUR", "amount_in_home_currency": "980.1"}, (Decimal("980.1"), "USD")),
        ({"amount": "900", "deal_currency_code": "EUR", "amount_in_home_currency": ""}, (None, None)),
        ({"amount": "900", "amount_in_home_currency": "900"}, (None, None)),
        ({"amount": "900", "deal_currency_code": "EUR", "amount_in_home_currency": "much"}, (None, None)),
    ],
)
def test_amounts_of_another_currency_come_in_the_accounts_own_too(
    properties: dict[str, str], home: tuple[Decimal | None, str | None]
) -> None:
    record = reader().record(Kind.DEAL, row(**properties))
    assert (record.home_amount, record.home_currency) == home


@pytest.mark.parametrize(
    ("properties", "stage", "further"),
    [
        ({}, None, ()),
        ({"lifecyclestage": "customer", "hs_v2_date_entered_customer": WON_AT}, PersonStage("customer", MARCH), ()),
        (
            {"hs_lead_status": "OPEN", "lifecyclestage": "customer", "hs_v2_date_entered_customer": WON_AT},
            PersonStage("OPEN"),
            (PersonStage("customer", MARCH),),
        ),
        (
            {"hs_lead_status": "BOOKED_2", "lifecyclestage": "98765", "hs_v2_date_entered_98765": WON_AT},
            PersonStage("Meeting booked"),
            (PersonStage("BOOKED_2"), PersonStage("Trial", MARCH), PersonStage("98765", MARCH)),
        ),
        ({"hs_lead_status": "Nurture"}, PersonStage("nurture"), ()),
        ({"hs_lead_status": "of yesterday"}, PersonStage("of yesterday"), ()),
        ({"lifecyclestage": "customer", "hs_v2_date_entered_customer": "soon"}, PersonStage("customer"), ()),
    ],
)
def test_where_a_person_stands_by_every_field_that_says_so(
    properties: dict[str, str], stage: PersonStage | None, further: tuple[PersonStage, ...]
) -> None:
    record = reader().record(Kind.CONTACT, row(**properties))
    assert (record.stage, record.stage_at) == ((stage.word, stage.at) if stage else (None, None))
    assert record.further_stages == further


def test_who_a_person_is() -> None:
    record = reader().record(
        Kind.CONTACT,
        row(
            email="ann@example.com",
            hs_additional_emails="ann@home.example;;a.gram@old.example",
            firstname="Ann",
            lastname="Gram",
            associatedcompanyid="501",
        ),
    )
    assert record.emails == ("ann@home.example", "a.gram@old.example")
    assert (record.name, record.account) == ("Ann Gram", "501")
    assert reader().record(Kind.CONTACT, row(lastname="Gram")).name == "Gram"
    assert reader().record(Kind.CONTACT, row(firstname="")).name is None


@pytest.mark.parametrize(
    ("held", "texts"),
    [
        ("p17", {"partner": "p17", "partner (label)": "Ann Gram (ANN-2026)"}),
        ("p18;p17;Direct", {"partner": "p18;p17;Direct", "partner (label)": "BOB-2026; Ann Gram (ANN-2026)"}),
        ("Direct", {"partner": "Direct"}),
        ("p99", {"partner": "p99"}),
        ("", {}),
    ],
)
def test_a_list_to_choose_from_is_read_as_people_see_it_too(held: str, texts: dict[str, str]) -> None:
    chosen = reader(code_fields={"contact": ["partner"]})
    assert chosen.record(Kind.CONTACT, row(partner=held)).texts == texts


def test_a_stage_belongs_to_its_pipeline() -> None:
    assert reader().record(Kind.DEAL, row(pipeline="other", dealstage="won")).outcome is None


@pytest.mark.parametrize(
    ("amount", "own", "account", "expected"),
    [
        ("1500.50", "USD", "EUR", (Decimal("1500.5"), "USD")),
        ("1500", None, "EUR", (Decimal(1500), "EUR")),
        ("1500", "", None, (Decimal(1500), "XXX")),
        ("0", "usd", "EUR", (Decimal(0), "USD")),
        ("", "USD", "EUR", (None, None)),
        (None, "USD", "EUR", (None, None)),
        ("NaN", "USD", "EUR", (None, None)),
        ("lots", "USD", "EUR", (None, None)),
    ],
)
def test_money_keeps_its_currency(
    amount: str | None, own: str | None, account: str | None, expected: tuple[Decimal | None, str | None]
) -> None:
    record = reader(account).record(Kind.DEAL, row(amount=amount, deal_currency_code=own, dealname="Big"))
    assert (record.amount, record.currency) == expected
    assert record.title == "Big"


def test_an_account_is_asked_nothing_without_need() -> None:
    lazy = Reader("hub", settings(), FIELDS, Silent())
    lazy.record(Kind.CONTACT, row(email="a@example.com"))
    lazy.record(Kind.DEAL, row(dealname="x"))


@pytest.mark.parametrize("kind", [Kind.CONTACT, Kind.DEAL])
@pytest.mark.parametrize(
    ("owner", "expected"), [("41", Owner("41", "Ann Owner")), ("42", Owner("42")), ("", None), (None, None)]
)
def test_who_looks_after_a_record(kind: Kind, owner: str | None, expected: Owner | None) -> None:
    assert reader().record(kind, row(hubspot_owner_id=owner)).owner == expected


@pytest.mark.parametrize(
    ("field", "held", "canonical"),
    [
        (CODE, "x", "x"),
        (CODE, "", None),
        (CODE, None, None),
        (AT, "2026-01-01T10:00:00.123Z", "2026-01-01T10:00:00Z"),
        (AT, "1767261600000", "2026-01-01T10:00:00Z"),
        (AT, "tomorrow", "tomorrow"),
        (AT, "9" * 30, "9" * 30),
        (SHARE, "0.50", "0.5"),
        (SHARE, "half", "half"),
    ],
)
def test_found_values_are_canonical_and_never_lost(field: FieldSpec, held: str | None, canonical: str | None) -> None:
    assert canonical_value(field, held) == canonical


@pytest.mark.parametrize(
    ("properties", "ids"),
    [
        ({}, set()),
        ({"hs_merged_object_ids": "1;2"}, {"1", "2"}),
        ({"hs_calculated_merged_vids": "3:1700000000000;4:1700000000001"}, {"3", "4"}),
        ({"hs_all_contact_vids": "7;5", "hs_merged_object_ids": None}, {"5", "7"}),
        ({"hs_merged_object_ids": ";x; 6 ;"}, {"6"}),
    ],
)
def test_merged_ids(properties: dict[str, str | None], ids: set[str]) -> None:
    assert merged_ids(row(**properties)) == ids


def test_half_an_id_at_the_end_of_an_endless_list_is_nobodys() -> None:
    ids = [str(10**9 + number) for number in range(200_000)]
    read = merged_ids(row(hs_all_contact_vids=";".join(ids)))
    assert read == set(ids[: 65_536 // 11])


def test_of_more_losers_than_a_record_can_have_the_newest_are_kept() -> None:
    ids = [str(number) for number in range(10, 10 + 2 * MOST_MERGED)]
    links = list(reader().links(Kind.CONTACT, row(hs_merged_object_ids=";".join(ids))))
    assert [link.source.id for link in links] == ids[-MOST_MERGED:]


def test_losers_point_at_the_survivor() -> None:
    here = Ref("hub", Kind.CONTACT, "7")
    links = list(reader().links(Kind.CONTACT, row(hs_all_contact_vids="7;5", hs_merged_object_ids="30")))
    assert links == [
        Link(Ref("hub", Kind.CONTACT, "5"), Relation.MERGED_INTO, here),
        Link(Ref("hub", Kind.CONTACT, "30"), Relation.MERGED_INTO, here),
    ]


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("0016000000Jkq5c", "0016000000Jkq5cAAB"),
        ("0016000000Jkq5cAAB", "0016000000Jkq5cAAB"),
        ("0016000000Jkq5cAAC", None),
        ("0016000000Jkq5", None),
        ("0016000000Jkq5c\n", None),
        ("0016000000Jkq5cé", None),
        ("", None),
        ("aAaAaAaAaAaAaAa", "aAaAaAaAaAaAaAaKVK"),
    ],
)
def test_salesforce_ids_become_18_characters(text: str, long: str | None) -> None:
    assert long_salesforce_id(text) == long


def test_mirrored_records_point_at_their_originals() -> None:
    mirror = reader(mirror_of="crm")
    deal = list(mirror.links(Kind.DEAL, row(hs_salesforceopportunityid="0066000000Jkq5c")))
    assert [(link.relation, link.target) for link in deal] == [
        (Relation.SAME_DEAL, Ref("crm", Kind.DEAL, "0066000000Jkq5cAAB"))
    ]
    person = list(
        mirror.links(Kind.CONTACT, row(salesforcecontactid="0036000000Jkq5c", salesforceleadid="00Q6000000Jkq5c"))
    )
    assert [(link.relation, link.target.kind) for link in person] == [
        (Relation.SAME_PERSON, Kind.CONTACT),
        (Relation.SAME_PERSON, Kind.LEAD),
    ]
    assert list(reader().links(Kind.DEAL, row(hs_salesforceopportunityid="0066000000Jkq5c"))) == []


def test_reads_ask_for_what_they_use() -> None:
    plain = reader(code_fields={"contact": ["email", "heard_of_us"], "deal": []})
    contact, deal = plain.properties(Kind.CONTACT), plain.properties(Kind.DEAL)
    assert {"email", "heard_of_us", "ref_code", "hs_merged_object_ids"} <= set(contact)
    assert "ref_share" not in contact
    assert {"ref_share", "dealstage", "pipeline", "hs_v2_date_entered_won"} <= set(deal)
    assert len(set(contact)) == len(contact)
    assert "salesforcecontactid" not in contact
    assert "salesforcecontactid" in reader(mirror_of="crm").properties(Kind.CONTACT)


def test_stages_are_told_by_texts() -> None:
    def stage(name: str, **metadata: Any) -> dict[str, Any]:
        return {"id": name, "label": name.title(), "metadata": metadata}

    stages = read_stages(
        [
            {
                "id": "default",
                "stages": [
                    stage("open", isClosed="false", probability="0.2"),
                    stage("won", isClosed="true", probability="1.0"),
                    stage("lost", isClosed="true", probability="0.0"),
                    stage("broken", isClosed="true", probability="often"),
                    stage("silent", probability="0.4"),
                    {"id": "bare"},
                ],
            },
            {"id": "empty"},
        ]
    )
    assert {key[1]: stage.outcome for key, stage in stages.items()} == {
        "open": Outcome.OPEN,
        "won": Outcome.WON,
        "lost": Outcome.LOST,
        "broken": Outcome.LOST,
        "silent": None,
        "bare": None,
    }
    assert stages["default", "won"].label == "Won"
    assert stages["default", "bare"].label == "bare"
