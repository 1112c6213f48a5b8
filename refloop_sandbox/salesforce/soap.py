"""SOAP log-in, which older clients sign in by (SOAP API Developer Guide, login). It ends with API version 65.0."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape
from xml.etree import ElementTree as ET

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.org import Org

ADDRESS = re.compile(r"/services/soap/[cu]/(\d+)\.0(?:/\w+)?", re.IGNORECASE)
_RETIRED = 65
_NAMESPACE = "urn:partner.soap.sforce.com"
_LONGEST = 20_000

SignIn = Callable[[str, str], tuple[str, str] | None]
"""`(username, password) -> (session id, user id)`, None for a wrong one."""


def login(org: Org, call: Call, sign_in: SignIn) -> Answer:
    """Answers `login`, and no other operation. Faults come with status 500, as in SOAP 1.1."""
    found = ADDRESS.fullmatch(call.path.partition("?")[0].rstrip("/"))
    if found is None or int(found[1]) >= _RETIRED:
        return _fault("UNSUPPORTED_API_VERSION", "SOAP login() is not available in this API version")
    given = _credentials(call.body)
    if given is None:
        return _fault("INVALID_OPERATION", "only login() is served here")
    signed_in = sign_in(*given)
    if signed_in is None:
        said = "Invalid username, password, security token; or user locked out."
        return _fault("INVALID_LOGIN", said)
    session, user_id = signed_in
    server = f"{call.base}/services/Soap/u/{found[1]}.0/{org.id[:15]}"
    user = f"<userInfo><organizationId>{org.id}</organizationId><userName>{escape(given[0])}</userName></userInfo>"
    result = (
        f"<serverUrl>{escape(server)}</serverUrl><sessionId>{escape(session)}</sessionId>"
        f"<userId>{user_id}</userId>{user}"
    )
    return _envelope(200, f'<loginResponse xmlns="{_NAMESPACE}"><result>{result}</result></loginResponse>')


def _credentials(body: object) -> tuple[str, str] | None:
    if not isinstance(body, bytes) or len(body) > _LONGEST or b"<!DOCTYPE" in body:
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314 - small, and without a DTD that could grow
    except ET.ParseError:
        return None
    call = next((one for one in root.iter() if one.tag.rpartition("}")[2] == "login"), None)
    if call is None:
        return None
    said = {child.tag.rpartition("}")[2]: child.text or "" for child in call}
    return said.get("username", ""), said.get("password", "")


def _fault(code: str, message: str) -> Answer:
    told = f"<faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>"
    detail = (
        f'<detail><sf:LoginFault xmlns:sf="urn:fault.partner.soap.sforce.com"><sf:exceptionCode>{code}'
        f"</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail>"
    )
    fault = f'<soapenv:Fault xmlns:sf="urn:fault.partner.soap.sforce.com">{told}{detail}</soapenv:Fault>'
    return _envelope(500, fault)


def _envelope(status: int, inside: str) -> Answer:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soapenv:Body>{inside}</soapenv:Body></soapenv:Envelope>"
    )
    return Answer(status, text.encode(), media="text/xml;charset=UTF-8")
