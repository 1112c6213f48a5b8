"""All endpoints: method, canonical path, handler, and the scope that it takes."""

from __future__ import annotations

from typing import NamedTuple

from refloop_sandbox.hubspot.access import record_scope, schema_scope
from refloop_sandbox.hubspot.call import Call, Handler
from refloop_sandbox.hubspot.routes import associations, batch, legacy, objects, owners, setup


class Endpoint(NamedTuple):
    """`access` is what the bearer needs: read, write, schema, owners, or nothing."""

    method: str
    path: str
    handler: Handler
    access: str = ""

    def scopes(self, call: Call) -> tuple[str, ...]:
        if self.access == "owners":
            return ("crm.objects.owners.read",)
        if self.access == "schema":
            return (schema_scope(call.kind),)
        return (record_scope(call.kind, write=self.access == "write"),) if self.access else ()


_OBJECTS, _LINKS = "/crm/objects/{object}", "/crm/associations/{object}/{to}"
_PROPERTIES, _PIPELINES = "/crm/properties/{object}", "/crm/pipelines/{object}"
_RECORD_LINKS = f"{_OBJECTS}/{{id}}/associations"

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", _OBJECTS, objects.list_records, "read"),
    Endpoint("POST", _OBJECTS, objects.create_record, "write"),
    Endpoint("POST", f"{_OBJECTS}/search", objects.search_records, "read"),
    Endpoint("POST", f"{_OBJECTS}/merge", objects.merge_records, "write"),
    Endpoint("POST", f"{_OBJECTS}/gdpr-delete", objects.erase_contact, "write"),
    Endpoint("POST", f"{_OBJECTS}/batch/read", batch.read_batch, "read"),
    Endpoint("POST", f"{_OBJECTS}/batch/create", batch.create_batch, "write"),
    Endpoint("POST", f"{_OBJECTS}/batch/update", batch.update_batch, "write"),
    Endpoint("POST", f"{_OBJECTS}/batch/upsert", batch.upsert_batch, "write"),
    Endpoint("POST", f"{_OBJECTS}/batch/archive", batch.archive_batch, "write"),
    Endpoint("PUT", f"{_RECORD_LINKS}/default/{{to}}/{{to_id}}", associations.put_default, "write"),
    Endpoint("GET", f"{_RECORD_LINKS}/{{to}}", associations.of_record, "read"),
    Endpoint("PUT", f"{_RECORD_LINKS}/{{to}}/{{to_id}}", associations.put_labels, "write"),
    Endpoint("DELETE", f"{_RECORD_LINKS}/{{to}}/{{to_id}}", associations.delete_one, "write"),
    Endpoint("PUT", f"{_RECORD_LINKS}/{{to}}/{{to_id}}/{{type}}", associations.put_named, "write"),
    Endpoint("DELETE", f"{_RECORD_LINKS}/{{to}}/{{to_id}}/{{type}}", associations.delete_one, "write"),
    Endpoint("GET", f"{_OBJECTS}/{{id}}", objects.read_record, "read"),
    Endpoint("PATCH", f"{_OBJECTS}/{{id}}", objects.change_record, "write"),
    Endpoint("DELETE", f"{_OBJECTS}/{{id}}", objects.archive_record, "write"),
    Endpoint("POST", f"{_LINKS}/batch/read", associations.read_batch, "read"),
    Endpoint("POST", f"{_LINKS}/batch/create", associations.create_batch, "write"),
    Endpoint("POST", f"{_LINKS}/batch/associate/default", associations.create_default_batch, "write"),
    Endpoint("POST", f"{_LINKS}/batch/archive", associations.archive_batch, "write"),
    Endpoint("POST", f"{_LINKS}/batch/labels/archive", associations.archive_labels_batch, "write"),
    Endpoint("GET", f"{_LINKS}/labels", associations.list_labels, "read"),
    Endpoint("POST", f"{_LINKS}/labels", associations.create_label, "write"),
    Endpoint("GET", f"{_LINKS}/types", associations.list_types, "read"),
    Endpoint("GET", _PROPERTIES, setup.list_properties, "read"),
    Endpoint("POST", _PROPERTIES, setup.create_property, "schema"),
    Endpoint("GET", f"{_PROPERTIES}/groups", setup.list_groups, "read"),
    Endpoint("POST", f"{_PROPERTIES}/groups", setup.create_group, "schema"),
    Endpoint("GET", f"{_PROPERTIES}/groups/{{name}}", setup.read_group, "read"),
    Endpoint("DELETE", f"{_PROPERTIES}/groups/{{name}}", setup.archive_group, "schema"),
    Endpoint("POST", f"{_PROPERTIES}/batch/create", setup.create_properties, "schema"),
    Endpoint("POST", f"{_PROPERTIES}/batch/read", setup.read_properties, "read"),
    Endpoint("POST", f"{_PROPERTIES}/batch/archive", setup.archive_properties, "schema"),
    Endpoint("GET", f"{_PROPERTIES}/{{name}}", setup.read_property, "read"),
    Endpoint("PATCH", f"{_PROPERTIES}/{{name}}", setup.change_property, "schema"),
    Endpoint("DELETE", f"{_PROPERTIES}/{{name}}", setup.archive_property, "schema"),
    Endpoint("GET", _PIPELINES, setup.list_pipelines, "read"),
    Endpoint("POST", _PIPELINES, setup.create_pipeline, "write"),
    Endpoint("GET", f"{_PIPELINES}/{{id}}", setup.read_pipeline, "read"),
    Endpoint("PATCH", f"{_PIPELINES}/{{id}}", setup.change_pipeline, "write"),
    Endpoint("DELETE", f"{_PIPELINES}/{{id}}", setup.archive_pipeline, "write"),
    Endpoint("GET", f"{_PIPELINES}/{{id}}/stages", setup.list_stages, "read"),
    Endpoint("POST", f"{_PIPELINES}/{{id}}/stages", setup.create_stage, "write"),
    Endpoint("GET", f"{_PIPELINES}/{{id}}/stages/{{stage}}", setup.read_stage, "read"),
    Endpoint("PATCH", f"{_PIPELINES}/{{id}}/stages/{{stage}}", setup.change_stage, "write"),
    Endpoint("DELETE", f"{_PIPELINES}/{{id}}/stages/{{stage}}", setup.archive_stage, "write"),
    Endpoint("GET", "/properties/{object}/properties", legacy.list_properties_bare, "read"),
    Endpoint("GET", "/crm/schemas", legacy.custom_objects),
    Endpoint("GET", "/companies/properties", legacy.company_properties),
    Endpoint("GET", "/deals/deal/paged", legacy.deals_paged),
    Endpoint("GET", "/crm/owners", owners.list_owners, "owners"),
    Endpoint("GET", "/crm/owners/{id}", owners.read_owner, "owners"),
    Endpoint("GET", "/account-info/details", setup.account_details),
    Endpoint("GET", "/account-info/api-usage/daily/private-apps", setup.api_usage),
    Endpoint("POST", "/oauth/token", setup.token),
    Endpoint("GET", "/oauth/access-tokens/{token}", setup.token_facts),
)
