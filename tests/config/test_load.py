"""config.yaml -> Config, or every fault at once."""

from __future__ import annotations

import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from refloop.config import Config, ConnectionSettings, SecretRef, Section, load_config
from refloop.errors import ConfigError, Exit
from refloop.model import Kind, Status
from tests.work import calls_of

CANARY = "pat-na1-5up3r-53cr3t"


class Password(Section):
    method: Literal["password"]
    user: str
    password: SecretRef


class Token(Section):
    method: Literal["token"]
    token: SecretRef


class Pipeline(Section):
    id: str
    won: tuple[str, ...] = ()


class Toy(ConnectionSettings):
    auth: Annotated[Password | Token, Field(discriminator="method")]
    api_version: str = "1.0"
    look_back: int = Field(default=15, ge=0)
    code_fields: Mapping[Kind, tuple[str, ...]] = Field(default_factory=dict)
    mirror_of: str | None = None
    pipelines: tuple[Pipeline, ...] = ()

    def other_connections(self) -> Mapping[str, str]:
        return {"mirror_of": self.mirror_of} if self.mirror_of else {}


def settings_for(name: str) -> type[ConnectionSettings]:
    if name != "toy":
        raise ConfigError(f"there is no connector {name!r}", remedy="Use one of: toy.")
    return Toy


def load(folder: Path, text: str) -> Config:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, settings_for)


