"""What --json prints, to the letter: people's scripts read it. REFLOOP_GOLDEN=write renews the texts."""

from __future__ import annotations

import re
from pathlib import Path

from refloop import __version__
from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.ledger.receipts import intend
from refloop.ledger.runs import start_run
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Ref
from refloop_sandbox import faults
from tests.cli.conftest import NOON, Answer, Office, fill, plain
from tests.cli.test_golden import same

REFERRALS = """\
code,email,date,note
BENS-4F6T,late@lumen.io,2026-03-02,met at the fair
OLDC-0D3X,kim@lumen.io,2026-03-02,
"""


_CHANGING = (
    (r"\d{8}T\d{6}\.\d+Z\.db(\.gz)?", "<backup>"),
    (r"\d+ seconds ago|just now", "<ago>"),
    (r'("age_seconds"): \d+', r"\1: 0"),
    (r'("version"): "[^"]*"', r'\1: "<version>"'),
    # a call that meets a limit is made again
    (r'("(?:calls|quota_used|quota_ours|used|ours|ours_day|others)"): \d+', r"\1: 0"),
    (r"\d+ (of [\d,]+ calls a day used), \d+ by refloop, \d+ by others", r"<n> \1"),
    (r"(_timestamp_seconds\S*) [\d.e+]+", r"\1 <time>"),
    (r"(quota_used_calls\S*) \d+", r"\1 <n>"),
    (r'(version=)"[^"]*"', r'\1"<version>"'),
)


def steady(text: str, office: Office) -> str:
    """The text without what differs from run to run."""
    text = plain(text.replace(str(office.folder), "<folder>"))
    for changing, instead in _CHANGING:
        text = re.sub(changing, instead, text)
    return text


def same_json(name: str, answer: Answer, office: Office) -> None:
    same(f"json/{name}", steady(answer.out, office))


def test_a_day_at_the_office_for_scripts(office: Office) -> None:
    def printed(name: str, *words: str) -> Answer:
        answer = office.run(*words, "--json")
        same_json(name, answer, office)
        return answer

    printed("check", "check")
    printed("provision", "provision")
    (office.folder / "codes.csv").write_text(
        "code,referrer,referrer_name,referrer_email,program,valid_from,valid_to\n"
        "ANNA-7K2Q,anna,Anna Weiß,anna@partners.io,partners,,\n"
        'BENS-4F6T,ben,"Ben ""B"" O\'Hara",ben@partners.io,partners,2026-01-01,2026-12-31\n'
        "OLDC-0D3X,=ben,,,partners,,2025-12-31\n"
        ",nobody,,,,,\n",
        encoding="utf-8",
    )
    printed("codes-import", "codes", "import", "codes.csv")
    printed("codes-list", "codes", "list")
    printed("codes-export", "codes", "export")
    same("json/codes-export-csv", office.run("codes", "export").out)
    (office.folder / "referrals.csv").write_text(REFERRALS, encoding="utf-8")
    printed("referrals-import", "referrals", "import", "referrals.csv")
    printed("status-before", "status")

    ids = fill(office.salesforce, office.hubspot)
    unclear = {"LastName": "Ho", "Company": "Ho", "Email": "ho@ho.io", "Description": "code ANNA-7K2Q or BENS-4F6T"}
    office.salesforce.create("Lead", unclear)
    printed("plan", "plan")
    assert office.run("sync", "--max-changes", "1").code == Exit.CONFIG
    office.salesforce.add_validation_rule("Opportunity", lambda _record, _before: True, "no more changes")
    office.hubspot.faults.add(
        faults.meanwhile(lambda: office.hubspot.update("contacts", ids["visitor"], {"ref_status": "lost"})),
        path="/contacts/batch/update",
    )
    printed("sync-overwriting", "sync")
    office.salesforce.update("Lead", ids["lead"], {"Ref_Status__c": "won", "Ref_Why__c": None})
    printed("plan-conflict-to-come", "plan")
    printed("sync-conflicting", "sync")
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-of-somebody-else")
    printed("sync-locked-out", "sync")
    office.monkeypatch.setenv("OFFICE_HS", "pat-na1-office")
    ledger = open_ledger(Path("refloop.db"))
    start_run(ledger, "sync", __version__, NOON)  # and was killed
    lost = FieldSpec("ref_why", "Why", FieldType.TEXT, (Kind.CONTACT,))
    with ledger.writing():
        intend(ledger, 1, [FieldChange(Ref("hs", Kind.CONTACT, ids["partner"]), lost, None, "x", "because")])
    ledger.close()

    for words in (("status",), ("runs",), ("review",), ("referrals", "list"), ("ledger", "verify")):
        printed("-".join(words), *words)
    printed("referrals-of-anna", "referrals", "list", "--referrer", "anna", "--status", "won")
    printed("plan-conflicting", "plan", "--no-pull")
    for name, ref in (
        ("deal", f"sf:deal:{ids['deal']}"),
        ("visitor", f"hs:contact:{ids['visitor']}"),
        ("lead", ids["lead"]),
        ("typo", f"sf:lead:{ids['typo']}"),
    ):
        printed(f"explain-{name}", "explain", ref)
    answer = office.run("explain", ids["lead"])
    (referral,) = set(re.findall(r"referral (rf_\w+)", answer.out))
    printed("explain-referral", "explain", referral)
    for name in ("deal", "visitor", "lead"):
        same(f"explain-{name}-late", plain(office.run("explain", ids[name]).out))
    same("status-late", steady(office.run("status").out, office))
    same("runs", steady(office.run("runs").out, office))
    office.run("status", "--prometheus", "refloop.prom")
    same("metrics", steady(Path("refloop.prom").read_text(encoding="utf-8"), office))
