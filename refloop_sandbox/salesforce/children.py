"""Sub-queries on children, as in `SELECT Id, (SELECT Id FROM Contacts) FROM Account` (SOQL Reference)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from refloop_sandbox.salesforce.errors import ApiError
from refloop_sandbox.salesforce.schema import SObject
from refloop_sandbox.salesforce.soql_parse import Query, pointed
from refloop_sandbox.salesforce.soql_sql import Compiler, Plan, View
from refloop_sandbox.salesforce.store import Store, quoted

RELATIONSHIPS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Account", "Contacts"): ("Contact", "AccountId"),
    ("Account", "Opportunities"): ("Opportunity", "AccountId"),
    ("Account", "ChildAccounts"): ("Account", "ParentId"),
    ("Campaign", "CampaignMembers"): ("CampaignMember", "CampaignId"),
    ("Campaign", "Opportunities"): ("Opportunity", "CampaignId"),
    ("Contact", "CampaignMembers"): ("CampaignMember", "ContactId"),
    ("Contact", "OpportunityContactRoles"): ("OpportunityContactRole", "ContactId"),
    ("Lead", "CampaignMembers"): ("CampaignMember", "LeadId"),
    ("Opportunity", "OpportunityContactRoles"): ("OpportunityContactRole", "OpportunityId"),
    ("PermissionSet", "Assignments"): ("PermissionSetAssignment", "PermissionSetId"),
    ("PermissionSet", "FieldPerms"): ("FieldPermissions", "ParentId"),
    ("PermissionSet", "ObjectPerms"): ("ObjectPermissions", "ParentId"),
    ("User", "PermissionSetAssignments"): ("PermissionSetAssignment", "AssigneeId"),
}
"""(parent, relationship) -> (child, its field), as the Object Reference names them."""


class Child(NamedTuple):
    """One sub-query: the relationship, the child's column that names the parent, and what to run."""

    name: str
    column: str
    plan: Plan


def children_of(view: View, text: str, sobject: SObject, query: Query) -> Iterator[Child]:
    """Raises ApiError for a relationship that the object has not, and for what a sub-query cannot hold."""
    for item in query.items:
        inner = item.query
        if inner is None:
            continue
        found = next((one for one in RELATIONSHIPS if one == (sobject.name, _known(sobject, inner.object))), None)
        if found is None:
            place = max(0, text.casefold().find(inner.object.casefold()))
            message = f"Didn't understand relationship '{inner.object}' in FROM part of query call."
            raise ApiError(400, "INVALID_TYPE", pointed(text, place) + message)
        child, column = RELATIONSHIPS[found]
        plan = Compiler(view, text).plan(replace(inner, object=child))
        if plan.kind != "rows" or any(one.query for one in inner.items):
            raise ApiError(400, "MALFORMED_QUERY", "a sub-query selects fields, and has no sub-query of its own here")
        yield Child(found[1], column, plan)


def _known(sobject: SObject, name: str) -> str:
    """The relationship as the reference spells it: SOQL does not mind the case."""
    spelled = {one.casefold(): one for owner, one in RELATIONSHIPS if owner == sobject.name}
    return spelled.get(name.casefold(), name)


def rows_of(store: Store, child: Child, parents: list[str]) -> dict[str, list[int]]:
    """The numbers of the children's rows by parent, in the order of the sub-query; its LIMIT is each parent's."""
    plan = child.plan
    column = f"t.{quoted(child.column)}"
    sql = (
        f"SELECT t.rid, {column} FROM {plan.tables} WHERE {plan.where} "  # noqa: S608 - marks stand for the values
        f"AND {column} IN (SELECT value FROM json_each(:parents)) ORDER BY {plan.order or 't.rid'}"
    )
    found: dict[str, list[int]] = {}
    for row, parent in store.execute(sql, {**plan.values, "parents": json.dumps(parents)}):
        found.setdefault(parent, []).append(row)
    start = plan.offset or 0
    end = None if plan.limit is None else start + plan.limit
    return {parent: rows[start:end] for parent, rows in found.items()}
