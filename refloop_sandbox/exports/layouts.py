"""Which columns mean what, in our words and in those of others: Salesforce's reports, Data Loader and Data Export,
HubSpot's exports, what Fivetran and dbt make of both, and public data sets.

A column is compared by its letters and digits in lower case, without the `property` or `properties` that loaders put
before HubSpot's names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_CREATED = ("createddate", "createdate", "hscreatedate", "datecreated", "createdon", "createtime", "firstcontactdate")
_MODIFIED = (
    "lastmodifieddate", "lastmodified", "hslastmodifieddate", "systemmodstamp", "updatedat", "lastmodifiedat",
    "modifieddate",
)  # fmt: skip
_COMPANY = ("companyname", "companyaccount", "accountname", "account", "associatedcompany", "primarycompany")
_CODES = (
    "description", "message", "referralcode", "referralcodec", "promocode", "promocodec", "couponcode", "couponcodec",
    "referredby", "referredbyc", "landingpageid",
)  # fmt: skip
_OWNER = ("ownername", "salesagent", "ownerfullname", "recordowner")
_CURRENCY = ("currencyisocode", "dealcurrencycode", "amountcurrency", "currencycode")
_EMAIL = ("emailaddress", "workemail", "contactemail", "leademail")
_DELETED = {"deleted": ("isdeleted", "fivetrandeleted")}
_ACCOUNT = {"account_id": ("accountid",)}

_PERSON = {
    "email": _EMAIL,
    "first_name": ("firstname",),
    "last_name": ("lastname", "surname"),
    "full_name": ("fullname", "name", "contactname", "leadname"),
    "company": _COMPANY,
    "title": ("jobtitle",),
    "status": ("leadstatus", "hsleadstatus"),
    "stage": ("lifecyclestage",),
    "code_text": _CODES,
    "first_page_url": ("firstpageseen", "hsanalyticsfirsturl", "landingpage", "landingpageurl"),
    "created_at": _CREATED,
    "modified_at": _MODIFIED,
    "deal_ids": ("associateddealids", "associateddealid"),
    **_DELETED,
    **_ACCOUNT,
}
_DEAL_PEOPLE = {
    "person_ids": ("personid", "associatedcontactids", "associatedcontactid", "contactid", "primarycontactid", "mqlid"),
    "person_emails": (
        "personemail", "associatedcontactemails", "associatedcontactemail", "associatedcontact", "associatedcontacts",
        "contactemail", "contactemailaddress", "primarycontactemail", "email",
    ),
    "role": ("contactrole",),
}  # fmt: skip

JOINED = frozenset({"code_text", "person_emails"})
"""Of these every column counts, one below the other; of the others the first that says something."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of one kind may say. `columns` are our names with those that mean the same; `required` must be there,
    or one that stands in for it: of each group the first is what it is called. `crm` is what it means to say nothing of
    the CRM. `files` are names of files that tell the kind, `marks` columns that do.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    required: tuple[tuple[str, ...], ...]
    crm: str
    files: frozenset[str]
    marks: frozenset[str]

    def sources(self, column: str) -> tuple[str, ...]:
        """The keys under which a column of ours may stand, the best first."""
        return (column.replace("_", ""), *self.columns[column])


