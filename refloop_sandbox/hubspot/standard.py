"""The properties that HubSpot itself defines: the part of them that referral work touches.

One line a property: `name | type | field type | group | flags | label`; the flags are `r` (value is read only),
`c` (calculated) and `u` (unique).
"""

from __future__ import annotations

from functools import cache

from refloop_sandbox.hubspot.schema import (
    COMPANIES,
    CONTACTS,
    DEALS,
    LEADS,
    OBJECTS,
    ObjectType,
    Option,
    Property,
    Schema,
)

_EVERYWHERE = """
hs_object_id | number | number | {group} | r | Record ID
hs_merged_object_ids | enumeration | checkbox | {group} | r | Merged record IDs
hs_object_source_label | string | text | {group} | r | Record source
hs_object_source | string | text | {group} | r | Record creation source
hubspot_owner_id | enumeration | select | {group} | | Owner
hs_created_by_user_id | number | number | {group} | r | Created by user ID
hs_updated_by_user_id | number | number | {group} | r | Updated by user ID
"""

_CONTACTS = """
email | string | text | contactinformation | u | Email
firstname | string | text | contactinformation | | First Name
lastname | string | text | contactinformation | | Last Name
phone | string | phonenumber | contactinformation | | Phone Number
mobilephone | string | phonenumber | contactinformation | | Mobile Phone Number
company | string | text | contactinformation | | Company Name
jobtitle | string | text | contactinformation | | Job Title
website | string | text | contactinformation | | Website URL
address | string | text | contactinformation | | Street Address
city | string | text | contactinformation | | City
state | string | text | contactinformation | | State/Region
zip | string | text | contactinformation | | Postal Code
country | string | text | contactinformation | | Country/Region
message | string | textarea | contactinformation | | Message
createdate | datetime | date | contactinformation | r | Create Date
lastmodifieddate | datetime | date | contactinformation | r | Last Modified Date
hs_lastmodifieddate | datetime | date | contactinformation | r | Object last modified date/time
lifecyclestage | enumeration | radio | contactinformation | | Lifecycle Stage
hs_lead_status | enumeration | radio | sales_properties | | Lead Status
closedate | datetime | date | contactinformation | | Close Date
hs_additional_emails | enumeration | checkbox | contactinformation | r | Additional email addresses
hs_all_contact_vids | enumeration | checkbox | contactinformation | r | Merged vids
hs_calculated_merged_vids | enumeration | checkbox | contactinformation | rc | Merged vids with timestamps
hs_analytics_first_url | string | text | analyticsinformation | r | First Page Seen
hs_analytics_last_url | string | text | analyticsinformation | r | Last Page Seen
hs_analytics_first_referrer | string | text | analyticsinformation | r | First Referring Site
hs_analytics_last_referrer | string | text | analyticsinformation | r | Last Referring Site
hs_analytics_first_timestamp | datetime | date | analyticsinformation | r | Time First Seen
hs_analytics_source | enumeration | select | analyticsinformation | | Original Traffic Source
hs_analytics_source_data_1 | string | text | analyticsinformation | r | Original Traffic Source Drill-Down 1
hs_analytics_source_data_2 | string | text | analyticsinformation | r | Original Traffic Source Drill-Down 2
hs_latest_source | enumeration | select | analyticsinformation | r | Latest Traffic Source
hs_latest_source_data_1 | string | text | analyticsinformation | r | Latest Traffic Source Drill-Down 1
hs_latest_source_data_2 | string | text | analyticsinformation | r | Latest Traffic Source Drill-Down 2
hs_latest_source_timestamp | datetime | date | analyticsinformation | r | Latest Traffic Source Date
first_conversion_event_name | string | text | conversioninformation | rc | First Conversion
first_conversion_date | datetime | date | conversioninformation | rc | First Conversion Date
recent_conversion_event_name | string | text | conversioninformation | rc | Recent Conversion
recent_conversion_date | datetime | date | conversioninformation | rc | Recent Conversion Date
num_conversion_events | number | number | conversioninformation | rc | Number of Form Submissions
hs_calculated_form_submissions | enumeration | checkbox | conversioninformation | rc | All form submissions
num_associated_deals | number | number | deal_information | rc | Number of Associated Deals
recent_deal_amount | number | number | deal_information | rc | Recent Deal Amount
recent_deal_close_date | datetime | date | deal_information | rc | Recent Deal Close Date
total_revenue | number | number | deal_information | rc | Total Revenue
associatedcompanyid | number | number | contactinformation | rc | Primary Associated Company ID
hs_email_domain | string | text | contactinformation | rc | Email Domain
notes_last_updated | datetime | date | sales_properties | r | Last Activity Date
"""

