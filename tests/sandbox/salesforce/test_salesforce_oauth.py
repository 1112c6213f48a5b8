from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from refloop_sandbox.salesforce import LocalSalesforce
from tests.patience import PATIENCE

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CLIENT = {"client_id": "local-client", "client_secret": "local-secret"}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _token(url: str, form: dict[str, Any], **more: Any) -> requests.Response:
    return requests.post(f"{url}/services/oauth2/token", data=form, timeout=PATIENCE, **more)


def _works(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{url}/services/data/v67.0/limits", headers=headers, timeout=PATIENCE).status_code


@pytest.mark.parametrize("basic", [True, False])
def test_client_credentials(crm: LocalSalesforce, url: str, basic: bool) -> None:
    form = {"grant_type": "client_credentials"}
    answer = _token(url, form, auth=tuple(_CLIENT.values())) if basic else _token(url, {**form, **_CLIENT})
    body = answer.json()
    assert body["instance_url"] == url
    assert body["id"] == f"{url}/id/{crm.organization_id}/{crm.integration_user}"
    assert body["token_type"] == "Bearer"
    assert body["issued_at"] == "1790856000000"
    assert body["signature"]
    assert _works(url, body["access_token"]) == 200
    assert crm.api_usage == 1


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", **_CLIENT, "client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "client_credentials", **_CLIENT, "client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "client_credentials"}, "invalid_client_id"),
        ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "invalid_grant"),
        ({"grant_type": "password", **_CLIENT, "username": "admin@local.example", "password": "no"}, "invalid_grant"),
        ({"grant_type": _JWT_BEARER, "assertion": "wrong"}, "invalid_grant"),
        ({"grant_type": "nope"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
    ],
)
def test_refusals_are_objects(crm: LocalSalesforce, url: str, form: dict[str, str], error: str) -> None:
    answer = _token(url, form)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "error_description"}


def _assertion(key: rsa.RSAPrivateKey, **claims: Any) -> str:
    standard = {"iss": "local-client", "sub": "integration@local.example", "aud": "https://login.salesforce.com"}
    return jwt.encode({**standard, "exp": int(time.time()) + 180, **claims}, key, algorithm="RS256")


def test_a_signed_assertion(crm: LocalSalesforce, url: str, key: rsa.RSAPrivateKey) -> None:
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    crm.register_key("local-client", public)
    assert _works(
        url, _token(url, {"grant_type": _JWT_BEARER, "assertion": _assertion(key, aud=url)}).json()["access_token"]
    )
    for audience in ("https://login.salesforce.com", "https://test.salesforce.com"):
        answer = _token(url, {"grant_type": _JWT_BEARER, "assertion": _assertion(key, aud=audience)})
        assert (answer.status_code, answer.json()["error"]) == (400, "app_not_found")
    crm.register_key("local-client", public, connected_app=True)
    for audience in ("https://login.salesforce.com", "https://test.salesforce.com", url):
        body = _token(url, {"grant_type": _JWT_BEARER, "assertion": _assertion(key, aud=audience)}).json()
        assert _works(url, body["access_token"]) == 200
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for assertion, error in (
        (_assertion(stranger), "invalid_grant"),
        (_assertion(key, exp=int(time.time()) - 600), "invalid_grant"),
        (_assertion(key, aud="https://elsewhere.example"), "invalid_grant"),
        (_assertion(key, sub="nobody@local.example"), "invalid_grant"),
        (_assertion(key, iss="other-client"), "invalid_client_id"),
    ):
        answer = _token(url, {"grant_type": _JWT_BEARER, "assertion": assertion})
        assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_refresh_tokens_and_their_rotation(crm: LocalSalesforce, url: str) -> None:
    form = {"grant_type": "refresh_token", **_CLIENT}
    steady = crm.refresh_token()
    bodies = [_token(url, {**form, "refresh_token": steady}).json() for _ in range(2)]
    assert all("refresh_token" not in body for body in bodies)
    single = crm.refresh_token(rotates=True)
    following = _token(url, {**form, "refresh_token": single}).json()["refresh_token"]
    assert _token(url, {**form, "refresh_token": single}).json()["error"] == "invalid_grant"
    assert _works(url, _token(url, {**form, "refresh_token": following}).json()["access_token"]) == 200


def test_sessions_end(crm: LocalSalesforce, api: requests.Session, url: str) -> None:
    assert api.get("~/limits").status_code == 200
    crm.revoke_tokens()
    answer = api.get("~/limits")
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    assert _works(url, crm.access_token()) == 200
    assert requests.get(f"{url}/services/data/v67.0/limits", timeout=PATIENCE).status_code == 401


def test_people_sign_in_as_themselves(crm: LocalSalesforce, url: str) -> None:
    form = {"grant_type": "password", **_CLIENT, "username": "admin@local.example", "password": "local-password"}
    assert _token(url, form).json()["id"].endswith(crm.admin_user)
    crm.update("User", crm.admin_user, {"IsActive": False})
    assert _token(url, form).json()["error_description"] == "inactive user"
