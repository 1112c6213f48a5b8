from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from refloop_sandbox.hubspot import Allowance, LocalHubSpot
from tests.patience import PATIENCE
from tests.sandbox.hubspot_api import Api, Clock, Gate

LIST = "/crm/v3/objects/contacts"
SEARCH = "/crm/v3/objects/contacts/search"


def strict(clock: Clock, served: tuple[Gate, str], **more: Any) -> LocalHubSpot:
    hubspot = LocalHubSpot(clock=clock, strict=True, **more)
    served[0].account = hubspot.app
    return hubspot


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic pat-na1-local", "pat-na1-local"])
def test_a_call_needs_a_known_bearer(api: Api, header: str | None) -> None:
    answer = api.ask("GET", LIST, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_revoked_tokens_are_of_no_use(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.revoke_tokens()
    assert api.ask("GET", LIST).status_code == 401
    hubspot.accept_token("pat-na1-local")
    assert api.ask("GET", LIST).status_code == 200


@pytest.mark.parametrize("version", ["v1", "v3", "2026-03"])
def test_oauth_tokens_live_for_half_an_hour(hubspot: LocalHubSpot, api: Api, clock: Clock, version: str) -> None:
    form = {
        "grant_type": "refresh_token",
        "client_id": "local-client",
        "client_secret": "local-secret",
        "refresh_token": "local-refresh",
    }
    address, headers = f"{api.url}/oauth/{version}/token", {"Authorization": None}
    got = api.post(address, data=form, timeout=PATIENCE, headers=headers).json()
    assert (got["expires_in"], got["hub_id"], got["refresh_token"]) == (1800, 20_000_001, "local-refresh")
    bearer = {"Authorization": f"Bearer {got['access_token']}"}
    answer = api.ask("GET", LIST, headers=bearer)
    assert answer.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in answer.headers
    clock.pass_(seconds=1799)
    assert api.ask("GET", LIST, headers=bearer).status_code == 200
    clock.pass_(seconds=61)
    late = api.ask("GET", LIST, headers=bearer)
    assert (late.status_code, late.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert late.json()["message"] == "The OAuth token used to make this call expired 1 minute(s) ago."


def test_refresh_tokens_may_rotate(hubspot: LocalHubSpot, api: Api) -> None:
    def refreshed(token: str) -> requests.Response:
        form = {
            "grant_type": "refresh_token",
            "client_id": "local-client",
            "client_secret": "local-secret",
            "refresh_token": token,
        }
        return api.post(f"{api.url}/oauth/2026-09/token", data=form, timeout=PATIENCE)

    hubspot.rotate_refresh_tokens()
    second = refreshed("local-refresh").json()["refresh_token"]
    assert second != "local-refresh"
    assert refreshed("local-refresh").json()["error"] == "invalid_grant"
    assert refreshed(second).json()["refresh_token"] not in ("local-refresh", second)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"refresh_token": "x"}, "BAD_REFRESH_TOKEN"),
        ({"client_secret": "x"}, "BAD_CLIENT_ID"),
        ({"grant_type": "password"}, "BAD_GRANT_TYPE"),
    ],
)
def test_oauth_refusals(api: Api, wrong: dict[str, str], status: str) -> None:
    form = {
        "grant_type": "refresh_token",
        "client_id": "local-client",
        "client_secret": "local-secret",
        "refresh_token": "local-refresh",
    }
    answer = api.post(f"{api.url}/oauth/v1/token", data={**form, **wrong}, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["status"]) == (400, status)


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("crm.objects.contacts.read", "GET", LIST, None),
        ("crm.objects.contacts.write", "POST", LIST, {"properties": {}}),
        ("crm.schemas.contacts.write", "POST", "/crm/v3/properties/contacts", {}),
        ("crm.objects.owners.read", "GET", "/crm/v3/owners/", None),
    ],
)
def test_missing_scopes_are_named(
    clock: Clock, served: tuple[Gate, str], scope: str, method: str, path: str, body: object
) -> None:
    served[0].account = LocalHubSpot(clock=clock, denied_scopes=[scope]).app
    with Api(served[1]) as api:
        answer = api.ask(method, path, body)
        assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
        assert answer.json()["errors"][0]["context"]["requiredGranularScopes"] == [scope]
        assert api.ask("GET", "/crm/v3/objects/deals").status_code == 200


