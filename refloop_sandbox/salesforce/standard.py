"""The standard objects, one line a field: name, type(length), flags, `>Target/Relationship`.

Flags: `!` required, `r` read-only, `c` create-only, `f` formula-like (calculated), `n` the name field,
`d` defaults to the value after `=`. Source: Salesforce Object Reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from refloop_sandbox.salesforce.schema import Field, SObject

LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
STAGES = (  # label, probability, closed, won, forecast category
    ("Prospecting", 10, False, False, "Pipeline"),
    ("Qualification", 10, False, False, "Pipeline"),
    ("Needs Analysis", 20, False, False, "Pipeline"),
    ("Value Proposition", 50, False, False, "Pipeline"),
    ("Id. Decision Makers", 60, False, False, "Pipeline"),
    ("Perception Analysis", 70, False, False, "Pipeline"),
    ("Proposal/Price Quote", 75, False, False, "Best Case"),
    ("Negotiation/Review", 90, False, False, "Commit"),
    ("Closed Won", 100, True, True, "Closed"),
    ("Closed Lost", 0, True, False, "Omitted"),
)
LEAD_STATUSES = (  # label, default, converted
    ("Open - Not Contacted", True, False),
    ("Working - Contacted", False, False),
    ("Closed - Converted", False, True),
    ("Closed - Not Converted", False, False),
)
_PICKLISTS = {
    "LeadSource": LEAD_SOURCES,
    "Lead.Status": tuple(label for label, _, _ in LEAD_STATUSES),
    "Lead.Rating": ("Hot", "Warm", "Cold"),
    "Account.Rating": ("Hot", "Warm", "Cold"),
    "Account.Type": ("Prospect", "Customer - Direct", "Customer - Channel", "Channel Partner / Reseller", "Other"),
    "Opportunity.StageName": tuple(stage[0] for stage in STAGES),
    "Opportunity.Type": ("Existing Business", "New Business"),
    "Opportunity.ForecastCategoryName": ("Omitted", "Pipeline", "Best Case", "Commit", "Closed"),
    "OpportunityContactRole.Role": ("Business User", "Decision Maker", "Economic Buyer", "Evaluator", "Influencer"),
    "Campaign.Type": ("Conference", "Webinar", "Partners", "Referral Program", "Email", "Other"),
    "Campaign.Status": ("Planned", "In Progress", "Completed", "Aborted"),
    "CampaignMember.Status": ("Sent", "Responded"),
}
_STAMPS = """
CreatedDate datetime r; CreatedById reference r >User/CreatedBy; LastModifiedDate datetime r
LastModifiedById reference r >User/LastModifiedBy; SystemModstamp datetime r
"""
_DELETED = "IsDeleted boolean r =false"
_HISTORY = """
Field picklist(255) r; OldValue string(255) r; NewValue string(255) r; CreatedDate datetime r
CreatedById reference r >User/CreatedBy; IsDeleted boolean r =false
"""
_RECORD_TYPE = "RecordTypeId reference >RecordType/RecordType;"
_PERSON = """
LastName string(80) !; FirstName string(40); Salutation picklist(40); Name string(121) rfn; Title string(128)
Phone phone(40); MobilePhone phone(40); Fax phone(40); Email email(80); Description textarea(32000)
LeadSource picklist(40); DoNotCall boolean =false; HasOptedOutOfEmail boolean =false
EmailBouncedReason string(255) ; LastActivityDate date r
"""
_ADDRESS = """
{0}Street textarea(255); {0}City string(40); {0}State string(80); {0}PostalCode string(20); {0}Country string(80)
"""
_PERSON_ADDRESS = _ADDRESS.format("")
_TABLES: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "Lead", "Lead", "Leads", "00Q mergeable",
        _PERSON + _PERSON_ADDRESS + """
        OwnerId reference >User,Group/Owner
        Company string(255) !; Website url(255); Status picklist(255) d; Industry picklist(40); Rating picklist(40)
        AnnualRevenue currency; NumberOfEmployees int; IsUnreadByOwner boolean =false
        IsConverted boolean r =false; ConvertedDate date r; ConvertedAccountId reference r >Account/ConvertedAccount
        ConvertedContactId reference r >Contact/ConvertedContact
        ConvertedOpportunityId reference r >Opportunity/ConvertedOpportunity
        MasterRecordId reference r >Lead/MasterRecord
        """ + _RECORD_TYPE + _DELETED,
    ),
    (
        "Contact", "Contact", "Contacts", "003 mergeable",
        _PERSON + _ADDRESS.format("Mailing") + """
        OwnerId reference >User/Owner
        AccountId reference >Account/Account; ReportsToId reference >Contact/ReportsTo; Department string(80)
        Birthdate date; HomePhone phone(40); MasterRecordId reference r >Contact/MasterRecord
        """ + _RECORD_TYPE + _DELETED,
    ),
    (
        "Account", "Account", "Accounts", "001 mergeable",
        """
        Name string(255) !n; Type picklist(40); ParentId reference >Account/Parent; Phone phone(40); Website url(255)
        Industry picklist(40); AnnualRevenue currency; NumberOfEmployees int; Description textarea(32000)
        AccountNumber string(40); Site string(80); Rating picklist(40); AccountSource picklist(40)
        OwnerId reference >User/Owner; MasterRecordId reference r >Account/MasterRecord
        """ + _ADDRESS.format("Billing") + _ADDRESS.format("Shipping") + _RECORD_TYPE + _DELETED,
    ),
    (
        "Opportunity", "Opportunity", "Opportunities", "006",
        """
        Name string(120) !n; AccountId reference >Account/Account; Description textarea(32000)
        StageName picklist(255) !; Amount currency; Probability percent; ExpectedRevenue currency rf
        TotalOpportunityQuantity double; CloseDate date !; Type picklist(255); NextStep string(255)
        LeadSource picklist(40); IsClosed boolean r =false; IsWon boolean r =false; ForecastCategory picklist(40) r
        ForecastCategoryName picklist(255); CampaignId reference >Campaign/Campaign
        OwnerId reference >User/Owner; ContactId reference c >Contact/Contact; LastStageChangeDate datetime r
        HasOpportunityLineItem boolean r =false; IsPrivate boolean =false
        FiscalQuarter int r; FiscalYear int r; Fiscal string(6) r
        """ + _RECORD_TYPE + _DELETED,
    ),
    (
        "OpportunityContactRole", "Opportunity Contact Role", "Opportunity Contact Role", "00K",
        """
        OpportunityId reference !c >Opportunity/Opportunity; ContactId reference ! >Contact/Contact
        Role picklist(255); IsPrimary boolean =false
        """ + _DELETED,
    ),
    (
        "Campaign", "Campaign", "Campaigns", "701",
        """
        Name string(80) !n; Type picklist(40); Status picklist(255); StartDate date; EndDate date
        IsActive boolean =false; Description textarea(32000); ParentId reference >Campaign/Parent
        BudgetedCost currency; ActualCost currency; OwnerId reference >User/Owner
        """ + _RECORD_TYPE + _DELETED,
    ),
    (
        "CampaignMember", "Campaign Member", "Campaign Members", "00v",
        """
        CampaignId reference !c >Campaign/Campaign; LeadId reference c >Lead/Lead
        ContactId reference c >Contact/Contact; LeadOrContactId reference rf >Lead,Contact/LeadOrContact
        Type string(40) rf; Status picklist(40) =Sent; HasResponded boolean rf =false; FirstRespondedDate date r
        """ + _DELETED,
    ),
    (
        "LeadHistory", "Lead History", "Lead History", "017 readonly nostamps",
        "LeadId reference r >Lead/Lead;" + _HISTORY,
    ),
    (
        "ContactHistory", "Contact History", "Contact History", "017 readonly nostamps",
        "ContactId reference r >Contact/Contact;" + _HISTORY,
    ),
    (
        "OpportunityFieldHistory", "Opportunity Field History", "Opportunity Field History", "017 readonly nostamps",
        "OpportunityId reference r >Opportunity/Opportunity;" + _HISTORY,
    ),
    (
        "CurrencyType", "Currency Type", "Currency Types", "01L setup readonly",
        """
        IsoCode picklist(3); ConversionRate double; DecimalPlaces int =2; IsActive boolean =true
        IsCorporate boolean =false
        """,
    ),
    (
        "DatedConversionRate", "Dated Conversion Rate", "Dated Conversion Rates", "04w setup readonly",
        "IsoCode picklist(3); ConversionRate double; StartDate date; NextStartDate date",
    ),
    (
        "User", "User", "Users", "005 setup nodelete",
        """
        Username string(80) !; LastName string(80) !; FirstName string(40); Name string(121) rfn; Email email(128) !
        Alias string(8); IsActive boolean =true; UserType picklist(40) r =Standard; CompanyName string(80)
        ProfileId reference >Profile/Profile; UserRoleId string(18); TimeZoneSidKey picklist(40) =GMT
        LocaleSidKey picklist(40) =en_US; LanguageLocaleKey picklist(40) =en_US; FederationIdentifier string(512)
        """,
    ),
    ("Profile", "Profile", "Profiles", "00e setup readonly", "Name string(255) n; Description string(255)"),
    (
        "Group", "Group", "Groups", "00G setup",
        "Name string(40) !n; DeveloperName string(80); Type picklist(40) =Regular; Email email(255)",
    ),
    (
        "Organization", "Organization", "Organizations", "00D setup readonly",
        """
        Name string(80) n; Division string(80); Country string(80); PrimaryContact string(80); Phone phone(40)
        DefaultLocaleSidKey picklist(40) =en_US; TimeZoneSidKey picklist(40) =GMT; LanguageLocaleKey picklist(40) =en_US
        OrganizationType picklist(40) =Developer Edition; InstanceName string(5) =LOCAL; IsSandbox boolean =false
        TrialExpirationDate datetime; NamespacePrefix string(15); FiscalYearStartMonth int =1
        UsesStartDateAsFiscalYearName boolean =false; DefaultCurrencyIsoCode string(3); IsReadOnly boolean =false
        """,
    ),
    (
        "RecordType", "Record Type", "Record Types", "012 setup readonly",
        """
        Name string(80) n; DeveloperName string(80); SobjectType picklist(40); IsActive boolean =true
        Description string(255); NamespacePrefix string(15)
        """,
    ),
    (
        "OpportunityStage", "Opportunity Stage", "Opportunity Stages", "01J readonly",
        """
        MasterLabel string(255) n; ApiName string(255); IsActive boolean =true; SortOrder int; IsClosed boolean =false
        IsWon boolean =false; ForecastCategory picklist(40); ForecastCategoryName picklist(40)
        DefaultProbability percent; Description string(255)
        """,
    ),
    (
        "LeadStatus", "Lead Status Value", "Lead Status Value", "01J readonly",
        """
        MasterLabel string(255) n; ApiName string(255); SortOrder int; IsDefault boolean =false
        IsConverted boolean =false
        """,
    ),
    (
        "PermissionSet", "Permission Set", "Permission Sets", "0PS setup",
        """
        Name string(80) !n; Label string(80) !; Description string(255); IsCustom boolean r =true
        IsOwnedByProfile boolean r =false; ProfileId reference r >Profile/Profile; NamespacePrefix string(15) r
        PermissionsApiEnabled boolean =false; PermissionsViewAllData boolean =false
        PermissionsModifyAllData boolean =false
        """,
    ),
    (
        "PermissionSetAssignment", "Permission Set Assignment", "Permission Set Assignments", "0Pa setup",
        """
        PermissionSetId reference !c >PermissionSet/PermissionSet; AssigneeId reference !c >User/Assignee
        ExpirationDate datetime; IsActive boolean r =true
        """,
    ),
    (
        "FieldPermissions", "Field Permissions", "Field Permissions", "01k setup",
        """
        ParentId reference !c >PermissionSet/Parent; SobjectType picklist(40) !c; Field picklist(255) !c
        PermissionsRead boolean =false; PermissionsEdit boolean =false
        """,
    ),
    (
        "ObjectPermissions", "Object Permissions", "Object Permissions", "110 setup",
        """
        ParentId reference !c >PermissionSet/Parent; SobjectType picklist(40) !c; PermissionsRead boolean =false
        PermissionsCreate boolean =false; PermissionsEdit boolean =false; PermissionsDelete boolean =false
        PermissionsViewAllRecords boolean =false; PermissionsModifyAllRecords boolean =false
        PermissionsViewAllFields boolean =false
        """,
    ),
    (
        "EntityDefinition", "Entity Definition", "Entity Definitions", "4ie readonly nostamps setup",
        """
        DurableId string(40); QualifiedApiName string(70) n; DeveloperName string(70); Label string(40)
        MasterLabel string(40); PluralLabel string(40); KeyPrefix string(3); NamespacePrefix string(15)
        IsQueryable boolean =true; IsCustomizable boolean =true; IsCustomSetting boolean =false
        IsDeprecatedAndHidden boolean =false; IsReplicateable boolean =true; IsTriggerable boolean =true
        """,
    ),
    (
        "FieldDefinition", "Field Definition", "Field Definitions", "4if readonly nostamps setup",
        """
        DurableId string(255); QualifiedApiName string(70) n; DeveloperName string(70); Label string(40)
        MasterLabel string(40); DataType string(40); Length int; Precision int; Scale int; IsNillable boolean =true
        EntityDefinitionId string(40) >EntityDefinition:QualifiedApiName/EntityDefinition
        IsCalculated boolean =false; NamespacePrefix string(15)
        """,
    ),
    (
        "CustomField", "Custom Field", "Custom Fields", "00N tooling setup",
        """
        DeveloperName string(80) r; TableEnumOrId string(255) r; NamespacePrefix string(15) r
        ManageableState picklist(40) r =unmanaged; FullName string(255) !; Metadata textarea(131072) !
        EntityDefinitionId string(40) r >EntityDefinition:QualifiedApiName/EntityDefinition
        Description string(255) r; InlineHelpText string(510) r; Length int r
        """,
    ),
)  # fmt: skip
_LINE = re.compile(r"(\w+) (\w+)(?:\((\d+)\))?((?: [!rcfnd]+)?)(?: =([^>]+?))?(?: >([\w,]+)(?::\w+)?/(\w+))?")


@dataclass(frozen=True, slots=True)
class Features:
    """What an org has that not all have: several currencies, dated exchange rates for them, person accounts."""

    multi_currency: bool = False
    dated_rates: bool = False
    person_accounts: bool = False


def standard_objects(features: Features) -> list[SObject]:
    """Fresh copies of the standard objects that an org with these features has. (Object reference: CurrencyIsoCode and
    CurrencyType exist only with several currencies, DatedConversionRate with dated exchange rates.)"""
    missing = {
        name
        for name, is_there in (
            ("CurrencyType", features.multi_currency),
            ("DatedConversionRate", features.multi_currency and features.dated_rates),
        )
        if not is_there
    }
    objects = [replace(item, fields=dict(item.fields)) for item in map(_object, _TABLES) if item.name not in missing]
    if features.multi_currency:
        for item in objects:
            if item.name in ("Lead", "Contact", "Account", "Opportunity", "Campaign", "CampaignMember"):
                item.fields["currencyisocode"] = Field("CurrencyIsoCode", "picklist", "Currency ISO Code", 3)
    return objects


@cache
def _object(table: tuple[str, str, str, str, str]) -> SObject:
    name, label, plural, traits, lines = table
    prefix, *words = traits.split()
    item = SObject(name, label, plural, prefix, mergeable="mergeable" in words, setup="setup" in words)
    item.createable = item.updateable = "readonly" not in words
    item.deletable = item.createable and "nodelete" not in words
    item.tooling = "tooling" in words
    stamps = "" if "nostamps" in words else _STAMPS
    item.replicateable = bool(stamps)
    item.fields["id"] = Field("Id", "id", "Record ID", 18, nillable=False, createable=False, updateable=False)
    for line in re.split(r"[;\n]", lines + "\n" + stamps):
        if line.strip():
            made = _field(name, line.strip())
            item.fields[made.name.casefold()] = made
    return item


def _field(owner: str, line: str) -> Field:
    parsed = _LINE.fullmatch(line)
    if parsed is None:
        raise ValueError(f"{owner}: {line}")
    name, type_, length, flags, default, targets, relationship = parsed.groups()
    writable = "r" not in flags
    required = "!" in flags or type_ == "boolean" or name in ("CreatedDate", "SystemModstamp")
    return Field(
        name, type_, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name), 18 if type_ == "reference" else int(length or 0),
        precision=3 if type_ == "percent" else 18, scale=0 if type_ == "percent" else 2,
        nillable=not required, createable=writable, updateable=writable and "c" not in flags,
        calculated="f" in flags, name_field="n" in flags,
        picklist=_PICKLISTS.get(f"{owner}.{name}", _PICKLISTS.get(name, ())),
        default=default == "true" if type_ == "boolean" else default,
        targets=tuple((targets or "").split(",")) if targets else (), relationship=relationship,
    )  # fmt: skip
