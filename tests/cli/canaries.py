"""Canaries: secrets and people that stand nowhere else, planted in config, CRMs and files, and a search for them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from refloop.redaction import _REDACTOR
from refloop_sandbox import faults
from refloop_sandbox.faults import Alter, Asked, Fault, Reply
from refloop_sandbox.hubspot import troubles as hubspot
from refloop_sandbox.salesforce import troubles as salesforce
from tests.cli.conftest import NOON, Answer, Office

Make = Callable[[str], Fault]
"""A fault for `sf` or `hs`, in that CRM's own words."""


class Sort(Enum):
    """What may be known of a canary, by whom."""

    SECRET = auto()  # nobody
    PERSON = auto()  # who asks for that very record, and the ledger
    OURS = auto()  # who looks at what our fields hold


class Canary(NamedTuple):
    name: str
    value: str
    sort: Sort


CANARIES = (
    Canary("Salesforce client secret", "cnry.sf/Secret==4711xyzzy", Sort.SECRET),
    Canary("HubSpot token", "pat-na1-cnryhubs-0f00-4711-beef", Sort.SECRET),
    Canary("HubSpot client secret", "cnry&hs secret%4712plugh", Sort.SECRET),
    Canary("HubSpot refresh token", "na1-cnryrefresh-4713-abcdef", Sort.SECRET),
    Canary("lead's first name", "Quirinius", Sort.PERSON),
    Canary("lead's last name", "Zwölffinger", Sort.PERSON),
    Canary("lead's e-mail", "q.zwoelf@canary-lead.io", Sort.PERSON),
    Canary("lead's phone", "+49 171 5550147", Sort.PERSON),
    Canary("contact's first name", "Eulalia", Sort.PERSON),
    Canary("contact's last name", "Ngubane-Ó Súilleabháin", Sort.PERSON),
    Canary("contact's e-mail", "eulalia@canary-contact.io", Sort.PERSON),
    Canary("contact's phone", "(212) 555-0183", Sort.PERSON),
    Canary("referrer's e-mail", "ottoline@canary-partner.io", Sort.PERSON),
    Canary("referrer's name", "Ottoline Prendergast", Sort.OURS),
    Canary("company", "Vogelhäuschen & Söhne KG", Sort.OURS),
    Canary("deal", "Kanarienvogel Rollout", Sort.OURS),
)
NAMED = {canary.name: canary.value for canary in CANARIES}
FIRST, LAST, EMAIL, PHONE = (NAMED[f"lead's {fact}"] for fact in ("first name", "last name", "e-mail", "phone"))
FIRST2, LAST2, EMAIL2, PHONE2 = (NAMED[f"contact's {fact}"] for fact in ("first name", "last name", "e-mail", "phone"))
PARTNER, PARTNER_EMAIL = NAMED["referrer's name"], NAMED["referrer's e-mail"]
_SPARE = 12


def forms(value: str) -> Iterator[str]:
    """How a canary may show, case aside. (Of its own making: what hides is not asked what there is to find.)"""
    yield from (value, quote(value), quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1])
    if len(value) > _SPARE and not value.startswith("-----"):
        yield value[:_SPARE]
    for lead in ("", "x", "xy"):
        yield base64.b64encode((lead + value).encode()).decode().rstrip("=")[4:-2] or value


@lru_cache(maxsize=200)
def _needles(value: str) -> tuple[bytes, ...]:
    return tuple({form.casefold().encode() for form in forms(value)})


def found(data: bytes, canaries: Iterable[Canary]) -> list[str]:
    """The names of the canaries that some bytes hold."""
    hay = data.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    return [canary.name for canary in canaries if any(needle in hay for needle in _needles(canary.value))]


def secrets(before: frozenset[str] = frozenset()) -> list[Canary]:
    """The planted secrets, and those that this process came to know since: keys line by line, access tokens."""
    lines = [line for one in _REDACTOR._known.keys() - before for line in one.split("\n") if "-----" not in line]
    known = {line.rpartition("!")[2] for line in lines}  # before it stands the id of the org
    return [
        *of(Sort.SECRET),
        *(Canary(f"secret {one[:3]}...", one, Sort.SECRET) for one in known if len(one) > _SPARE),
    ]


