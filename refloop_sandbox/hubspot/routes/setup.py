"""What the account is set up with: properties, groups, pipelines; and the account itself."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from refloop_sandbox.hubspot.access import TOKEN_LIFE, invalid_grant
from refloop_sandbox.hubspot.call import Answer, Call
from refloop_sandbox.hubspot.errors import Body, Refusal, bad_request, error_body, resource_not_found
from refloop_sandbox.hubspot.json_body import mapping, objects, whole
from refloop_sandbox.hubspot.pipelines import checked_metadata
from refloop_sandbox.hubspot.schema import name_taken
from refloop_sandbox.hubspot.spelling import iso, millis

MAX_DEFINITIONS = 100

# -- properties


def list_properties(call: Call) -> Answer:
    definitions = () if call.flag("archived") else call.portal.schema.properties(call.kind).values()
    return Answer(200, {"results": [definition.shown() for definition in definitions]})


def read_property(call: Call) -> Answer:
    return Answer(200, call.portal.schema.find(call.kind, call.parts["name"]).shown())


def create_property(call: Call) -> Answer:
    return Answer(201, call.portal.schema.define(call.kind, call.body, call.portal.stamp()).shown())


def change_property(call: Call) -> Answer:
    return Answer(200, call.portal.schema.change(call.kind, call.parts["name"], call.body).shown())


def archive_property(call: Call) -> Answer:
    call.portal.schema.remove(call.kind, call.parts["name"])
    return Answer(204)


def create_properties(call: Call) -> Answer:
    """Those that exist already are told apart; anything unsound refuses the whole batch."""
    results: list[dict[str, Any]] = []
    errors: list[Body] = []
    for item in call.inputs(MAX_DEFINITIONS):
        try:
            results.append(call.portal.schema.define(call.kind, item, call.portal.stamp()).shown())
        except Refusal as refusal:
            if refusal.status != 409:
                raise
            errors.append(name_taken(str(item.get("name"))))
    return _batch(call, results, errors, 200 if call.strict_rules else 201)


def read_properties(call: Call) -> Answer:
    known = call.portal.schema.properties(call.kind)
    names = [str(item.get("name")) for item in call.inputs(MAX_DEFINITIONS)]
    missing = [name for name in names if name not in known]
    errors = [
        error_body(f'Property "{name}" does not exist', "OBJECT_NOT_FOUND", context={"name": [name]})
        for name in missing
    ]
    return _batch(call, [known[name].shown() for name in names if name in known], errors, 200)


def archive_properties(call: Call) -> Answer:
    """204 whatever the state."""
    for item in call.inputs(MAX_DEFINITIONS):
        if str(item.get("name")) in call.portal.schema.properties(call.kind):
            call.portal.schema.remove(call.kind, str(item.get("name")))
    return Answer(204)


def _batch(call: Call, results: list[dict[str, Any]], errors: list[Body], status: int) -> Answer:
    stamp = call.portal.stamp()
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        return Answer(status if call.strict_rules else 207, {**body, "numErrors": len(errors), "errors": errors})
    return Answer(status, body)


def list_groups(call: Call) -> Answer:
    return Answer(200, {"results": [group.shown() for group in call.portal.schema.groups(call.kind).values()]})


def read_group(call: Call) -> Answer:
    group = call.portal.schema.groups(call.kind).get(call.parts["name"])
    if group is None:
        raise resource_not_found()
    return Answer(200, group.shown())


def create_group(call: Call) -> Answer:
    return Answer(201, call.portal.schema.define_group(call.kind, call.body).shown())


def archive_group(call: Call) -> Answer:
    call.portal.schema.remove_group(call.kind, call.parts["name"])
    return Answer(204)


# -- pipelines


def list_pipelines(call: Call) -> Answer:
    pipelines = sorted(call.portal.pipelines.all(call.kind).values(), key=lambda one: one.order)
    return Answer(200, {"results": [pipeline.shown() for pipeline in pipelines]})


def read_pipeline(call: Call) -> Answer:
    return Answer(200, call.portal.pipelines.find(call.kind, call.parts["id"]).shown())


def create_pipeline(call: Call) -> Answer:
    label, stages = call.body.get("label"), objects(call.body, "stages")
    if not label:
        raise bad_request("Some required fields were not set: [label]")
    pipeline = call.portal.pipelines.add(call.kind, str(label), stages)
    call.portal.learn_stages()
    return Answer(201, pipeline.shown())


def change_pipeline(call: Call) -> Answer:
    pipeline = call.portal.pipelines.find(call.kind, call.parts["id"])
    pipeline.label = str(call.body.get("label") or pipeline.label)
    pipeline.order = whole(call.body, "displayOrder", pipeline.order)
    pipeline.changed = call.portal.stamp()
    return Answer(200, pipeline.shown())


def archive_pipeline(call: Call) -> Answer:
    call.portal.pipelines.remove(call.kind, call.parts["id"])
    return Answer(204)


def list_stages(call: Call) -> Answer:
    return Answer(200, {"results": read_pipeline(call).body["stages"]})


def read_stage(call: Call) -> Answer:
    return Answer(200, call.portal.pipelines.find_stage(call.kind, call.parts["id"], call.parts["stage"]).shown())


def create_stage(call: Call) -> Answer:
    stage = call.portal.pipelines.add_stage(call.kind, call.parts["id"], call.body)
    call.portal.learn_stages()
    return Answer(201, stage.shown())


def change_stage(call: Call) -> Answer:
    stage = call.portal.pipelines.find_stage(call.kind, call.parts["id"], call.parts["stage"])
    stage.label = str(call.body.get("label") or stage.label)
    stage.order = whole(call.body, "displayOrder", stage.order)
    if changed := mapping(call.body, "metadata"):
        stage.metadata = checked_metadata(call.kind, {**stage.metadata, **changed})
    stage.changed = call.portal.stamp()
    return Answer(200, stage.shown())


def archive_stage(call: Call) -> Answer:
    call.portal.pipelines.remove_stage(call.kind, call.parts["id"], call.parts["stage"])
    return Answer(204)


# -- the account


def account_details(call: Call) -> Answer:
    portal = call.portal
    offset = portal.clock().astimezone(ZoneInfo(portal.time_zone)).strftime("%z")
    return Answer(
        200,
        {
            "portalId": portal.portal_id,
            "accountType": portal.account_type,
            "timeZone": portal.time_zone,
            "companyCurrency": portal.currency,
            "additionalCurrencies": [],
            "utcOffset": f"{offset[:3]}:{offset[3:]}",
            "utcOffsetMilliseconds": int(f"{offset[0]}1") * (int(offset[1:3]) * 60 + int(offset[3:])) * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        },
    )


def api_usage(call: Call) -> Answer:
    """The day's calls of private apps and service keys together. Counted up to now, this call included."""
    limits = call.services.limits
    usage = {
        "name": "private-apps-api-calls-daily",
        "usageLimit": limits.allowance.daily,
        "currentUsage": limits.used_today,
        "collectedAt": call.portal.stamp(),
        "fetchStatus": "SUCCESS",
        "resetsAt": iso(millis(limits.resets_at())),
    }
    return Answer(200, {"results": [usage]})


