"""`refloop init`: what it writes is what was chosen, and works."""

from __future__ import annotations

import itertools
import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from refloop.config import TEMPLATE, Config, load_config
from refloop.config.chosen import Chosen, chosen_config, methods, to_fill_in
from refloop.config.document import read_document
from refloop.config.template import SCHEMA_NAME
from refloop.connectors.base import connector_class
from refloop.errors import Exit
from tests.cli.conftest import Office

URL = "https://acme.my.salesforce.com"


def load(path: Path) -> Config:
    return load_config(path, lambda name: connector_class(name).settings)


# -- what is cut out of the template


WAYS = [
    *((Chosen("salesforce", method, {"url": URL}),) for method in methods("salesforce")),
    *((Chosen("hubspot", method),) for method in methods("hubspot")),
    *(
        (Chosen("salesforce", one, {"url": URL}), Chosen("hubspot", other, {"mirror_of": "salesforce"}))
        for one, other in itertools.product(methods("salesforce"), methods("hubspot"))
    ),
]


def test_the_template_has_all_ways_to_sign_in() -> None:
    assert methods("salesforce") == ("client_credentials", "jwt", "access_token")
    assert methods("hubspot") == ("service_key", "oauth")


@pytest.mark.parametrize("ways", WAYS, ids=str)
def test_what_is_cut_out_loads_and_holds_nothing_else(ways: tuple[Chosen, ...], tmp_path: Path) -> None:
    text = chosen_config(ways)
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    loaded = load(path)
    assert list(loaded.connections) == [one.connection for one in ways]
    for one in ways:
        settings = loaded.connections[one.connection].model_dump()
        assert settings["auth"]["method"] == one.method
        assert settings["currency"] is None
        assert all(settings[key] == value for key, value in one.values.items())
    assert len(re.findall(r"method: ", text)) == len(ways)
    assert len(re.findall(r"^[ #]*auth:", text, re.MULTILINE)) == len(ways)
    assert "# Or " not in text
    comments = {line for line in text.splitlines() if line.lstrip().startswith("#")}
    assert len(comments) > 30
    assert ("mirror_of" in text) == (len(ways) == 2)
    if len(ways) == 1:
        other = {"salesforce": "hubspot", "hubspot": "salesforce"}[ways[0].connection]
        assert f"  {other}:" not in text
        assert "as above" not in text


def test_what_has_to_be_filled_in_is_told_by_its_line() -> None:
    text = chosen_config([Chosen("salesforce", "jwt"), Chosen("hubspot", "oauth")])
    told = list(to_fill_in(text))
    assert [key for _, key in told] == ["url", "client_id", "username", "client_id"]
    assert all(f"{key}: " in text.splitlines()[number - 1] for number, key in told)
    assert list(to_fill_in(chosen_config([Chosen("hubspot")]))) == []


# -- by flags


def test_flags_write_what_they_say(office: Office) -> None:
    answer = office.run(
        "init", "new.yaml", "--salesforce", URL, "--client-id", "3MVG9.key_1", "--hubspot", "--mirrored",
        "--time-zone", "Europe/Berlin", "--currency", "EUR",
    )  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    path = Path("new.yaml")
    assert path.stat().st_mode & 0o777 == 0o600
    salesforce, hubspot = (settings.model_dump(mode="json") for settings in load(path).connections.values())
    assert salesforce["url"] == URL
    assert salesforce["auth"]["client_id"] == "3MVG9.key_1"
    assert (salesforce["currency"], salesforce["time_zone"]) == ("EUR", "Europe/Berlin")
    assert (hubspot["currency"], hubspot["time_zone"]) == ("EUR", "Europe/Berlin")
    assert hubspot["mirror_of"] == "salesforce"
    assert answer.out == (
        "wrote new.yaml\n"
        "Set the environment variables: SALESFORCE_CLIENT_SECRET, HUBSPOT_TOKEN\n"
        "Next: `refloop --config new.yaml check` says what is missing.\n"
    )


