"""A person's own exports in the local CRMs: what is loaded, what is named, what is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from refloop.commands.local_crms import sheet
from refloop.errors import DataError
from refloop_sandbox.exports import CODE_FIELDS, Wishes, load_exports
from refloop_sandbox.exports.files import ExportError
from refloop_sandbox.exports.layouts import OURS
from refloop_sandbox.exports.loading import FAULTS_LIMIT, LoadReport
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

_NOT_A_TIME = "created_at is not a time; write it as 2026-03-31T14:05:00Z or 2026-03-31"
NOTHING_SAID = Wishes()
_TWICE = "HubSpot refuses the row: two contacts have the same value of a unique property"
DOCS = Path(__file__).parents[2] / "docs" / "exports.md"


@pytest.fixture
def salesforce() -> Iterator[LocalSalesforce]:
    with LocalSalesforce() as crm:
        yield crm


@pytest.fixture
def hubspot() -> LocalHubSpot:
    return LocalHubSpot()


@pytest.fixture
def crms(salesforce: LocalSalesforce, hubspot: LocalHubSpot) -> tuple[LocalSalesforce, LocalHubSpot]:
    return salesforce, hubspot


Crms = tuple[LocalSalesforce, LocalHubSpot]


def _load(folder: Path, crms: Crms, **files: str) -> LoadReport:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return _loaded(folder, crms)


def _loaded(folder: Path, crms: Crms, wishes: Wishes = NOTHING_SAID) -> LoadReport:
    return load_exports([sheet(path.name, path) for path in sorted(folder.iterdir())], *crms, wishes)


def _example() -> dict[str, str]:
    return dict(
        re.findall(r"^(\w+)\.csv:\n\n```csv\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )


def test_the_documented_example_loads(tmp_path: Path, crms: Crms) -> None:
    salesforce = crms[0]
    report = _load(tmp_path, crms, **_example())
    assert (report.faults, report.ignored) == ([], {})
    assert report.loaded == {
        ("leads", "salesforce"): 2, ("contacts", "salesforce"): 1, ("contacts", "hubspot"): 2,
        ("deals", "salesforce"): 1, ("deals", "hubspot"): 1, ("links", "salesforce"): 1, ("links", "hubspot"): 1,
    }  # fmt: skip
    lead, converted = salesforce.rows("Lead")
    assert (lead["Name"], lead["Email"], lead["Status"]) == (
        "Jane Roe",
        "Jane.Roe@fernmarch.example",
        "Working - Contacted",
    )
    assert lead["Description"] == "Referred by Ann, code ANN-2026"
    assert lead["CreatedDate"] == "2026-02-03T00:00:00.000+0000"
    assert converted["IsConverted"] is True
    assert converted["ConvertedContactId"] == report.ids["contacts", "salesforce", "C1"]
    assert converted["ConvertedOpportunityId"] == report.ids["deals", "salesforce", "D1"]


def test_the_documented_deals_stand_where_they_should(tmp_path: Path, crms: Crms) -> None:
    salesforce, hubspot = crms
    report = _load(tmp_path, crms, **_example())
    (won,) = salesforce.rows("Opportunity")
    assert (won["StageName"], won["IsWon"], won["Amount"], won["CloseDate"]) == ("Signed", True, 12400.5, "2026-02-27")
    (account,) = salesforce.rows("Account")
    assert won["AccountId"] == account["Id"]
    (role,) = salesforce.rows("OpportunityContactRole")
    assert (role["OpportunityId"], role["Role"]) == (won["Id"], "Decision Maker")
    deal = report.ids["deals", "hubspot", "D2"]
    properties = hubspot.get("deals", deal)
    assert properties is not None
    assert (properties["amount"], properties["deal_currency_code"]) == ("980", "EUR")
    assert properties["hs_is_closed"] == "false"
    assert "closedate" not in properties
    assert list(hubspot.associations("deals", deal, "contacts")) == [report.ids["contacts", "hubspot", "P2"]]
    kim = hubspot.get("contacts", report.ids["contacts", "hubspot", "P2"])
    assert kim is not None
    assert kim["hs_analytics_first_url"] == "https://www.example.com/demo?ref=ANN-2026"
    assert kim["createdate"] == "2026-03-05T11:12:00Z"


def test_the_documents_name_every_column_and_the_code_fields() -> None:
    text = DOCS.read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", text))
    assert {column for columns in OURS.values() for column in columns} <= named
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert {name: item["code_fields"] for name, item in yaml.safe_load(block)["connections"].items()} == CODE_FIELDS


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (",salesforce,a@b.example,2026-01-01,", "id is empty"),
        ("1,pipedrive,a@b.example,2026-01-01,", "crm must be salesforce or hubspot"),
        ("1,salesforce,not an address,2026-01-01,", "email is not an e-mail address"),
        ("1,salesforce,a@b.example,,", "created_at is empty"),
        ("1,salesforce,a@b.example,31.02.2026,", _NOT_A_TIME),
        ("1,salesforce,a@b.example,0001-01-01T00:00:00+14:00,", "created_at is out of range"),
        ("1,salesforce,a@b.example,2026-01-01,Doe,Jane", "has more fields than the header has columns"),
        ("0,salesforce,a@b.example,2026-01-01,", "id stands in an earlier row too"),
        ("1,salesforce,a@b.example,2026-01-01," + "x" * 81, "Salesforce refuses LastName: STRING_TOO_LONG"),
        ("1,hubspot,Good@b.example,2026-01-01,", _TWICE),
    ],
)  # fmt: skip
def test_a_bad_person_is_named_and_the_others_are_loaded(tmp_path: Path, crms: Crms, row: str, why: str) -> None:
    lines = [
        "id,crm,email,created_at,last_name",
        "0,salesforce,s@b.example,2026-01-01,",
        "",
        row,
        "9,hubspot,good@b.example,2026-01-01,Doe",
    ]
    if "Good@" in row:
        lines[3:] = lines[:2:-1]
    report = _load(tmp_path, crms, contacts="\n".join(lines))
    assert report.faults == [f"contacts.csv:{5 if 'Good@' in row else 4}: {why}"]
    assert (report.bad_rows, report.loaded.total()) == (1, 2)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('1,hubspot,,,"1,234",', "amount is not a number; write it as 1234.56"),
        ("1,hubspot,,,NaN,", "amount is out of range"),
        ("1,hubspot,,,1e40,", "amount is out of range"),
        ("1,hubspot,,,1,EURO", "currency is not a code of three letters, such as EUR"),
        ("1,salesforce,,,1,EUR", "currency differs from the org's, USD; a Salesforce org here has one"),
        ("1,hubspot,,maybe,,", "outcome must be one of: open, won, lost"),
        ("1,hubspot,Closed Won,lost,,", "outcome is lost, but this stage is one of won deals"),
        ("1,salesforce,closed won,open,,", "outcome is open, but this stage is one of won deals"),
        ("1,hubspot,Signed,,,", "stage is none that the CRM knows; say in outcome whether it is open, won or lost"),
        ("1,salesforce,Shaken,,,", "stage is none that the CRM knows; say in outcome whether it is open, won or lost"),
    ],
)
def test_a_bad_deal_is_named(tmp_path: Path, crms: Crms, row: str, why: str) -> None:
    head = "id,crm,stage,outcome,amount,currency,created_at"
    report = _load(tmp_path, crms, deals=f"{head}\n{row},2026-01-01\n2,hubspot,,,,,2026-01-01\n")
    assert report.faults == [f"deals.csv:2: {why}"]
    assert report.loaded == {("deals", "hubspot"): 1}


@pytest.mark.parametrize("crm", ["salesforce", "hubspot"])
@pytest.mark.parametrize(
    ("stage", "outcome", "closed", "won"),
    [
        ("", "", False, False),
        ("", "won", True, True),
        ("", "lost", True, False),
        ("Closed Won", "", True, True),
        ("closed lost", "lost", True, False),
        ("Unterschrieben", "won", True, True),
        ("Verloren", "LOST", True, False),
        ("Angebot", "open", False, False),
    ],
)
def test_stages_and_outcomes(
    tmp_path: Path, crms: Crms, crm: str, stage: str, outcome: str, *, closed: bool, won: bool
) -> None:
    rows = "".join(f"{number},{crm},{stage},{outcome},2026-01-01,2026-02-01\n" for number in range(2))
    report = _load(tmp_path, crms, deals="id,crm,stage,outcome,created_at,closed_at\n" + rows)
    assert report.faults == []
    salesforce, hubspot = crms
    if crm == "salesforce":
        found = [(row["IsClosed"], row["IsWon"], row["CloseDate"]) for row in salesforce.rows("Opportunity")]
        assert found == [(closed, won, "2026-02-01")] * 2
    else:
        said = [(row["hs_is_closed"], row["hs_is_closed_won"], row["closedate"]) for _, row in hubspot.rows("deals")]
        assert said == [(str(closed).lower(), str(won).lower(), "2026-02-01T00:00:00Z")] * 2


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (",C1,salesforce", "deal_id is empty"),
        ("D1,,salesforce", "person_id is empty"),
        ("D9,C1,salesforce", "deal_id names none of the deals that were loaded into salesforce"),
        ("D1,C1,hubspot", "deal_id names none of the deals that were loaded into hubspot"),
        ("D1,L1,salesforce", "person_id names nobody who was loaded into salesforce and can stand on a deal"),
    ],
)
def test_a_bad_link_is_named(tmp_path: Path, crms: Crms, link: str, why: str) -> None:
    files = _example() | {"links": f"deal_id,person_id,crm\n{link}\nD1,L2,salesforce\n"}
    report = _load(tmp_path, crms, **files)
    assert report.faults == [f"links.csv:2: {why}"]
    (role,) = crms[0].rows("OpportunityContactRole")
    assert role["ContactId"] == report.ids["contacts", "salesforce", "C1"]


def test_a_conversion_needs_its_contact(tmp_path: Path, crms: Crms) -> None:
    leads = "id,created_at,converted_contact_id,converted_deal_id\n1,2026-01-01,C7,\n2,2026-01-01,,D1\n3,2026-01-01,,\n"
    report = _load(tmp_path, crms, leads=leads)
    assert report.faults == [
        "leads.csv:2: converted_contact_id names none of the contacts that were loaded into salesforce",
        "leads.csv:3: converted_deal_id needs a converted_contact_id beside it",
    ]


def test_a_hubspot_lead_is_a_contact(tmp_path: Path, crms: Crms) -> None:
    report = _load(
        tmp_path,
        crms,
        leads="id,crm,email,status,code_text,created_at\nL,hubspot,l@b.example,in progress,ANN 26,2026-01-01\n",
        deals="id,created_at\nD,2026-01-01\n",
        links="deal_id,person_id\nD,L\n",
    )
    assert report.faults == []
    ((record_id, properties),) = crms[1].rows("contacts")
    assert (properties["hs_lead_status"], properties["message"]) == ("IN_PROGRESS", "ANN 26")
    assert list(crms[1].associations("deals", report.ids["deals", "hubspot", "D"], "contacts")) == [record_id]


OWNED = """\
id,crm,owner,created_at
1,salesforce,Mira Tamm,2026-01-01
2,salesforce,mira tamm,2026-01-01
3,hubspot,Mira Tamm,2026-01-01
4,hubspot,kim@b.example,2026-01-01
5,salesforce,kim@b.example,2026-01-01
6,hubspot,,2026-01-01
7,salesforce,,2026-01-01
"""


@pytest.mark.parametrize(
    ("name", "object_", "objects"),
    [("contacts", "Contact", "contacts"), ("deals", "Opportunity", "deals"), ("leads", "Lead", "contacts")],
)
def test_an_owner_becomes_a_user_of_their_crm(
    tmp_path: Path, crms: Crms, name: str, object_: str, objects: str
) -> None:
    salesforce, hubspot = crms
    report = _load(tmp_path, crms, **{name: OWNED})
    assert (report.faults, report.ignored) == ([], {})
    users = {str(row["Id"]): (row["Name"], row["Email"]) for row in salesforce.rows("User")}
    there = [str(row["OwnerId"]) for row in salesforce.rows(object_)]
    assert [users[owner][0] for owner in there] == ["Mira Tamm", "Mira Tamm", "kim@b.example", "Ada Admin"]
    assert there[0] == there[1]
    assert users[there[2]][1] == "kim@b.example"
    here = [row.get("hubspot_owner_id") for _, row in hubspot.rows(objects)]
    assert len(set(here)) == 3
    assert here[2] is None
    with pytest.raises(ValueError, match="INVALID_OWNER_ID"):
        hubspot.create(objects, {"hubspot_owner_id": "1"})
    hubspot.create(objects, {"hubspot_owner_id": here[0]})


def test_an_owner_has_a_name_that_fits(tmp_path: Path, crms: Crms) -> None:
    rows = "".join(f"{crm},{crm},{'x' * 81},2026-01-01\n" for crm in ("salesforce", "hubspot"))
    report = _load(tmp_path, crms, contacts="id,crm,owner,created_at\n" + rows)
    assert report.faults == [f"contacts.csv:{line}: owner is longer than 80 characters" for line in (2, 3)]


def test_columns_that_are_not_ours_are_left_out_and_named(tmp_path: Path, crms: Crms) -> None:
    report = _load(tmp_path, crms, leads="Id,Created At,IQ,Shoe Size,,\n1,2026-01-01,130,42,,\n")
    assert report.ignored == {"leads.csv": ["IQ", "Shoe Size"]}
    assert report.loaded == {("leads", "salesforce"): 1}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_byte_order_mark_and_quotes(tmp_path: Path, crms: Crms, delimiter: str) -> None:
    cells = (
        ("id", "created_at", "company", "last_name"),
        ("1", "2026-01-01", '"Bäckerei ""Löwe"", Söhne;\nKöln"', "Größe"),
    )
    text = "\r\n".join(delimiter.join(row) for row in cells)
    (tmp_path / "leads.csv").write_text(text, encoding="utf-8-sig", newline="")
    report = _loaded(tmp_path, crms)
    (lead,) = crms[0].rows("Lead")
    assert (report.faults, lead["Company"], lead["LastName"]) == ([], 'Bäckerei "Löwe", Söhne;\nKöln', "Größe")


def test_lines_are_those_on_which_a_row_begins(tmp_path: Path, crms: Crms) -> None:
    report = _load(tmp_path, crms, leads='id,created_at,code_text\n1,2026-01-01,"a\nb\nc"\n2,never,"d\ne"\n3,never,\n')
    assert [fault.partition(" ")[0] for fault in report.faults] == ["leads.csv:5:", "leads.csv:7:"]


def test_faults_repeat_nothing_about_a_person(tmp_path: Path, crms: Crms) -> None:
    rows = "1,secret@,2026-01-01,\n2,a@b.example,secret,\n3,a@b.example,2026-01-01,secret" + "x" * 90
    report = _load(tmp_path, crms, leads="id,email,created_at,last_name\n" + rows)
    assert report.bad_rows == 3
    assert "secret" not in "".join(report.faults)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("leads.csv", b"", "leads.csv is empty"),
        ("leads.csv", b"\n\n", "leads.csv is empty"),
        ("leads.csv", b"title,created_at\n", "leads.csv has no column id"),
        ("leads.csv", b"email\n", "leads.csv has no column created_at"),
        ("links.csv", b"id\n", "links.csv has no column deal_id, person_id"),
        ("leads.csv", b"id,ID,created_at\n", "leads.csv has the column id twice"),
        ("leads.csv", b"id,created_at,last_name\n1,2026-01-01,M\xfcller\n", "leads.csv is not UTF-8"),
        ("leads.csv", "id,created_at\n".encode("utf-16-le"), "leads.csv is not UTF-8"),
        ("leads.csv", b'id,created_at\n1,"2026\n', "leads.csv is not a CSV file"),
        ("leads.csv", b"id,created_at\n1," + b"2" * 200_000, "leads.csv is not a CSV file"),
        ("people.csv", b"id\n1\n", "none of people.csv holds leads, contacts, deals or links"),
        ("leads.xlsx", b"PK\x03\x04", "leads.xlsx is an Excel workbook or another zip file"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_a_data_error(
    tmp_path: Path, crms: Crms, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((ExportError, DataError), match=re.escape(message)) as caught:
        _loaded(tmp_path, crms)
    assert isinstance(caught.value, ExportError | DataError)
    assert caught.value.remedy


def test_many_bad_rows_are_counted_and_the_first_named(tmp_path: Path, crms: Crms) -> None:
    report = _load(tmp_path, crms, leads="id,created_at\n" + "1,never\n" * (FAULTS_LIMIT + 5))
    assert (report.bad_rows, len(report.faults)) == (FAULTS_LIMIT + 5, FAULTS_LIMIT)


def test_stages_have_a_limit(tmp_path: Path, crms: Crms) -> None:
    rows = "".join(f"{number},stage {number},open,2026-01-01\n" for number in range(200))
    report = _load(tmp_path, crms, deals="id,stage,outcome,created_at\n" + rows)
    assert report.loaded.total() < 100 < report.bad_rows


def test_many_rows_load_fast_and_in_order(tmp_path: Path, crms: Crms) -> None:
    rows = "".join(f"{number},p{number}@b.example,2026-01-01\n" for number in range(5_000))
    report = _load(tmp_path, crms, contacts="id,email,created_at\n" + rows)
    assert report.loaded == {("contacts", "hubspot"): 5_000}
    last = crms[1].get("contacts", report.ids["contacts", "hubspot", "4999"])
    assert last is not None
    assert last["email"] == "p4999@b.example"