def test_headers_count_down_and_start_anew_at_the_accounts_midnight(served: tuple[Gate, str], clock: Clock) -> None:
    clock.now = datetime(2026, 9, 1, 3, 59, tzinfo=UTC)
    served[0].account = LocalHubSpot(clock=clock, time_zone="America/New_York").app
    with Api(served[1]) as api:
        left = [api.ask("GET", LIST).headers["X-HubSpot-RateLimit-Daily-Remaining"] for _ in range(2)]
        assert left == ["249999", "249998"]
        clock.pass_(minutes=2)
        answer = api.ask("GET", LIST)
        assert answer.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "249999"
        assert answer.headers["X-HubSpot-RateLimit-Remaining"] == "99"
        usage = api.ask("GET", "/account-info/v3/api-usage/daily/private-apps").json()["results"][0]
        assert (usage["currentUsage"], usage["usageLimit"]) == (2, 250_000)
        assert usage["resetsAt"] == "2026-09-02T04:00:00Z"


def test_a_hundred_calls_in_ten_seconds(served: tuple[Gate, str], clock: Clock) -> None:
    strict(clock, served)
    with Api(served[1]) as api:
        assert {api.ask("GET", LIST).status_code for _ in range(100)} == {200}
        refused = api.ask("GET", LIST)
        assert refused.status_code == 429
        assert (refused.json()["policyName"], refused.json()["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
        assert "Retry-After" not in refused.headers
        assert api.ask("POST", SEARCH, {}).status_code == 200
        clock.pass_(seconds=10)
        assert api.ask("GET", LIST).status_code == 200


def test_five_searches_a_second(served: tuple[Gate, str], clock: Clock) -> None:
    strict(clock, served)
    with Api(served[1]) as api:
        assert {api.ask("POST", SEARCH, {}).status_code for _ in range(5)} == {200}
        refused = api.ask("POST", "/crm/v3/objects/deals/search", {})
        assert (refused.status_code, refused.json()["policyName"]) == (429, "SECONDLY")
        assert (refused.json()["category"], refused.headers["Retry-After"]) == ("RATE_LIMITS", "1")
        assert api.ask("GET", LIST).status_code == 200
        clock.pass_(seconds=1)
        assert api.ask("POST", SEARCH, {}).status_code == 200


def test_a_daily_limit(served: tuple[Gate, str], clock: Clock) -> None:
    strict(clock, served, allowance=Allowance(daily=2))
    with Api(served[1]) as api:
        assert [api.ask("GET", LIST).status_code for _ in range(3)] == [200, 200, 429]
        refused = api.ask("GET", LIST).json()
        assert (refused["policyName"], "requestId" in refused) == ("DAILY", True)
        clock.pass_(days=1)
        assert api.ask("GET", LIST).status_code == 200


def test_the_date_header_is_the_accounts_clock(api: Api, clock: Clock) -> None:
    clock.pass_(seconds=1.9)
    assert api.ask("GET", LIST).headers["Date"] == "Tue, 01 Sep 2026 10:00:01 GMT"
    assert api.ask("GET", "/nowhere").headers["Date"] == "Tue, 01 Sep 2026 10:00:01 GMT"


@pytest.mark.parametrize("status", [423, 429, 477, 502, 503, 521, 524])
def test_a_fault_answers_in_place_of_the_next_request(hubspot: LocalHubSpot, api: Api, status: int) -> None:
    hubspot.fail_next(status, headers={"Retry-After": "3"}, body="<html>sorry</html>")
    answer = api.ask("POST", LIST, {"properties": {"email": "a@x.org"}})
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (status, "<html>sorry</html>", "3")
    assert answer.headers["Content-Type"] == "text/html"
    assert list(hubspot.rows("contacts")) == []
    assert api.ask("POST", LIST, {"properties": {"email": "a@x.org"}}).status_code == 201
    assert hubspot.faults_injected == 1
    assert hubspot.calls["POST /crm/objects/contacts"] == 2


def test_a_fault_waits_for_its_path(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.fail_next(500, path="/batch/update", body={"status": "error", "message": "boom"})
    assert api.ask("GET", LIST).status_code == 200
    answer = api.ask("POST", f"{LIST}/batch/update", {"inputs": []})
    assert (answer.status_code, answer.json()) == (500, {"status": "error", "message": "boom"})


@pytest.mark.parametrize("status", [None, 502])
def test_applied_then_broken(hubspot: LocalHubSpot, api: Api, status: int | None) -> None:
    hubspot.fail_next(status, applied=True)
    if status is None:
        with pytest.raises(requests.ConnectionError):
            api.ask("POST", LIST, {"properties": {"email": "a@x.org"}})
    else:
        assert api.ask("POST", LIST, {"properties": {"email": "a@x.org"}}).status_code == status
    ((_, properties),) = hubspot.rows("contacts")
    assert properties["email"] == "a@x.org"


def test_a_closed_connection_leaves_the_server_alive(hubspot: LocalHubSpot, api: Api) -> None:
    hubspot.fail_next(None)
    with pytest.raises(requests.ConnectionError):
        api.ask("GET", LIST)
    assert api.ask("GET", LIST).status_code == 200
