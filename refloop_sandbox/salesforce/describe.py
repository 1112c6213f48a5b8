"""Describe results (REST API Developer Guide, sObject Describe)."""

from __future__ import annotations

from collections.abc import Mapping

from refloop_sandbox.salesforce.schema import IDS, NUMBERS, TEXTS, Field, Schema, SObject

_SOAP = {
    "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double",
    "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime", "id": "tns:ID", "reference": "tns:ID",
}  # fmt: skip


def summary(item: SObject, root: str, *, edits: bool = True) -> dict[str, object]:
    """One object as describe global lists it."""
    base = f"{root}/sobjects/{item.name}"
    return {
        "activateable": False, "createable": item.createable and edits, "custom": False, "customSetting": False,
        "deepCloneable": False, "deletable": item.deletable and edits, "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False, "isInterface": False, "isSubtype": False, "keyPrefix": item.prefix, "label": item.label,
        "labelPlural": item.plural, "layoutable": not item.setup, "mergeable": item.mergeable, "mruEnabled": False,
        "name": item.name, "queryable": True, "replicateable": item.replicateable, "retrieveable": True,
        "searchable": not item.setup, "triggerable": not item.setup, "undeletable": item.soft_deletes,
        "updateable": item.updateable and edits,
        "urls": {
            "sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}",
            "approvalLayouts": f"{base}/describe/approvalLayouts", "layouts": f"{base}/describe/layouts",
        },
    }  # fmt: skip


def described(schema: Schema, item: SObject, user: str, root: str, *, edits: bool = True) -> dict[str, object]:
    """One object with the fields that `user` sees; `edits`: whether he may write its records."""
    fields = schema.readable(item, user)
    return {
        **summary(item, root, edits=edits),
        "childRelationships": _children(schema, item),
        "fields": [_field(field, writable=edits and schema.writable(item, field, user)) for field in fields.values()],
        "recordTypeInfos": [],
        "supportedScopes": [{"label": f"All {item.plural.lower()}", "name": "everything"}],
    }


def _children(schema: Schema, item: SObject) -> list[Mapping[str, object]]:
    return [
        {
            "cascadeDelete": False, "childSObject": child.name, "deprecatedAndHidden": False, "field": field.name,
            "junctionIdListNames": [], "junctionReferenceTo": [], "relationshipName": None, "restrictedDelete": False,
        }
        for child in schema
        for field in child.references()
        if item.name in field.targets
    ]  # fmt: skip


def _field(item: Field, *, writable: bool) -> dict[str, object]:
    long_text = item.type == "textarea" and item.length > 255
    number = item.type in NUMBERS
    return {
        "aggregatable": not long_text, "aiPredictionField": False, "autoNumber": False,
        "byteLength": item.length * 3 if item.type in TEXTS else item.length, "calculated": item.calculated,
        "calculatedFormula": None, "cascadeDelete": False, "caseSensitive": False, "compoundFieldName": None,
        "controllerName": None, "createable": item.createable and writable, "custom": item.custom,
        "defaultValue": item.default, "defaultValueFormula": None,
        "defaultedOnCreate": item.default is not None or item.type == "boolean" or item.name in ("OwnerId", "Id"),
        "dependentPicklist": False, "deprecatedAndHidden": False, "digits": 9 if item.type == "int" else 0,
        "displayLocationInDecimal": False, "encrypted": False, "externalId": item.external_id,
        "extraTypeInfo": "plaintextarea" if item.type == "textarea" else None, "filterable": not long_text,
        "filteredLookupInfo": None, "formulaTreatNullNumberAsZero": False, "groupable": not long_text and not number,
        "highScaleNumber": False, "htmlFormatted": False, "idLookup": item.type == "id" or item.external_id,
        "inlineHelpText": item.help, "label": item.label, "length": item.length, "mask": None, "maskType": None,
        "name": item.name, "nameField": item.name_field, "namePointing": len(item.targets) > 1,
        "nillable": item.nillable and item.name != "OwnerId", "permissionable": item.permissionable,
        "picklistValues": _picklist(item), "polymorphicForeignKey": len(item.targets) > 1,
        "precision": item.precision if number else 0, "queryByDistance": False, "referenceTargetField": None,
        "referenceTo": sorted(item.targets) if item.type in IDS else [], "relationshipName": item.relationship,
        "relationshipOrder": None, "restrictedDelete": False, "restrictedPicklist": item.restricted,
        "scale": item.scale if number else 0, "searchPrefilterable": False,
        "soapType": _SOAP.get(item.type, "xsd:string"), "sortable": not long_text, "type": item.type,
        "unique": item.unique, "updateable": item.updateable and writable, "writeRequiresMasterRead": False,
    }  # fmt: skip


def _picklist(item: Field) -> list[dict[str, object]]:
    return [
        {"active": True, "defaultValue": value == item.default, "label": value, "validFor": None, "value": value}
        for value in item.picklist
    ]