def of(*sorts: Sort) -> list[Canary]:
    return [canary for canary in CANARIES if canary.sort in sorts]


# -- planting

KEYS = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE_KEY = KEYS.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
PUBLIC_KEY = KEYS.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

PLAIN_LOGIN = {
    "sf": '{method: client_credentials, client_id: local-client, client_secret: "env:CANARY_SF"}',
    "hs": '{method: service_key, token: "env:CANARY_HS"}',
}
OTHER_LOGIN = {
    "sf": '{method: jwt, client_id: canary-app, username: integration@local.example, private_key: "env:CANARY_KEY"}',
    "hs": '{method: oauth, client_id: local-client, client_secret: "env:CANARY_APP", refresh_token: "env:CANARY_NEW"}',
}
CONFIG = """\
version: 1
connections:
  sf: {{connector: salesforce, url: "{sf_url}", currency: USD, auth: {sf}}}
  hs: {{connector: hubspot, url: "{hs_url}", auth: {hs}}}
"""
CODES = f"""\
code,referrer,referrer_name,referrer_email,program
OTTO-7K2Q,otto,{PARTNER},{PARTNER_EMAIL},partners
"""


@dataclass
class PlantedOffice:
    """An office full of canaries."""

    office: Office
    login: Mapping[str, str] = field(default_factory=lambda: PLAIN_LOGIN)
    batches: int = 0
    before: frozenset[str] = field(default_factory=lambda: frozenset(_REDACTOR._known))

    def set_up(self) -> None:
        """Config, codes and our fields."""
        office = self.office
        text = (office.folder / "config.yaml").read_text(encoding="utf-8")
        urls = re.findall(r"http://[0-9.:]+", text)
        office.salesforce._tokens._client = ("local-client", NAMED["Salesforce client secret"])
        office.salesforce.register_key("canary-app", PUBLIC_KEY)
        access = office.hubspot._access
        access.tokens = {NAMED["HubSpot token"]}
        access.client_secret = NAMED["HubSpot client secret"]
        access.refresh_token = NAMED["HubSpot refresh token"]
        for variable, value in {
            "CANARY_SF": NAMED["Salesforce client secret"],
            "CANARY_HS": NAMED["HubSpot token"],
            "CANARY_APP": NAMED["HubSpot client secret"],
            "CANARY_NEW": NAMED["HubSpot refresh token"],
            "CANARY_KEY": PRIVATE_KEY,
        }.items():
            office.monkeypatch.setenv(variable, value)
        self.configure("config.yaml", sf_url=urls[0], hs_url=urls[1])
        (office.folder / "codes.csv").write_text(CODES, encoding="utf-8")
        for words in (("provision",), ("codes", "import", "codes.csv")):
            answer = self.run(*words)
            assert answer.code == 0, answer

    def configure(self, name: str, **urls: str) -> None:
        (self.office.folder / name).write_text(CONFIG.format(**urls, **self.login), encoding="utf-8")

    def run(self, *words: str) -> Answer:
        return self.office.run("--log", "refloop.log", "--log-level", "debug", *words)

    def trouble(self, make: Make, when: Callable[[Asked], bool], *, times: int = 2) -> None:
        """Both CRMs have this fault from now on, and no other."""
        self.calm()
        for name, crm in (("sf", self.office.salesforce), ("hs", self.office.hubspot)):
            crm.faults.add(make(name), times=times, when=when)

    def calm(self) -> None:
        for crm in (self.office.salesforce, self.office.hubspot):
            crm.faults.clear()

    @property
    def struck(self) -> int:
        return self.office.salesforce.faults_injected + self.office.hubspot.faults_injected

    def plant_records(self) -> dict[str, str]:
        """New records of the people, so that the next sync has something to read and to write. Gives their ids."""
        self.batches += 1
        sf, hs, n = self.office.salesforce, self.office.hubspot, self.batches
        heard = f"{FIRST} <{EMAIL}> heard of you: code otto 7k2q"
        lead = sf.create("Lead", {
            "FirstName": FIRST, "LastName": LAST, "Email": f"{n}.{EMAIL}", "Phone": PHONE,
            "Company": NAMED["company"], "Description": heard,
        })  # fmt: skip
        deal = sf.create("Opportunity", {
            "Name": NAMED["deal"], "StageName": "Prospecting", "CloseDate": "2026-03-12", "Amount": 1200.5,
        })  # fmt: skip
        contact = sf.create("Contact", {
            "FirstName": FIRST2, "LastName": LAST2, "Email": PARTNER_EMAIL if n == 1 else f"{n}.{EMAIL2}",
            "Phone": PHONE2, "Description": heard if n > 1 else None,
        })  # fmt: skip
        sf.create("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact})
        (visitor,) = hs.load("contacts", [{
            "firstname": FIRST2, "lastname": LAST2, "email": f"{n}.{EMAIL2}", "phone": PHONE2,
            "company": NAMED["company"],
            "hs_analytics_first_url": f"https://x.example/?email={quote(EMAIL2)}&ref=otto-7k2q",
            "createdate": NOON, "lastmodifieddate": NOON,
        }])  # fmt: skip
        return {"lead": lead, "deal": deal, "contact": contact, "visitor": visitor}

    def leaks(self, answer: Answer, command: str) -> list[str]:
        """What a command let out: by the streams, the log, and every file of the folder."""
        printed = (answer.out + answer.err).encode()
        leaks = [f"printed: {name}" for name in found(printed, secrets(self.before))]
        if command not in ASKED_BY_NAME:
            leaks += [
                f"printed: {name}"
                for name in found(printed, of(Sort.PERSON))
                if not (command in NAME_PEOPLE and name.endswith(" name"))
            ]
        if command not in SHOW_OUR_FIELDS:
            leaks += [f"printed: {name}" for name in found(printed, of(Sort.OURS))]
        leaks += [f"stderr: {name}" for name in found(answer.err.encode(), of(Sort.PERSON, Sort.OURS))]
        return [*leaks, *self.left_behind()]

    def left_behind(self) -> Iterator[str]:
        """Canaries in files: no secret in any, no person in one that is not the ledger's."""
        for path in sorted(self.office.folder.rglob("*")):
            if not path.is_file() or path.name == "codes.csv":
                continue
            data = path.read_bytes()
            if path.suffix == ".gz":
                data = gzip.decompress(data)
            yield from (f"{path.name}: {name}" for name in found(data, secrets(self.before)))
            if not _is_ledger(path):
                yield from (f"{path.name}: {name}" for name in found(data, of(Sort.PERSON)))
            if path.suffix == ".log":
                yield from (f"{path.name}: {name}" for name in found(data, of(Sort.OURS)))


ASKED_BY_NAME = frozenset({"explain", "codes"})
NAME_PEOPLE = frozenset({"plan", "sync --dry-run", "backfill --dry-run", "undo"})
SHOW_OUR_FIELDS = frozenset({"explain", "codes", "plan", "sync --dry-run", "undo", "status", "referrals list"})


def _is_ledger(path: Path) -> bool:
    return path.name.startswith("refloop.db") or ".backups" in str(path.parent)


# -- faults that quote


def quoting(status: int, asked: Asked) -> Reply:
    """An error that repeats what was asked and whom it is about, in the words of both CRMs."""
    about = (
        f"Bearer {NAMED['HubSpot token']} client_secret={NAMED['Salesforce client secret']} for {EMAIL} {PHONE2} "
        f"{json.dumps(f'{FIRST} {LAST}', ensure_ascii=False)} '{LAST2}' asked {asked.path} "
        f"with {asked.body.decode()[:400]!r}"
    )
    if "/services/" in asked.path:
        body: Any = [{"errorCode": "FIELD_INTEGRITY_EXCEPTION", "message": about, "fields": [about]}]
    else:
        detail = {"code": about, "message": about, "context": {"propertyName": [about]}}
        body = {"status": "error", "category": about, "message": about, "errors": [detail], "context": {"id": [about]}}
    if "oauth" in asked.path:
        body = {"error": about, "error_description": about, "message": about}
    return Reply(status, {"content-type": "application/json"}, json.dumps(body).encode())


def echo(status: int) -> Fault:
    return Fault(f"echo {status}", alter=Alter(lambda asked, _reply, _before: quoting(status, asked)))


def poison() -> Fault:
    """Each record of a write is refused, in an error that quotes it."""

    def change(asked: Asked, reply: Reply, _before: Reply | None) -> Reply:
        said = json.loads(quoting(400, asked).body)
        if "/services/" not in asked.path:
            ids = [one["id"] for one in json.loads(asked.body)["inputs"]]
            errors = [{**said, "context": {"objectWriteTraceId": [one]}} for one in ids]
            body: Any = {"status": "COMPLETE", "results": [], "numErrors": len(errors), "errors": errors}
            return Reply(207, {"content-type": "application/json"}, json.dumps(body).encode())
        body = json.loads(reply.body)
        for results in [part["body"] for part in body["compositeResponse"]] if isinstance(body, dict) else [body]:
            results[:] = [
                {"id": one["id"], "success": False, "errors": [{"statusCode": "X", **said[0]}]} for one in results
            ]
        return reply._replace(body=json.dumps(body).encode())

    return Fault("poison", alter=Alter(change, fits=lambda asked, _before: is_write(asked)))


def is_write(asked: Asked) -> bool:
    return "/batch/update" in asked.path or asked.method == "PATCH" or b'"PATCH"' in asked.body


def is_any(_asked: Asked) -> bool:
    return True


def is_read(asked: Asked) -> bool:
    return "/crm/objects" in asked.path or b"queryAll" in asked.body or "queryAll" in asked.path


def _by_crm(sf: Fault, hs: Fault) -> Make:
    return lambda crm: sf if crm == "sf" else hs


def _same(fault: Callable[[], Fault]) -> Make:
    return lambda _crm: fault()


def matrix(elsewhere: str) -> dict[str, Make]:
    """All faults, by name. `elsewhere` is another server's address."""
    return {
        "401": _by_crm(salesforce.fault(salesforce.session_expired()), hubspot.fault(hubspot.expired())),
        "401 HTML": _same(lambda: faults.answer(401)),
        "403 quoting": _same(lambda: echo(403)),
        "400 quoting": _same(lambda: echo(400)),
        "404 quoting": _same(lambda: echo(404)),
        "409 quoting": _same(lambda: echo(409)),
        "500 quoting": _same(lambda: echo(500)),
        "429 of ten seconds": _by_crm(salesforce.fault(salesforce.concurrent()), hubspot.fault(hubspot.ten_secondly())),
        "429 of a second": _by_crm(faults.answer(429, b""), hubspot.fault(hubspot.secondly())),
        "429 of the day": _by_crm(salesforce.fault(salesforce.daily()), hubspot.fault(hubspot.daily())),
        "423": _by_crm(salesforce.fault(salesforce.query_timeout()), hubspot.fault(hubspot.locked())),
        "477": _same(lambda: hubspot.fault(hubspot.migrating())),
        "503 HTML": _same(faults.maintenance),
        "503 HTML, wait": _same(lambda: faults.maintenance(retry_after=1)),
        "502 of a proxy": _same(lambda: hubspot.proxy(502)),
        "closed": _same(faults.closed),
        "reset": _same(faults.reset),
        "reset, applied": _same(lambda: faults.reset(applied=True)),
        "cut": _same(faults.cut),
        "cut, unannounced": _same(lambda: faults.cut(announced=False)),
        "drip": _same(lambda: faults.drip(0.0)),
        "gzip bomb": _same(lambda: faults.gzip_bomb(70_000_000)),
        "redirect": _same(lambda: faults.redirect(302, elsewhere)),
        "redirect, kept": _same(lambda: faults.redirect(307, elsewhere)),
        "HTML": _same(faults.html),
        "empty": _same(faults.empty),
        "null": _same(faults.json_null),
        "[]": _same(faults.json_list),
        "truncated": _same(faults.truncated),
        "wrong type": _same(faults.wrong_type),
        "poison": _same(poison),
    }