LAYOUTS = (
    Layout(
        "accounts",
        {"id": ("accountid", "recordid", "recordidcompany", "companyid", "hsobjectid"), "name": _COMPANY[:3]},
        (("id",), ("name",)),
        "salesforce",
        frozenset({"accounts", "account", "companies", "company"}),
        frozenset(),
    ),
    Layout(
        "owners",
        {
            "id": ("userid", "ownerid"),
            "email": _EMAIL,
            "first_name": ("firstname",),
            "last_name": ("lastname",),
            "name": ("fullname",),
        },
        (("id",),),
        "salesforce",
        frozenset({"owners", "owner", "users", "user"}),
        frozenset({"username", "userroleid"}),
    ),
    Layout(
        "contacts",
        {
            "id": ("recordid", "recordidcontact", "contactid", "hsobjectid", "vid"),
            **_PERSON,
            "owner": ("contactowner", *_OWNER),
            "owner_id": ("ownerid", "hubspotownerid"),
        },
        (("id", "email"), ("created_at",)),
        "hubspot",
        frozenset({"contacts", "contact"}),
        frozenset({"lifecyclestage", "contactowner", "recordidcontact", "reportstoid", "vid"}),
    ),
    Layout(
        "deals",
        {
            "id": ("opportunityid", "recordid", "recordiddeal", "dealid", "hsobjectid", "mqlid"),
            "name": ("opportunityname", "dealname", "product"),
            "company": _COMPANY,
            "amount": ("closevalue", "dealvalue", "value", "declaredmonthlyrevenue"),
            "currency": _CURRENCY,
            "stage": ("stagename", "dealstage", "pipelinestagelabel", "dealpipelinestageid"),
            "outcome": (),
            "won": ("iswon", "isclosedwon", "hsisclosedwon"),
            "closed": ("isclosed", "isdealclosed", "hsisclosed"),
            "probability": ("dealprobability", "hsdealstageprobability"),
            "won_at": ("wondate",),
            "code_text": _CODES,
            "created_at": (*_CREATED, "engagedate", "wondate"),
            "closed_at": ("closedate", "closeddate", "wondate"),
            "modified_at": _MODIFIED,
            "owner": ("opportunityowner", "dealowner", *_OWNER),
            "owner_id": ("ownerid", "hubspotownerid"),
            **_DEAL_PEOPLE,
            **_DELETED,
            **_ACCOUNT,
        },
        (("id", "name"), ("created_at",)),
        "hubspot",
        frozenset({"deals", "deal", "opportunities", "opportunity"}),
        frozenset(
            {"dealname", "dealstage", "opportunityname", "stagename", "opportunityid", "dealid", "wondate", "iswon"}
        ),
    ),
    Layout(
        "leads",
        {
            "id": ("leadid", "recordid", "prospectid", "mqlid", "leadnumber", "hsobjectid"),
            **_PERSON,
            "owner": ("leadowner", *_OWNER),
            "owner_id": ("ownerid",),
            "converted": ("isconverted",),
            "converted_contact_id": ("convertedcontactid", "contactid"),
            "converted_deal_id": ("convertedopportunityid", "opportunityid"),
        },
        (("id", "email"), ("created_at",)),
        "salesforce",
        frozenset({"leads", "lead"}),
        frozenset(
            {"leadid", "companyaccount", "isconverted", "leadowner", "leadnumber", "prospectid", "mqlid", "leadorigin"}
        ),
    ),
    Layout(
        "links",
        {
            "deal_id": ("opportunityid", "recordiddeal"),
            "person_id": ("contactid", "leadid", "recordidcontact"),
            "person_email": ("email", "contactemail"),
            "role": ("contactrole",),
            **_DELETED,
        },
        (("deal_id",), ("person_id", "person_email")),
        "hubspot",
        frozenset(
            {
                "links",
                "opportunitycontactroles",
                "opportunitycontactrole",
                "associations",
                "dealcontacts",
                "dealcontact",
            }
        ),
        frozenset(),
    ),
)
"""In the order in which they are loaded: a lead may name the contact and the deal it was converted to."""

OURS = {
    "accounts": ("id", "name"),
    "owners": ("id", "name", "email"),
    "contacts": (
        "id", "email", "first_name", "last_name", "company", "title", "status", "stage", "code_text", "first_page_url",
        "created_at", "modified_at", "owner",
    ),
    "deals": (
        "id", "name", "company", "amount", "currency", "stage", "outcome", "code_text", "created_at", "closed_at",
        "modified_at", "owner", "person_ids", "person_emails",
    ),
    "leads": (
        "id", "email", "first_name", "last_name", "company", "title", "status", "stage", "code_text", "first_page_url",
        "created_at", "modified_at", "owner", "converted", "converted_contact_id", "converted_deal_id",
    ),
    "links": ("deal_id", "person_id", "person_email", "role"),
}  # fmt: skip
"""What the documents name: the columns of a table that is made for this."""

SIGNS = {
    "salesforce": frozenset(
        {
            "systemmodstamp", "stagename", "opportunityname", "opportunityid", "opportunityowner", "companyaccount",
            "isconverted", "convertedopportunityid", "masterrecordid", "accountid", "leadid", "leadowner", "iswon",
            "isclosed", "currencyisocode", "reportstoid", "forecastcategory", "lastmodifiedbyid", "createdbyid",
        }
    ),
    "hubspot": frozenset(
        {
            "recordid", "recordidcontact", "recordiddeal", "hsobjectid", "dealstage", "dealname", "dealowner",
            "lifecyclestage", "createdate", "associatedcontactids", "associatedcontact", "associatedcompanyids",
            "associateddealids", "associateddeal", "hubspotownerid", "hsleadstatus", "vid", "firstpageseen", "pipeline",
            "hslastmodifieddate", "hsisclosedwon", "isclosedwon", "dealpipelinestageid", "associatedcontacts",
        }
    ),
}  # fmt: skip
"""Columns by which a CRM's own export is known."""


def plain_key(key: str) -> str:
    """A column without what loaders put before HubSpot's names: `property_dealname`, `properties_dealname`."""
    for before in ("properties", "property"):
        if key.startswith(before) and len(key) > len(before):
            return key.removeprefix(before)
    return key