# -- OAuth


def token(call: Call) -> Answer:
    """grant_type `refresh_token` or `client_credentials`, form encoded."""
    form = {key: values[-1] for key, values in parse_qs(call.raw.decode("utf-8", "replace")).items()}
    access = call.services.access
    if (form.get("client_id"), form.get("client_secret")) != (access.client_id, access.client_secret):
        raise Refusal(400, {"status": "BAD_CLIENT_ID", "message": "missing or unknown client id or secret"})
    grant = form.get("grant_type")
    if grant not in ("refresh_token", "client_credentials"):
        raise Refusal(400, {"status": "BAD_GRANT_TYPE", "message": f"unknown grant type: {grant}"})
    if grant == "refresh_token" and form.get("refresh_token") != access.refresh_token:
        raise invalid_grant("missing or invalid refresh token")
    body = {
        "access_token": access.issue(),
        "expires_in": int(TOKEN_LIFE.total_seconds()),
        "token_type": "bearer",
        "hub_id": call.portal.portal_id,
    }
    return Answer(200, {**body, "refresh_token": access.refreshed()} if grant == "refresh_token" else body)


def token_facts(call: Call) -> Answer:
    """What a token is good for. Raises Refusal (404) for an unknown one."""
    access, wanted = call.services.access, call.parts["token"]
    if wanted not in access.issued:
        raise resource_not_found()
    left = access.issued[wanted] - call.portal.clock()
    return Answer(
        200,
        {
            "token": wanted,
            "hub_id": call.portal.portal_id,
            "app_id": 3100100,
            "user_id": 5100,
            "expires_in": max(0, int(left.total_seconds())),
            "scopes": [],
            "token_type": "access",
        },
    )
