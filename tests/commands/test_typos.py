"""What is mistyped, is not there or is not meant is harmless, clear, and ends with the right code: every command."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from refloop.errors import Exit
from refloop.ledger import open_ledger
from refloop.nearest import keystrokes, nearest, nearest_address
from tests.cli.conftest import Office, fill
from tests.cli.reference import commands

DAYS = ("--from", "2026-01-01", "--to", "2026-01-31")
YES = "--yes"

TYPOS: tuple[tuple[tuple[str, ...], Exit, str], ...] = (
    (("snyc",), Exit.USAGE, "Did you mean 'sync'"),
    (("codes", "lst"), Exit.USAGE, "Did you mean 'list'"),
    (("sync", "--dryrun"), Exit.USAGE, "--dry-run"),
    (("--config", "none.yaml", "sync"), Exit.CONFIG, "there is no configuration at"),
    (("--config", "folder", "sync"), Exit.CONFIG, "not a regular file"),
    (("--config", "text.txt", "status"), Exit.CONFIG, "text.txt:1"),
    (("--log", "folder", "status"), Exit.DISK, "cannot write the log folder"),
    (("init", "config.yaml"), Exit.CONFIG, "there already"),
    (("init", "none/config.yaml"), Exit.DISK, "cannot write none/config.yaml"),
    (("check", "--only", "ssf"), Exit.CONFIG, "Use one of: sf, hs. Did you mean sf?"),
    (("provision", "--only", "ssf"), Exit.CONFIG, "Did you mean sf?"),
    (("provision", "--remove"), Exit.DECLINED, "nothing was changed"),
    (("provision", "--dry-run"), Exit.USAGE, "--remove"),
    (("sync", "--only", "hss"), Exit.CONFIG, "Did you mean hs?"),
    (("sync", "--max-changes", "0"), Exit.USAGE, "--max-changes"),
    (("sync", "--quiet", "--verbose"), Exit.USAGE, "does not go with --quiet"),
    (("backfill", *DAYS, "--only", "hss"), Exit.CONFIG, "Did you mean hs?"),
    (("backfill", "--from", "2026-03-02", "--to", "2026-02-01"), Exit.USAGE, "is before --from"),
    (("backfill", "--from", "2999-01-01", "--to", "2999-02-01"), Exit.USAGE, "is in the future"),
    (("backfill", "--from", "2026-13-01", "--to", "2026-02-01"), Exit.USAGE, "2026-13-01"),
    (("plan", "--only", "hss"), Exit.CONFIG, "Did you mean hs?"),
    (("plan", "-o", "folder"), Exit.DISK, "not a regular file"),
    (("plan", "-o", "none/plan"), Exit.DISK, "cannot write the plan"),
    (("apply", "none"), Exit.DATA, "cannot read the plan none"),
    (("apply", "folder"), Exit.DATA, "cannot read the plan folder"),
    (("apply", "text.txt"), Exit.DATA, "not a plan"),
    (("apply", "empty"), Exit.DATA, "not a plan"),
    (("undo", "999", YES), Exit.DATA, "there is no run 999; nothing was changed"),
    (("undo", "0", YES), Exit.USAGE, "run"),
    (("undo", "two", YES), Exit.USAGE, "run"),
    (("undo", "1"), Exit.DECLINED, "nothing was changed"),
    (("status", "--max-age", "0"), Exit.USAGE, "--max-age"),
    (("status", "--prometheus", "folder"), Exit.DISK, "cannot write the metrics"),
    (("runs", "--limit", "0"), Exit.USAGE, "--limit"),
    (("explain", "nobody"), Exit.DATA, "nobody"),
    (("review", "--jsn"), Exit.USAGE, "--json"),
    (("unlock", "--force"), Exit.OK, "nobody works on the ledger"),
    (("forget", "bo@acme.oi", YES), Exit.DATA, "the nearest address is bo@acme.io"),
    (("forget", "ob@acme.io", YES), Exit.DATA, "the nearest address is bo@acme.io"),
    (("forget", "quite@other.example", YES), Exit.DATA, "nobody with this address; nothing was changed"),
    (("forget", "o@acme.io", YES), Exit.DATA, "nothing was changed"),
    (("forget", "hs:contact:9", YES), Exit.DATA, "knows no record"),
    (("forget", "bo", YES), Exit.DATA, "neither an e-mail address nor a record"),
    (("forget", "bo@acme.io"), Exit.DECLINED, "nothing was changed"),
    (("demo", "--data", "none"), Exit.DATA, "none is not a folder"),
    (("sandbox", "--data", "none"), Exit.DATA, "none is not a folder"),
    (("sandbox", "--hubspot-port", "99999"), Exit.USAGE, "--hubspot-port"),
    (("codes", "import", "none.csv"), Exit.DATA, "cannot read none.csv"),
    (("codes", "import", "folder"), Exit.DATA, "cannot read folder"),
    (("codes", "import", "empty"), Exit.OK, "codes: none"),
    (("codes", "import", "text.txt"), Exit.DATA, "the column 'code' is missing"),
    (("codes", "add", "N", "--referrer", "n"), Exit.DATA, "fewer than two letters"),
    (("codes", "add", "NEW-1", "--referrer", "n", "--valid-from", "2026-05-01", "--valid-to", "2026-01-01"),
     Exit.DATA, "is before valid_from"),
    (("codes", "list", "extra"), Exit.USAGE, "extra"),
    (("codes", "export", "config.yaml"), Exit.DATA, "there already"),
    (("codes", "export", "none/codes.csv"), Exit.DISK, "cannot write none/codes.csv"),
    (("referrals", "import", "none.csv"), Exit.DATA, "cannot read none.csv"),
    (("referrals", "add", "NONE-1", "bo@x.io"), Exit.DATA, "is unknown"),
    (("referrals", "add", "ANNA-7K2Q", "bo"), Exit.DATA, "not an e-mail address"),
    (("referrals", "add", "ANNA-7K2Q", "bo@x.io", "--date", "2999-01-01"), Exit.DATA, "in the future"),
    (("referrals", "list", "--status", "wonn"), Exit.USAGE, "won"),
    (("ledger", "verify", "extra"), Exit.USAGE, "extra"),
    (("ledger", "backup", "extra"), Exit.USAGE, "extra"),
    (("ledger", "restore", "none.db", YES), Exit.DATA, "there is no backup none.db; nothing was changed"),
    (("ledger", "restore", "folder", YES), Exit.DATA, "folder is no file; nothing was changed"),
    (("ledger", "restore", "empty", YES), Exit.DATA, "empty is not a ledger; nothing was changed"),
    (("ledger", "restore", "text.txt", YES), Exit.DATA, "text.txt is not a ledger; nothing was changed"),
    (("ledger", "restore", "refloop.db", YES), Exit.DATA, "is the ledger itself; nothing was changed"),
    (("ledger", "restore", "cut.db", YES), Exit.DATA, "nothing was changed"),
    (("ledger", "restore"), Exit.DECLINED, "nothing was changed"),
    (("ledger", "rebuild"), Exit.DECLINED, "nothing was changed"),
)  # fmt: skip


def state() -> dict[str, object]:
    """What must not be lost: the decisions and records of the ledger, and the files beside it."""
    ledger = open_ledger(Path("refloop.db"))
    names = ("codes", "referrals", "records", "receipts", "members", "statuses", "credits", "forgotten")
    held: dict[str, object] = {
        name: [tuple(row) for row in ledger.rows(f"SELECT * FROM {name}")]  # noqa: S608 - the names are those above
        for name in names
    }
    ledger.close()
    own = re.compile(r"refloop\.db(\..+)?")
    files = [path for path in Path().rglob("*") if path.is_file() and not own.fullmatch(path.name)]
    return {**held, "files": {str(path): path.read_bytes() for path in files}}


@pytest.fixture
def desk(office: Office) -> Office:
    office.ready()
    fill(office.salesforce, office.hubspot)
    assert office.run("sync").code == Exit.OK
    Path("folder").mkdir()
    Path("empty").touch()
    Path("text.txt").write_text("hello\n", encoding="utf-8")
    Path("cut.db").write_bytes(Path("refloop.db").read_bytes()[:20_000])
    return office


def test_every_typo_is_harmless_clear_and_has_its_code(desk: Office) -> None:
    before = state()
    wrong = []
    for words, code, said in TYPOS:
        desk.monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        answer = desk.run(*words)
        if answer.code != code or said not in answer.out + answer.err or "a bug" in answer.err:
            wrong.append((words, answer))
        if state() != before:
            wrong.append((words, answer))
            before = state()
    assert wrong == []


def test_every_command_is_in_the_table() -> None:
    paths = {path for path in commands() if path and path not in {("codes",), ("referrals",), ("ledger",)}}
    named = {words[: 2 if words[:2] in paths else 1] for words, _, _ in TYPOS}
    assert paths - named == {("referrals", "export")} & paths


def test_undo_names_the_runs_that_wrote(desk: Office) -> None:
    assert "The last ones that wrote: 1 (sync, 20" in desk.run("undo", "3000").err


def test_a_submission_that_waits_can_be_forgotten(desk: Office) -> None:
    assert desk.run("referrals", "add", "ANNA-7K2Q", "zoe@new.example").code == Exit.OK
    done = desk.run("forget", "zoe@new.example", "--yes")
    assert done.code == Exit.OK
    assert "referrals: 1 erased" in done.out
    assert b"zoe@new.example" not in Path("refloop.db").read_bytes()
    assert desk.run("forget", "zoe@new.example", "--yes").code == Exit.OK, "it may have been cut short"


def test_the_nearest_address_stays_out_of_the_log(desk: Office) -> None:
    assert desk.run("--log", "it.log", "forget", "bo@acme.oi", "--yes").code == Exit.DATA
    assert "acme" not in Path("it.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("hss", ["sf", "hs"], "hs"),
        ("salesfroce", ["salesforce", "hubspot"], "salesforce"),
        ("pipedrive", ["salesforce", "hubspot"], None),
        ("x", ["y"], None),
        ("SF1", ["sf"], "sf"),
    ],
)
def test_what_was_probably_meant(word: str, known: list[str], meant: str | None) -> None:
    assert nearest(word, known) == meant


def test_an_address_is_near_when_one_side_is_the_same() -> None:
    known = ["anna@partners.io", "bo@acme.io", "annabel@partners.io"]
    assert nearest_address("ana@partners.io", known) == "anna@partners.io"
    assert nearest_address("bo@amce.io", known) == "bo@acme.io"
    assert nearest_address("zo@nowhere.example", known) is None
    assert [keystrokes("ab", "ba", 1), keystrokes("abcdef", "abdxef", 2), keystrokes("abc", "xyz", 2)] == [1, 2, None]