_COMPANIES = """
name | string | text | companyinformation | | Company name
domain | string | text | companyinformation | | Company Domain Name
website | string | text | companyinformation | | Website URL
phone | string | phonenumber | companyinformation | | Phone Number
industry | string | text | companyinformation | | Industry
city | string | text | companyinformation | | City
state | string | text | companyinformation | | State/Region
country | string | text | companyinformation | | Country/Region
description | string | textarea | companyinformation | | Description
annualrevenue | number | number | companyinformation | | Annual Revenue
numberofemployees | number | number | companyinformation | | Number of Employees
lifecyclestage | enumeration | radio | companyinformation | | Lifecycle Stage
hs_lead_status | enumeration | radio | companyinformation | | Lead Status
createdate | datetime | date | companyinformation | r | Create Date
hs_lastmodifieddate | datetime | date | companyinformation | r | Last Modified Date
num_associated_contacts | number | number | companyinformation | rc | Number of Associated Contacts
num_associated_deals | number | number | companyinformation | rc | Number of Associated Deals
hs_analytics_source | enumeration | select | analyticsinformation | | Original Traffic Source
"""

_DEALS = """
dealname | string | text | dealinformation | | Deal Name
amount | number | number | dealinformation | | Amount
amount_in_home_currency | number | number | dealinformation | rc | Amount in company currency
hs_closed_amount | number | number | dealinformation | rc | Closed Deal Amount
hs_closed_amount_in_home_currency | number | number | dealinformation | rc | Closed Deal Amount In Home Currency
deal_currency_code | enumeration | select | dealinformation | | Currency
hs_exchange_rate | number | number | dealinformation | | Exchange rate
closedate | datetime | date | dealinformation | | Close Date
createdate | datetime | date | dealinformation | r | Create Date
hs_createdate | datetime | date | dealinformation | r | HubSpot Create Date
hs_lastmodifieddate | datetime | date | dealinformation | r | Last Modified Date
dealstage | enumeration | radio | dealinformation | | Deal Stage
pipeline | enumeration | select | dealinformation | | Pipeline
dealtype | enumeration | radio | dealinformation | | Deal Type
description | string | textarea | dealinformation | | Deal Description
closed_lost_reason | string | textarea | dealinformation | | Closed Lost Reason
closed_won_reason | string | textarea | dealinformation | | Closed Won Reason
hs_priority | enumeration | select | dealinformation | | Priority
hs_is_closed | bool | booleancheckbox | dealinformation | rc | Is Deal Closed?
hs_is_closed_won | bool | booleancheckbox | dealinformation | rc | Is Closed Won
hs_is_closed_lost | bool | booleancheckbox | dealinformation | rc | Is Closed Lost
hs_closed_won_date | datetime | date | dealinformation | rc | Closed Won Date
hs_deal_stage_probability | number | number | dealinformation | rc | Deal Probability
hs_analytics_source | enumeration | select | analyticsinformation | r | Original Traffic Source
num_associated_contacts | number | number | dealinformation | rc | Number of Associated Contacts
hs_primary_associated_company | number | number | dealinformation | rc | Primary Associated Company
"""

_LEADS = """
hs_lead_name | string | text | leadinformation | | Lead Name
hs_lead_type | enumeration | select | leadinformation | | Lead Type
hs_lead_label | enumeration | select | leadinformation | | Lead Label
hs_pipeline | enumeration | select | leadinformation | | Lead Pipeline
hs_pipeline_stage | enumeration | select | leadinformation | | Lead Pipeline Stage
hs_createdate | datetime | date | leadinformation | r | Create Date
hs_lastmodifieddate | datetime | date | leadinformation | r | Last Modified Date
"""

_ACTIVITIES = """
hs_createdate | datetime | date | information | r | Create Date
hs_lastmodifieddate | datetime | date | information | r | Last Modified Date
hs_timestamp | datetime | date | information | | Activity Date
hs_pipeline | string | text | information | | Pipeline
hs_pipeline_stage | string | text | information | | Pipeline Stage
subject | string | text | information | | Subject
content | string | textarea | information | | Content
name | string | text | information | | Name
description | string | textarea | information | | Description
price | number | number | information | | Price
quantity | number | number | information | | Quantity
amount | number | number | information | | Amount
hs_title | string | text | information | | Title
"""

_SALESFORCE = {
    CONTACTS: "salesforcecontactid salesforceleadid salesforceaccountid salesforcelastsynctime",
    COMPANIES: "salesforceaccountid salesforcelastsynctime",
    DEALS: "hs_salesforceopportunityid salesforcelastsynctime",
}
"""Present only where HubSpot's own Salesforce integration is installed."""

LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
_SOURCES = (
    "ORGANIC_SEARCH",
    "PAID_SEARCH",
    "EMAIL_MARKETING",
    "SOCIAL_MEDIA",
    "REFERRALS",
    "OTHER_CAMPAIGNS",
    "DIRECT_TRAFFIC",
    "OFFLINE",
    "PAID_SOCIAL",
)
_OPTIONS: dict[str, tuple[str, ...]] = {
    "lifecyclestage": LIFECYCLE_STAGES,
    "hs_lead_status": (
        "NEW",
        "OPEN",
        "IN_PROGRESS",
        "OPEN_DEAL",
        "UNQUALIFIED",
        "ATTEMPTED_TO_CONTACT",
        "CONNECTED",
        "BAD_TIMING",
    ),
    "hs_analytics_source": _SOURCES,
    "hs_latest_source": _SOURCES,
    "dealtype": ("newbusiness", "existingbusiness"),
    "hs_priority": ("low", "medium", "high"),
    "hs_lead_type": ("NEW_BUSINESS", "RE_ATTEMPT", "UPSELL"),
    "hs_lead_label": ("COLD", "WARM", "HOT"),
    "hs_is_closed": ("true", "false"),
    "hs_is_closed_won": ("true", "false"),
    "hs_is_closed_lost": ("true", "false"),
}
_EXTERNAL = {
    "hubspot_owner_id", "dealstage", "pipeline", "hs_pipeline", "hs_pipeline_stage", "deal_currency_code",
    "hs_additional_emails", "hs_merged_object_ids", "hs_all_contact_vids", "hs_calculated_merged_vids",
}  # fmt: skip
_MAIN_GROUP = {CONTACTS: "contactinformation", COMPANIES: "companyinformation", DEALS: "dealinformation"}
_OWN = {CONTACTS: _CONTACTS, COMPANIES: _COMPANIES, DEALS: _DEALS, LEADS: _LEADS}


def standard_schema(*, salesforce_integration: bool) -> Schema:
    """The schema of a fresh account."""
    schema = Schema()
    for kind in OBJECTS:
        group = _MAIN_GROUP.get(kind, "leadinformation" if kind is LEADS else "information")
        lines = _EVERYWHERE.format(group=group) + _OWN.get(kind, _ACTIVITIES)
        schema.put(kind, [_property(line) for line in lines.splitlines() if line])
        if salesforce_integration:
            schema.put(kind, _salesforce(kind))
    return schema


def stage_dates(kind: ObjectType, stage_id: str, label: str) -> tuple[Property, ...]:
    """The read-only properties that HubSpot adds for each stage: when a record entered it last."""
    group = _MAIN_GROUP.get(kind, "leadinformation")
    return tuple(
        _property(f"{name} | datetime | date | {group} | rc | Entered {label}") for name in entered(kind, stage_id)
    )


def entered(kind: ObjectType, stage_id: str) -> tuple[str, ...]:
    """The names of the properties that say when a stage was entered. The first is there for every stage.

    Lifecycle stages that HubSpot ships with have an older one besides, and so have deal stages.
    """
    newer = f"hs_v2_date_entered_{stage_id}"
    if kind is DEALS:
        return newer, f"hs_date_entered_{stage_id}"
    return (newer, f"hs_lifecyclestage_{stage_id}_date") if stage_id in LIFECYCLE_STAGES else (newer,)


STAGED = {CONTACTS: "lifecyclestage", COMPANIES: "lifecyclestage", DEALS: "dealstage", LEADS: "hs_pipeline_stage"}
"""The property that says where a record stands, of the objects that have one."""


@cache
def _property(line: str) -> Property:
    name, kind, field_type, group, flags, label = (part.strip() for part in line.split("|"))
    return Property(
        name=name,
        label=label,
        type=kind,
        field_type=field_type,
        group=group,
        options=tuple(Option(value, _label(value), index) for index, value in enumerate(_OPTIONS.get(name, ()))),
        unique="u" in flags,
        read_only="r" in flags,
        calculated="c" in flags,
        hubspot_defined=True,
        external_options=name in _EXTERNAL,
        refers_to="OWNER" if name == "hubspot_owner_id" else "",
    )


def _label(value: str) -> str:
    return value.replace("_", " ").capitalize()


def _salesforce(kind: ObjectType) -> list[Property]:
    names = _SALESFORCE.get(kind, "").split()
    types = {"salesforcelastsynctime": "datetime | date"}
    return [
        _property(f"{name} | {types.get(name, 'string | text')} | salesforceinformation | r | {_label(name)}")
        for name in names
    ]
