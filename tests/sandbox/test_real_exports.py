"""Exports in the forms in which CRMs, loaders and public data sets write them, loaded as they are; all made up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from refloop.commands.local_crms import sheet
from refloop_sandbox.exports import Wishes, load_exports
from refloop_sandbox.exports.files import BadRow, DayOrder, ExportError
from refloop_sandbox.exports.loading import LoadReport
from refloop_sandbox.exports.values import amount, moment, own_id
from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce

OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist"
NOTHING_SAID = Wishes()


class Crms:
    """Both local CRMs, and what was loaded into them."""

    def __init__(self, salesforce: LocalSalesforce, folder: Path) -> None:
        self.salesforce = salesforce
        self.hubspot = LocalHubSpot()
        self.folder = folder

    def load(self, files: Mapping[str, str], wishes: Wishes = NOTHING_SAID) -> LoadReport:
        for name, text in files.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        return self.load_all(sorted(self.folder.iterdir()), wishes)

    def load_all(self, paths: list[Path], wishes: Wishes = NOTHING_SAID) -> LoadReport:
        return load_exports([sheet(path.name, path) for path in paths], self.salesforce, self.hubspot, wishes)

    def deals(self) -> list[tuple[object, ...]]:
        fields = ("Name", "StageName", "IsClosed", "IsWon", "Amount", "CloseDate", "CreatedDate")
        return [tuple(row[field] for field in fields) for row in self.salesforce.rows("Opportunity")]

    def hubspot_deals(self) -> list[tuple[str | None, ...]]:
        fields = ("dealname", "hs_is_closed", "hs_is_closed_won", "amount", "createdate", "closedate")
        return [tuple(row.get(field) for field in fields) for _, row in self.hubspot.rows("deals")]

    def on_hubspot_deals(self) -> list[tuple[str, list[str]]]:
        emails = {record: row.get("email", record) for record, row in self.hubspot.rows("contacts")}
        return [
            (row["dealname"], sorted(emails[person] for person in self.hubspot.associations("deals", deal, "contacts")))
            for deal, row in self.hubspot.rows("deals")
        ]

    def roles(self) -> list[tuple[object, object, object]]:
        names = {row["Id"]: row["Name"] for kind in ("Contact", "Opportunity") for row in self.salesforce.rows(kind)}
        return [
            (names[row["OpportunityId"]], names[row["ContactId"]], row["Role"])
            for row in self.salesforce.rows("OpportunityContactRole")
        ]


@pytest.fixture
def crms(tmp_path: Path) -> Iterator[Crms]:
    with LocalSalesforce() as salesforce:
        yield Crms(salesforce, tmp_path)


# Salesforce

DATA_EXPORT = {
    "Account.csv": '"Id","IsDeleted","Name"\n"001Lo0000000001IAA","0","Tannhollow GmbH"\n',
    "User.csv": '"Id","Username","LastName","FirstName","Email"\n'
    '"005Lo0000000001IAA","mira@tann.example","Tamm","Mira","mira@tann.example"\n',
    "Contact.csv": '"Id","IsDeleted","AccountId","LastName","FirstName","Email","Description","OwnerId","CreatedDate",'
    '"LastModifiedDate","SystemModstamp"\n'
    '"003Lo0000000001IAA","0","001Lo0000000001IAA","Größe","Otto","otto@tann.example","",'
    '"005Lo0000000001IAA","2026-01-20 09:00:00","2026-02-01 10:00:00","2026-02-01 10:00:00"\n'
    '"003Lo0000000002IAA","1","","Gone","","","","","2026-01-20 09:00:00","",""\n',
    "Lead.csv": '"Id","LastName","Company","Email","Status","IsConverted","ConvertedContactId",'
    '"ConvertedOpportunityId","CreatedDate","Description"\n'
    '"00QLo0000000001IAA","Größe","Tannhollow GmbH","otto@tann.example","Qualified","1","003Lo0000000001IAA",'
    '"006Lo0000000001IAA","2026-01-10T09:30:00.000Z","code ANN-2026"\n',
    "Opportunity.csv": '"Id","AccountId","Name","StageName","Amount","CloseDate","IsClosed","IsWon","CreatedDate",'
    '"OwnerId","ForecastCategory"\n'
    '"006Lo0000000001IAA","001Lo0000000001IAA","40 seats","Signed","12400.5","2026-02-27","1","1",'
    '"2026-01-20 09:00:00","005Lo0000000001IAA","Closed"\n'
    '"006Lo0000000002IAA","","10 seats","Talks","","2026-09-30","0","0","2026-01-21 09:00:00","","Pipeline"\n',
    "OpportunityContactRole.csv": '"Id","OpportunityId","ContactId","Role","IsPrimary","CreatedDate","IsDeleted"\n'
    '"00KLo0000000001IAA","006Lo0000000001","003Lo0000000001","Decision Maker","1","2026-01-20 09:00:00","0"\n',
    "OpportunityHistory.csv": '"Id","OpportunityId","StageName","CreatedDate"\n"008","006","Signed","2026-01-20"\n',
    "Case.csv": '"Id","ContactId","Subject","CreatedDate"\n"500Lo0000000001IAA","","Help","2026-01-20"\n',
}


def test_salesforces_data_export_loads_as_it_is(crms: Crms) -> None:
    report = crms.load(DATA_EXPORT)
    assert (report.faults, report.strange) == ([], ["Case.csv", "OpportunityHistory.csv"])
    assert report.loaded == {
        ("contacts", "salesforce"): 1, ("leads", "salesforce"): 1, ("deals", "salesforce"): 2,
        ("links", "salesforce"): 1,
    }  # fmt: skip
    assert crms.deals() == [
        ("40 seats", "Signed", True, True, 12400.5, "2026-02-27", "2026-01-20T09:00:00.000+0000"),
        ("10 seats", "Talks", False, False, None, "2026-09-30", "2026-01-21T09:00:00.000+0000"),
    ]
    assert crms.roles() == [("40 seats", "Otto Größe", "Decision Maker")]
    (lead,) = crms.salesforce.rows("Lead")
    assert lead["ConvertedContactId"] == next(crms.salesforce.rows("Contact"))["Id"]
    (account,) = crms.salesforce.rows("Account")
    owners = {row["Id"]: row["Name"] for row in crms.salesforce.rows("User")}
    won = next(crms.salesforce.rows("Opportunity"))
    assert (account["Name"], won["AccountId"], owners[won["OwnerId"]]) == (
        "Tannhollow GmbH", account["Id"], "Mira Tamm",
    )  # fmt: skip


REPORTS = {
    "report1774963001.csv": '"Opportunity ID","Opportunity Name","Account Name","Contact ID","Email","Contact Role",'
    '"Stage","Amount Currency","Amount","Close Date","Created Date","Closed","Won","Opportunity Owner"\n'
    '"006Lo0000000001","40 seats","Tannhollow GmbH","003Lo0000000001","otto@tann.example","Decision Maker","Signed",'
    '"USD","12,400.50","2/27/2026","1/20/2026","1","1","Mira Tamm"\n'
    '"006Lo0000000001","40 seats","Tannhollow GmbH","003Lo0000000002","ida@tann.example","Evaluator","Signed",'
    '"USD","12,400.50","2/27/2026","1/20/2026","1","1","Mira Tamm"\n'
    '\n"Grand Totals (2 records)"\n\n"Confidential Information - Do Not Distribute"\n'
    '"Copyright (c) 2000-2026 salesforce.com, inc. All rights reserved."\n"Generated By:  Mira Tamm  3/31/2026"\n',
    "report1774963002.csv": '"Contact ID","First Name","Last Name","Email","Account Name","Contact Owner",'
    '"Created Date","Last Modified Date"\n'
    '"003Lo0000000001","Otto","Größe","otto@tann.example","Tannhollow GmbH","Mira Tamm","1/20/2026","2/1/2026"\n'
    '"003Lo0000000002","Ida","Ek","ida@tann.example","Tannhollow GmbH","Mira Tamm","1/20/2026","2/1/2026"\n',
    "report1774963003.csv": '"Lead ID","First Name","Last Name","Company / Account","Email","Lead Status","Lead Owner",'
    '"Converted","Created Date","Description"\n'
    '"00QLo0000000001","Otto","Größe","Tannhollow GmbH","OTTO@tann.example","Qualified","Mira Tamm","1",'
    '"1/10/2026 9:30 AM","code ANN-2026"\n'
    '"00QLo0000000002","Eva","Ny","Nyberg AB","eva@ny.example","Open","Mira Tamm","0","3/31/2026 11:05 PM",""\n',
}


def test_salesforces_reports_load_as_they_are(crms: Crms) -> None:
    report = crms.load(REPORTS)
    assert (report.faults, report.ignored, report.strange) == ([], {}, [])
    assert report.loaded == {
        ("contacts", "salesforce"): 2, ("leads", "salesforce"): 2, ("deals", "salesforce"): 1,
        ("links", "salesforce"): 2,
    }  # fmt: skip
    assert crms.deals() == [("40 seats", "Signed", True, True, 12400.5, "2026-02-27", "2026-01-20T00:00:00.000+0000")]
    assert crms.roles() == [("40 seats", "Otto Größe", "Decision Maker"), ("40 seats", "Ida Ek", "Evaluator")]
    converted, new = crms.salesforce.rows("Lead")
    assert (converted["IsConverted"], new["IsConverted"]) == (True, False)
    assert converted["ConvertedContactId"] == next(crms.salesforce.rows("Contact"))["Id"]
    assert new["CreatedDate"] == "2026-03-31T23:05:00.000+0000"


def test_a_lead_that_is_only_said_to_be_converted_gets_its_contact(crms: Crms) -> None:
    report = crms.load(
        {
            "Lead.csv": "Id,LastName,Company,Email,IsConverted,CreatedDate\n"
            "1,Ny,Nyberg AB,eva@ny.example,true,2026-03-01\n",
        }
    )
    assert report.faults == []
    (contact,), (lead,) = crms.salesforce.rows("Contact"), crms.salesforce.rows("Lead")
    assert (contact["Email"], lead["ConvertedContactId"]) == ("eva@ny.example", contact["Id"])


# HubSpot

HUBSPOT = {
    "hubspot-crm-exports-all-contacts-2026-03-31.csv": '"Record ID","First Name","Last Name","Email","Phone Number",'
    '"Contact owner","Primary Company","Lead Status","Lifecycle Stage","Create Date","First Page Seen"\n'
    '"101","Kim","Lê","kim@vex.example","","Mira Tamm","Vexholm AB","In Progress","Sales Qualified Lead",'
    '"2026-03-05 11:12","https://www.example.com/demo?ref=ANN-2026"\n'
    '"102","Bo","Ek","bo@vex.example","","","Vexholm AB","Called twice","Fan","2026-03-06 08:00",""\n',
    "hubspot-crm-exports-all-deals-2026-03-31.csv": '"Record ID","Deal Name","Deal Stage","Pipeline","Close Date",'
    '"Deal owner","Amount","Create Date","Is Closed Won","Associated Contact IDs","Associated Contact"\n'
    '"7001","Team plan","Closed Won (Sales Pipeline)","Sales Pipeline","2026-03-20 10:00","Mira Tamm","980",'
    '"2026-03-06 09:00","true","101;102","Kim Lê (kim@vex.example);Bo Ek (bo@vex.example)"\n'
    '"7002","Trial","In legal review (Sales Pipeline)","Sales Pipeline","","Mira Tamm","","2026-03-07 09:00",'
    '"false","",""\n',
}


def test_hubspots_exports_load_as_they_are(crms: Crms) -> None:
    report = crms.load(HUBSPOT)
    assert report.faults == []
    assert report.loaded == {("contacts", "hubspot"): 2, ("deals", "hubspot"): 2, ("links", "hubspot"): 2}
    assert report.ignored == {
        "hubspot-crm-exports-all-contacts-2026-03-31.csv": ["Phone Number"],
        "hubspot-crm-exports-all-deals-2026-03-31.csv": ["Pipeline"],
    }
    assert sum(report.notes.values()) == 2, "a status and a stage of the account's own"
    assert crms.hubspot_deals() == [
        ("Team plan", "true", "true", "980", "2026-03-06T09:00:00Z", "2026-03-20T10:00:00Z"),
        ("Trial", "false", "false", None, "2026-03-07T09:00:00Z", None),
    ]
    assert crms.on_hubspot_deals() == [("Team plan", ["bo@vex.example", "kim@vex.example"]), ("Trial", [])]
    kim = next(row for _, row in crms.hubspot.rows("contacts"))
    assert (kim["hs_lead_status"], kim["lifecyclestage"]) == ("IN_PROGRESS", "salesqualifiedlead")


@pytest.mark.parametrize("column", ["Associated Contact", "Contact Email", "person_emails"])
def test_people_on_a_deal_are_found_by_their_address(crms: Crms, column: str) -> None:
    report = crms.load(
        {
            "contacts.csv": "Email,Create Date\nkim@vex.example,2026-03-05\nbo@vex.example,2026-03-05\n",
            "deals.csv": f"Record ID,Deal Name,Create Date,{column}\n"
            "1,Plan,2026-03-06,Kim (KIM@vex.example); bo@vex.example\n2,Other,2026-03-06,Eva (eva@vex.example)\n"
            "3,Third,2026-03-06,Kim Le;Bo Ek\n",
        }
    )
    assert report.faults == []
    assert crms.on_hubspot_deals() == [
        ("Plan", ["bo@vex.example", "kim@vex.example"]),
        ("Other", []),
        ("Third", []),
    ]
    assert report.notes == {
        "deals.csv: an association with a record that was not loaded into hubspot": 1,
        "deals.csv: a deal that names its people without id or address": 1,
    }


def test_a_contact_may_name_its_deals(crms: Crms) -> None:
    crms.load(
        {
            "contacts.csv": "Record ID,Email,Create Date,Associated Deal IDs\n1,kim@vex.example,2026-03-05,7;8.0\n",
            "deals.csv": "Record ID,Deal Name,Create Date\n7,Plan,2026-03-06\n8,Other,2026-03-06\n",
        }
    )
    assert crms.on_hubspot_deals() == [("Plan", ["kim@vex.example"]), ("Other", ["kim@vex.example"])]


DOCS = Path(__file__).parents[2] / "docs" / "exports.md"


@pytest.mark.parametrize(
    ("crm", "loaded"),
    [
        ("salesforce", {"contacts": 1, "leads": 1, "deals": 1, "links": 1}),
        ("hubspot", {"contacts": 1, "deals": 2, "links": 2}),
    ],
)
def test_the_documented_example_of_each_crm_loads(crms: Crms, crm: str, loaded: dict[str, int]) -> None:
    blocks = re.findall(rf"^{crm}/(\S+):\n\n```csv\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    report = crms.load(dict(blocks))
    assert (report.faults, report.ignored, report.notes) == ([], {}, {})
    assert report.loaded == {(kind, crm): count for kind, count in loaded.items()}


# warehouses


def test_what_fivetran_makes_of_hubspot_loads_as_it_is(crms: Crms) -> None:
    contacts = [
        {"id": 101, "property_email": "kim@vex.example", "property_createdate": "2026-03-05 11:12:00 UTC"},
        {
            "id": 102,
            "property_email": "bo@vex.example",
            "property_createdate": "2026-03-05 11:12:00.123456 UTC",
            "property_message": "code ANN-2026",
            "_fivetran_deleted": False,
        },
        {"id": 103, "property_createdate": "2026-03-05 11:12:00 UTC", "_fivetran_deleted": True},
    ]
    report = crms.load(
        {
            "contact.jsonl": "".join(json.dumps(row) + "\n" for row in contacts),
            "deal.csv": "deal_id,property_dealname,property_amount,property_closedate,property_createdate,"
            "deal_pipeline_stage_id,is_deleted\n"
            "7,Plan,980.00,2026-03-20 10:00:00 UTC,2026-03-06 09:00:00 UTC,closedwon,false\n",
            "deal_contact.csv": "deal_id,contact_id\n7,102\n",
        }
    )
    assert (report.faults, report.strange) == ([], [])
    assert report.loaded == {("contacts", "hubspot"): 2, ("deals", "hubspot"): 1, ("links", "hubspot"): 1}
    assert crms.on_hubspot_deals() == [("Plan", ["bo@vex.example"])]
    assert [row.get("message") for _, row in crms.hubspot.rows("contacts")] == [None, "code ANN-2026"]


def test_what_dbt_makes_of_salesforce_loads_as_it_is(crms: Crms) -> None:
    report = crms.load(
        {
            "salesforce__opportunity_enhanced.csv": "opportunity_id,opportunity_name,account_name,stage_name,amount,"
            "is_closed,is_won,created_date,close_date,contact_id,last_modified_date\n"
            "006Lo0000000001IAA,40 seats,Tannhollow,Signed,12400.5,true,true,2026-01-20 09:00:00+00,2026-02-27,"
            "003Lo0000000001IAA,2026-02-27 10:00:00.000000000 +0000\n",
            "stg_salesforce__contact.csv": "contact_id,last_name,email,created_date,is_deleted\n"
            "003Lo0000000000,x,,,\n003Lo0000000001IAA,Größe,otto@tann.example,1769000000000,false\n",
        }
    )
    assert report.faults == ["stg_salesforce__contact.csv:2: created_at is empty"]
    assert crms.roles() == [("40 seats", "Größe", None)]
    assert crms.deals()[0][1:6] == ("Signed", True, True, 12400.5, "2026-02-27")


# public data sets


def test_the_maven_sales_pipeline_loads_as_it_is(crms: Crms) -> None:
    report = crms.load(
        {
            "sales_pipeline.csv": "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,"
            "close_value\n1C1I7A6R,Moses Frase,GTX Plus Basic,Cancity,Won,2016-10-20,2017-03-01,1054\n"
            "Z063OYW0,Darcel Schlecht,GTXPro,,Lost,10/25/2016,3/11/2017,0\n"
            "EC4QE1BX,Darcel Schlecht,MG Special,Cancity,Engaging,2016-11-25,,\n"
            "MV1LWRNH,Moses Frase,GTX Basic,Codehow,Prospecting,,,\n",
            "accounts.csv": "account,sector,year_established\nCancity,retail,2001\n",
        }
    )
    assert report.faults == ["sales_pipeline.csv:5: created_at is empty"]
    assert report.strange == ["accounts.csv"]
    assert crms.hubspot_deals() == [
        ("GTX Plus Basic", "true", "true", "1054", "2016-10-20T00:00:00Z", "2017-03-01T00:00:00Z"),
        ("GTXPro", "true", "false", "0", "2016-10-25T00:00:00Z", "2017-03-11T00:00:00Z"),
        ("MG Special", "false", "false", None, "2016-11-25T00:00:00Z", None),
    ]


X_EDUCATION = "Prospect ID,Lead Number,Lead Origin,Lead Source,Converted{}\n7927b2df-8bba,660737,API,Olark Chat,1{}\n"


def test_the_leads_of_x_education_need_a_day_and_no_more(crms: Crms) -> None:
    with pytest.raises(ExportError, match=r"Leads\.csv has no column created_at") as caught:
        crms.load({"Leads.csv": X_EDUCATION.format("", "")})
    assert "add it by hand" in caught.value.remedy
    report = crms.load({"Leads.csv": X_EDUCATION.format(",Created At", ",2026-03-01")})
    assert report.faults == []
    (lead,) = crms.salesforce.rows("Lead")
    assert (lead["IsConverted"], lead["CreatedDate"]) == (True, "2026-03-01T00:00:00.000+0000")


def test_olists_leads_and_deals_load_as_they_are(crms: Crms) -> None:
    paths = sorted(OLIST.glob("*.csv"))
    if not paths:
        pytest.skip(f"the Olist data is not at {OLIST}")
    report = crms.load_all(paths)
    assert report.faults == []
    assert report.loaded == {("leads", "hubspot"): 8_000, ("deals", "hubspot"): 842, ("links", "hubspot"): 842}
    assert {row["hs_is_closed_won"] for _, row in crms.hubspot.rows("deals")} == {"true"}


def test_every_fault_of_a_row_is_named(crms: Crms) -> None:
    report = crms.load(
        {
            "deals.csv": "id,created_at,closed_at,amount,currency,outcome\n1,never,soon,much,EURO,maybe\n",
            "leads.csv": "id,email,created_at,modified_at\n1,nobody,,then\n",
        }
    )
    assert [fault.split(": ", 1) for fault in report.faults] == [
        [
            "deals.csv:2",
            "amount is not a number; write it as 1234.56; currency is not a code of three letters, such as EUR; "
            "outcome must be one of: open, won, lost; "
            "created_at is not a time; write it as 2026-03-31T14:05:00Z or 2026-03-31; "
            "closed_at is not a time; write it as 2026-03-31T14:05:00Z or 2026-03-31",
        ],
        [
            "leads.csv:2",
            "email is not an e-mail address; created_at is empty; modified_at is not a time; write it as "
            "2026-03-31T14:05:00Z or 2026-03-31",
        ],
    ]


# values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-31", "2026-03-31T00:00:00"),
        ("2026-03-31T14:05:00.000+0000", "2026-03-31T14:05:00"),
        ("2026-03-31T14:05:00-07:00", "2026-03-31T21:05:00"),
        ("2026-03-31 14:05:06 UTC", "2026-03-31T14:05:06"),
        ("2026-03-31 14:05:06.789012 UTC", "2026-03-31T14:05:06.789012"),
        ("2026-03-31 14:05:06.789012345 +0000", "2026-03-31T14:05:06.789012"),
        ("1774965900", "2026-03-31T14:05:00"),
        ("1774965900000", "2026-03-31T14:05:00"),
        ("1774965900000000", "2026-03-31T14:05:00"),
        ("46112", "2026-03-31T00:00:00"),
        ("46112.586806", "2026-03-31T14:05:00"),
        ("31.03.2026 14:05", "2026-03-31T14:05:00"),
        ("2026/3/31 14:05", "2026-03-31T14:05:00"),
        ("2026-03-31 2:05 PM", "2026-03-31T14:05:00"),
        ("01.03.26", "2026-03-01T00:00:00"),
        ("3/31/2026, 2:05 PM", "2026-03-31T14:05:00"),
        ("31/03/2026 02:05", "2026-03-31T02:05:00"),
        ("3/3/2026 12:05 AM", "2026-03-03T00:05:00"),
        ("31-Mar-26", "2026-03-31T00:00:00"),
        ("Mar 31, 2026 2:05:06 PM", "2026-03-31T14:05:06"),
        ("March 31, 2026", "2026-03-31T00:00:00"),
    ],
)
def test_times_as_databases_spreadsheets_and_crms_write_them(text: str, expected: str) -> None:
    off = moment("created_at", text) - datetime.fromisoformat(expected).replace(tzinfo=UTC)
    assert abs(off.total_seconds()) < 1


@pytest.mark.parametrize(
    "text", ["never", "32/13/2026", "13:05", "2026-02-30", "31.02.2026", "Foo 3, 2026", "3/31/2026 13:05 PM"]
)
def test_what_is_no_time_is_a_bad_row(text: str) -> None:
    with pytest.raises(BadRow, match="created_at is not a time"):
        moment("created_at", text)


@pytest.mark.parametrize(
    ("rows", "wish", "days"),
    [
        (["03/04/2026", "25/12/2025"], None, ["2026-04-03", "2025-12-25"]),
        (["03/04/2026", "12/25/2025"], None, ["2026-03-04", "2025-12-25"]),
        (["03/04/2026"], DayOrder.DAY_FIRST, ["2026-04-03"]),
        (["03/04/2026"], DayOrder.MONTH_FIRST, ["2026-03-04"]),
        (["03/04/2026"], None, []),
    ],
)
def test_the_file_tells_whether_the_day_comes_first(
    crms: Crms, rows: list[str], wish: DayOrder | None, days: list[str]
) -> None:
    text = "id,created_at\n" + "".join(f"{number},{row}\n" for number, row in enumerate(rows))
    report = crms.load({"leads.csv": text}, Wishes(wish))
    assert [str(row["CreatedDate"])[:10] for row in crms.salesforce.rows("Lead")] == days
    told = "leads.csv:2: created_at may be day/month or month/day, and no row of the file tells which: say --dates"
    assert report.faults == ([] if days else [told])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234.5", "1234.5"), ("$12,400.50", "12400.50"), ("USD 12,400.50", "12400.50"), ("12.400,50 €", "12400.50"),
        ("1,234,567", "1234567"), ("1.234.567", "1234567"), ("12,5", "12.5"), ("-3", "-3"), ("1 234,50", "1234.50"),
    ],
)  # fmt: skip
def test_amounts_as_people_write_them(text: str, expected: str) -> None:
    assert amount(text) == Decimal(expected)


def test_ids_of_two_lengths_are_one() -> None:
    assert own_id("003Lo0000000001IAA") == own_id("003Lo00000000001") or own_id("003Lo0000000001AAA")
    assert own_id("51.0") == "51"
    with pytest.raises(BadRow, match="what a spreadsheet made of a long number"):
        own_id("1.23457E+11")