def test_what_is_still_an_example_is_told(office: Office) -> None:
    answer = office.run("init", "new.yaml", "--salesforce", "acme.my.salesforce.com", "--salesforce-auth", "jwt")
    assert answer.code == 0
    assert re.search(r"^Fill in: client_id \(line \d+\), username \(line \d+\)$", answer.out, re.MULTILINE)
    assert "Put the secret into ~/.config/refloop/salesforce.pem, owned by you, mode 0600\n" in answer.out
    assert f"    url: {URL}\n" in Path("new.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--salesforce", "https://login.salesforce.com"), "--salesforce: must be your org's My Domain address"),
        (("--salesforce", URL, "--currency", "euro"), "--currency: must be an ISO 4217 code"),
        (("--hubspot", "--time-zone", "Berlin"), "--time-zone: is not the name of a time zone"),
        (("--salesforce", URL, "--client-id", ""), "--client-id: "),
        (("--salesforce", 'https://x"y'), "--salesforce: "),
        (("--client-id", "x"), "only with --salesforce"),
        (("--hubspot", "--salesforce-auth", "jwt"), "only with --salesforce"),
        (("--salesforce", URL, "--hubspot-auth", "oauth"), "only with --hubspot"),
        (("--hubspot", "--mirrored"), "only with --salesforce and --hubspot"),
        (("--time-zone", "Europe/Berlin"), "only with --salesforce or --hubspot"),
        (("--salesforce", URL, "--salesforce-auth", "access_token", "--client-id", "x"), "needs none"),
        (("--sandbox", "--hubspot"), "--sandbox goes with none"),
        (("--schema", "--sandbox"), "goes with none"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_is_written(office: Office, words: tuple[str, ...], told: str) -> None:
    answer = office.run("init", "new.yaml", *words)
    assert answer.code == Exit.USAGE
    assert told in " ".join(answer.err.replace("│", " ").split())
    assert not Path("new.yaml").exists()
    assert not Path(SCHEMA_NAME).exists()


# -- without a terminal, and on one


def test_without_flags_and_without_a_terminal_it_is_all_there_is(office: Office) -> None:
    answer = office.run("init", "new.yaml")
    assert answer.code == 0
    assert Path("new.yaml").read_text(encoding="utf-8") == TEMPLATE
    assert "Fill in: url (line " in answer.out


@pytest.mark.parametrize("words", [(), ("--hubspot",), ("--sandbox",)])
def test_nothing_is_overwritten(office: Office, words: tuple[str, ...]) -> None:
    before = Path("config.yaml").read_bytes()
    answer = office.run("init", *words)
    assert (answer.code, answer.out) == (Exit.CONFIG, "")
    assert "config.yaml is there already" in answer.err
    assert Path("config.yaml").read_bytes() == before


def asked(refloop: list[str], answers: str) -> tuple[int, str]:
    """Runs `init new.yaml` on a terminal on which somebody types."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = subprocess.Popen(
        [*refloop, "init", "new.yaml"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    os.write(ours, answers.encode())
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # Linux's word for the end of a terminal
        pass
    os.close(ours)
    return process.wait(), seen.decode().replace("\r\n", "\n")


@pytest.mark.usefixtures("office")
def test_on_a_terminal_it_asks_until_the_answer_is_one(refloop: list[str]) -> None:
    answers = f"https://login.salesforce.com\n{URL}\n3MVG9\ny\ny\nMars\nEurope/Berlin\n"
    code, seen = asked(refloop, answers)
    assert code == 0, seen
    assert "must be your org's My Domain address" in seen
    assert "is not the name of a time zone" in seen
    loaded = load(Path("new.yaml"))
    assert list(loaded.connections) == ["salesforce", "hubspot"]
    assert {settings.time_zone for settings in loaded.connections.values()} == {"Europe/Berlin"}
    assert loaded.connections["hubspot"].other_connections() == {"mirror_of": "salesforce"}


@pytest.mark.usefixtures("office")
def test_one_crm_is_enough(refloop: list[str]) -> None:
    code, _ = asked(refloop, "\ny\n\n")
    assert (code, list(load(Path("new.yaml")).connections)) == (0, ["hubspot"])


@pytest.mark.usefixtures("office")
def test_who_wants_none_gets_all_to_cut_from(refloop: list[str]) -> None:
    code, seen = asked(refloop, "\nn\n")
    assert (code, Path("new.yaml").read_text(encoding="utf-8")) == (0, TEMPLATE)
    assert "None chosen" in seen


@pytest.mark.usefixtures("office")
def test_who_stops_gets_nothing(refloop: list[str]) -> None:
    code, seen = asked(refloop, f"{URL}\n\x04")  # Ctrl-D
    assert (code, "nothing was written" in seen) == (Exit.INTERRUPTED, True)
    assert not Path("new.yaml").exists()


# -- the schema beside it


def test_the_schema_that_editors_look_for_lies_beside_it(office: Office) -> None:
    folder = Path("conf")
    folder.mkdir()
    assert office.run("init", "conf/config.yaml", "--hubspot").code == 0
    text = (folder / "config.yaml").read_text(encoding="utf-8")
    (named,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
    schema = json.loads((folder / named).read_text(encoding="utf-8"))
    assert list(Draft7Validator(schema).iter_errors(read_document(text.encode()).data)) == []
    assert (folder / named).read_text(encoding="utf-8") == (Path(__file__).parents[2] / SCHEMA_NAME).read_text("utf-8")


def test_an_older_schema_is_renewed_and_another_file_is_not(office: Office) -> None:
    path = Path(SCHEMA_NAME)
    path.write_text('{"title": "refloop: config.yaml", "old": true}', encoding="utf-8")
    assert office.run("init", "--schema").out == f"wrote {SCHEMA_NAME}\n"
    assert '"old"' not in path.read_text(encoding="utf-8")
    path.write_text("mine", encoding="utf-8")
    answer = office.run("init", "--schema")
    assert (answer.code, path.read_text(encoding="utf-8")) == (Exit.CONFIG, "mine")
    answer = office.run("init", "new.yaml", "--hubspot")
    assert (answer.code, path.read_text(encoding="utf-8")) == (0, "mine")
    assert "your editor will not know the keys" in answer.err


# -- the sandbox


def test_a_sandbox_that_never_ran_is_told(office: Office) -> None:
    answer = office.run("init", "new.yaml", "--sandbox", "--sandbox-dir", "nowhere")
    assert answer.code == Exit.CONFIG
    assert "Run `refloop sandbox` in another terminal" in answer.err
    assert not Path("new.yaml").exists()