def faults(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.faults


HEAD = "version: 1\n"
CRM = "connections: {crm: {connector: toy, auth: {method: token, token: env:TOKEN}}}\n"


def test_the_least_there_is(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + CRM)
    assert config.path == tmp_path / "config.yaml"
    assert config.ledger == tmp_path / "refloop.db"
    assert config.fields.prefix == "ref"
    assert config.matching.statuses == {}
    assert config.matching.url_parameters == ()
    assert config.attribution.model == "first"
    assert config.sync.max_changes is None
    crm = config.connections["crm"]
    assert isinstance(crm, Toy)
    assert isinstance(crm.auth, Token)
    assert crm.auth.token == SecretRef("env:TOKEN")


def test_all_there_is(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
version: 1
ledger: data/book.db
fields: {prefix: acme_ref}
matching:
  url_parameters: [partner, utm.ref]
  statuses: {NO: disqualified, Not now: on_hold}
attribution: {model: position}
sync: {max_changes: 500}
connections:
  crm: {connector: toy, auth: {method: password, user: me, password: "file:/run/p"}, code_fields: {lead: [A]}}
  crm-2: {connector: toy, auth: {method: token, token: env:T}, mirror_of: crm, look_back: 0, api_version: "67.0"}
""",
    )
    assert config.ledger == tmp_path / "data/book.db"
    assert config.matching.statuses == {"NO": Status.DISQUALIFIED, "Not now": Status.ON_HOLD}
    assert config.matching.url_parameters == ("partner", "utm.ref")
    assert config.sync.max_changes == 500
    assert list(config.connections) == ["crm", "crm-2"]


def test_sections_whose_keys_are_all_commented_out(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + "ledger:\nfields:\n  # prefix: ref\nmatching:\nsync:\n" + CRM)
    assert config.ledger == tmp_path / "refloop.db"
    assert config.fields.prefix == "ref"


def test_a_ledger_at_home_or_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(tmp_path, f"{HEAD}ledger: ~/a.db\n{CRM}").ledger == tmp_path / "home/a.db"
    assert load(tmp_path, f"{HEAD}ledger: /var/a.db\n{CRM}").ledger == Path("/var/a.db")


def test_metrics_lie_beside_the_configuration_or_elsewhere(tmp_path: Path) -> None:
    assert load(tmp_path, HEAD + CRM).sync.prometheus is None
    assert load(tmp_path, f"{HEAD}sync: {{prometheus: a.prom}}\n{CRM}").sync.prometheus == tmp_path / "a.prom"
    assert load(tmp_path, f"{HEAD}sync: {{prometheus: /var/a.prom}}\n{CRM}").sync.prometheus == Path("/var/a.prom")
    with pytest.raises(ConfigError, match=r"sync\.prometheus: is not the path of a file"):
        load(tmp_path, f"{HEAD}sync: {{prometheus: ..}}\n{CRM}")


def test_the_config_of_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(tmp_path, HEAD + CRM)
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("config.yaml"), settings_for)
    assert (config.path, config.ledger) == (tmp_path / "config.yaml", tmp_path / "refloop.db")


def test_a_config_is_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, HEAD + CRM)
    with pytest.raises(ValidationError, match="frozen"):
        config.version = 1  # type: ignore[misc]  # what mypy refuses must also fail


def test_five_mistakes_are_all_named(tmp_path: Path) -> None:
    assert faults(
        tmp_path,
        """version: 2
ledgr: x.db
attribution:
  model: fist
connections:
  crm:
    connector: toy
    auth:
      method: token
      tokn: env:T
    look_back: soon
""",
    ) == (
        "config.yaml:1: version: is not known; use 1",
        "config.yaml:2: ledgr: is not a key here; did you mean `ledger`?",
        "config.yaml:4: attribution.model: is not known; use 'first', 'last', 'linear' or 'position'",
        "config.yaml:10: connections.crm.auth.tokn: is not a key here; did you mean `token`?",
        "config.yaml:11: connections.crm.look_back: must be a whole number; write it without quotes or a point",
    )


def test_the_message_has_all_of_it_and_says_how_to_exit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "version: 1\n")
    assert caught.value.exit == Exit.CONFIG
    assert str(caught.value) == (
        f"the configuration {tmp_path}/config.yaml has a mistake:\n  config.yaml:1: connections: is missing; add it"
    )


TOY = "connector: toy, auth: {method: token, token: env:T}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("versoin: 1\n" + CRM, ["1: versoin: is not a key here; did you mean `version`?"]),
        (CRM, ["1: version: is missing; add it"]),
        (HEAD + "connections: {}", ["2: connections: is empty; add at least 1"]),
        (HEAD + "connections: 5", ["2: connections: must be a section; write its keys below it, indented"]),
        (HEAD + "connections:", ["2: connections: is missing; add it"]),
        (HEAD + "connections: {a: }", ["2: connections.a: must be a section; write its keys below it, indented"]),
        (HEAD + "connections: {a: {}}", ["2: connections.a.connector: is missing; add it"]),
        (HEAD + "connections: {a: {connector: 5}}", ["2: connections.a.connector: must be text; put it in quotes"]),
        (
            HEAD + "connections: {a: {connector: toi}, b: {connector: 1.5}}",
            [
                "2: connections.a.connector: there is no connector 'toi'; Use one of: toy.",
                "2: connections.b.connector: must be text; put it in quotes",
            ],
        ),
        (
            HEAD + f"connections: {{Crm: {{{TOY}}}}}",
            ["2: connections.Crm: is no name for a connection; use up to 31 of a-z, 0-9, `_` and `-`, a letter first"],
        ),
        (
            HEAD + f"connections: {{a: {{{TOY}, mirror_of: b}}}}",
            ["2: connections.a.mirror_of: names no connection of this file; name another one of `connections`"],
        ),
        (
            HEAD + f"connections: {{a: {{{TOY}, mirror_of: a}}}}",
            ["2: connections.a.mirror_of: names its own connection; name another one of `connections`"],
        ),
        (
            HEAD + f"connections: {{a: {{{TOY}, api_version: 67.0}}}}",
            ["2: connections.a.api_version: must be text; put it in quotes"],
        ),
        (
            HEAD + f"connections: {{a: {{{TOY}, code_fields: {{leads: [A], deal: [1], contact: A}}}}}}",
            [
                "2: connections.a.code_fields.leads: is not a key here; did you mean `lead`?",
                "2: connections.a.code_fields.deal[0]: must be text; put it in quotes",
                "2: connections.a.code_fields.contact: must be a list; write `[a, b]`",
            ],
        ),
        (
            HEAD + "connections: {a: {connector: toy}}",
            ["2: connections.a.auth: is missing; add it"],
        ),
        (
            HEAD + "connections: {a: {connector: toy, auth: {user: me}}}",
            ["2: connections.a.auth.method: is missing; use one of: password, token"],
        ),
        (
            HEAD + "connections: {a: {connector: toy, auth: {method: tokn}}}",
            ["2: connections.a.auth.method: is not known; use one of: password, token"],
        ),
        (
            HEAD + "connections: {a: {connector: toy, auth: {method: password, usr: me, zzzz: 1}}}",
            [
                "2: connections.a.auth.usr: is not a key here; did you mean `user`?",
                "2: connections.a.auth.zzzz: is not a key here; use one of: method, password, user",
                "2: connections.a.auth.password: is missing; add it",
            ],
        ),
        (
            HEAD + "connections: {a: {connector: toy, auth: {method: token, token: 5, user: me}}}",
            [
                "2: connections.a.auth.user: is not a key here; use one of: method, token",
                "2: connections.a.auth.token: must say where the secret is, not what it is; "
                "write `env:NAME`, `file:/path/to/file` or `keyring:service/user`",
            ],
        ),
        (
            HEAD + f"connections: {{a: {{{TOY}, pipelines: [{{id: a}}, {{id: b, wan: []}}]}}}}",
            ["2: connections.a.pipelines[1].wan: is not a key here; did you mean `won`?"],
        ),
        (
            HEAD + CRM + "path: x\n",
            [
                "3: path: is not a key here; "
                "use one of: attribution, connections, fields, ledger, matching, money, sync, version"
            ],
        ),
        (HEAD + CRM + "ledger: ''\n", ["3: ledger: is not the path of a file; write for example `refloop.db`"]),
        (HEAD + CRM + "ledger: ..\n", ["3: ledger: is not the path of a file; write for example `refloop.db`"]),
        (HEAD + CRM + 'ledger: "a\\0b"\n', ["3: ledger: is not the path of a file; write for example `refloop.db`"]),
        (HEAD + CRM + "ledger: ~me/x\n", ["3: ledger: begins with another user's home; write the whole path"]),
        (
            HEAD + CRM + "sync: {max_changes: 0}\n",
            ["3: sync.max_changes: must be greater than or equal to 1; correct it"],
        ),
        (
            HEAD + CRM + "matching: {statuses: {a: won, A : lost}}\n",
            ["3: matching.statuses: has an empty word, or the same word twice in other spelling; keep one of each"],
        ),
        (HEAD + CRM + "version: 1\n", ["3: version: is there twice (first in line 1); keep one"]),
        (HEAD + CRM + "ledger: *x\n", ["3: ledger: uses an alias (`*`); write the value out, or quote it"]),
        ("", ["1: the file is empty; start from what `refloop init` writes"]),
        ("- a\n", ["1: the file is not a list of keys with values; start from what `refloop init` writes"]),
        ("a: [\n", ["2: the file is not YAML (did not find expected node content); correct it, or quote the value"]),
    ],
)
def test_each_mistake_has_its_line_key_and_remedy(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert [fault.removeprefix("config.yaml:") for fault in faults(tmp_path, text)] == expected


@pytest.mark.parametrize("prefix", ["", "Ref", "ref_", "1ref", "ref-x", "r__x", "réf", "a" * 21, '"ref\\n"', "5"])
def test_prefixes_that_no_crm_takes(tmp_path: Path, prefix: str) -> None:
    text = f"{HEAD}{CRM}fields: {{prefix: {prefix or repr('')}}}\n"
    if prefix == '"ref\\n"':  # blanks around a value are no part of it
        assert load(tmp_path, text).fields.prefix == "ref"
    else:
        (fault,) = faults(tmp_path, text)
        assert fault.startswith("config.yaml:3: fields.prefix: ")


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}connections: {{a: {{connector: toy, auth: {{method: token, token: {CANARY}}}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, auth: {{method: token, token: [{CANARY}]}}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, auth: {CANARY}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, auth: {{method: {CANARY}}}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, auth: {{method: token, token: env:T, tokn: {CANARY}}}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, look_back: {CANARY}}}}}",
        f"{HEAD}connections: {{a: {{connector: toy, code_fields: {CANARY}}}}}",
        f"{HEAD}connections: {CANARY}",
        f"{HEAD}connections: {{a: {{connector: toy, auth: {{method: token, token: '{CANARY}",
        f"version: {CANARY}\n{CRM}",
        f"{HEAD}{CRM}ledger: [{CANARY}]",
        CANARY,
    ],
)
def test_a_literal_secret_is_never_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__)
    assert CANARY not in shown
    assert caught.value.__context__ is None  # pydantic's error would carry the input


def test_odd_keys_do_not_reach_the_terminal(tmp_path: Path) -> None:
    shown = "".join(faults(tmp_path, HEAD + CRM + '"\\e[31m": 1\n"a\\nb": 1\n"": 2\n' + "k" * 500 + ": 1\n"))
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "k" * 61 not in shown


def test_a_flood_of_mistakes_is_cut(tmp_path: Path) -> None:
    found = faults(tmp_path, HEAD + CRM + "".join(f"zz{number}: 1\n" for number in range(4000)))
    assert len(found) == 101
    assert found[-1] == "config.yaml: and 3900 more"


def test_mistakes_by_the_thousand_take_work_in_proportion(tmp_path: Path) -> None:
    def work(count: int) -> int:
        wrong = [f"  c{number}: {{connector: toy, auth: {{method: token, tokn: 1}}}}\n" for number in range(count)]
        text = HEAD + "connections:\n" + "".join(wrong)
        found: list[str] = []
        calls = calls_of(lambda: found.extend(faults(tmp_path, text)))
        assert len(found) == 101
        return calls

    few, many = work(110), work(800)
    assert many <= 8 * few


def test_files_that_are_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, words in (
        (tmp_path / "config.yaml", "no configuration at"),
        (tmp_path, "not a regular file"),
        (pipe, "not a regular file"),
        (Path("a\0b"), "not a path"),
        (Path("/dev/null"), "not a regular file"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            load_config(path, settings_for)
        assert caught.value.remedy


def test_a_config_behind_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    load(tmp_path / "real", HEAD + CRM)
    link = tmp_path / "config.yaml"
    link.symlink_to(tmp_path / "real/config.yaml")
    assert load_config(link, settings_for).ledger == tmp_path / "refloop.db"


def test_a_home_that_nobody_knows() -> None:
    with pytest.raises(ConfigError, match="cannot tell which folder ~nobody-at-all is"):
        load_config(Path("~nobody-at-all/config.yaml"), settings_for)
