"""What config.yaml may say: frozen models, one a section."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny, StringConstraints, field_validator

from refloop.model import ByAccount, Counting, Side, Status

CONNECTION_NAME = r"[a-z][a-z0-9_-]{0,30}"

AttributionModel = Literal["first", "last", "linear", "position"]
UrlParameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.\[\]-]{1,64}\z")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(_[a-z0-9]+)*\z", max_length=20)]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # ValueError: no name at all; OSError: a folder of names
        raise ValueError(
            "is not the name of a time zone; write one as in America/Los_Angeles or Europe/Berlin"
        ) from None
    return name


ZoneName = Annotated[str, AfterValidator(_zone)]


class Section(BaseModel):
    """A part of config.yaml: unknown keys are refused, values are frozen, errors never repeat a value.

    Connectors use it for the parts of their settings (`auth`, ...).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)


def in_editors(form: re.Pattern[str]) -> Any:
    """The form of a text for the JSON schema, where a validator with words of its own refuses what has another."""
    return Field(json_schema_extra={"pattern": f"^({form.pattern})$"})


def _words_differ(words: Mapping[str, object]) -> Mapping[str, object]:
    """Refuses the same word twice in other spelling: which of them counts?"""
    seen: dict[str, str] = {}
    for word in words:
        other = seen.setdefault(word.strip().casefold(), word)
        if not word.strip() or other != word:
            raise ValueError("has an empty word, or the same word twice in other spelling; keep one of each")
    return words


Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Deals(Section):
    """Which deals count: what pipelines (in Salesforce record types) and types of deals are, by the words that people
    see; `"*"` is every other. `renewals`: whether those get credit, apart from what was won."""

    pipelines: Mapping[Word, Counting] = Field(default_factory=dict)
    types: Mapping[Word, Counting] = Field(default_factory=dict)
    renewals: Literal["apart", "never"] = "never"

    _they_differ = field_validator("pipelines", "types")(_words_differ)


class ConnectionSettings(Section):
    """What each connection in config.yaml may say, whatever its CRM. Connectors subclass it. `time_zone` is the zone in
    which its people read days, where it is not the one that the account itself names. `roles` says what the words for
    people on a deal mean, `deals` which deals count, `deals_by_account` what becomes of a deal without a buyer."""

    connector: str
    time_zone: ZoneName | None = None
    roles: Mapping[Word, Side] = Field(default_factory=dict)
    deals: Deals = Field(default_factory=Deals)
    deals_by_account: ByAccount = ByAccount.ASK

    _roles_differ = field_validator("roles")(_words_differ)

    def other_connections(self) -> Mapping[str, str]:
        """The connections that this one names, by key (`{"mirror_of": "crm"}`); each has to exist."""
        return {}

    def reading(self) -> Mapping[str, object]:
        """The settings that decide what a record is read as: when one changes, everything is pulled anew. By default
        all but `auth` and what is a rule: that reaches what was read already."""
        return self.model_dump(mode="json", exclude={"auth", "time_zone", "roles", "deals", "deals_by_account"})


class Fields(Section):
    """How our fields are named in the CRM."""

    prefix: Prefix = "ref"


class Matching(Section):
    """What this company's records look like, beyond what refloop knows by itself."""

    url_parameters: tuple[UrlParameter, ...] = ()
    statuses: Mapping[str, Status] = Field(default_factory=dict)

    _statuses_differ = field_validator("statuses")(_words_differ)


class Attribution(Section):
    """Who gets which share of a deal."""

    model: AttributionModel = "first"


class Money(Section):
    """In which amounts a referrer is told what was won."""

    converted: bool = False


_A_YEAR = 365 * 24 * 60  # minutes


class Sync(Section):
    """Limits of one run, and where it leaves its metrics."""

    max_changes: int | None = Field(default=None, ge=1)
    max_runtime: int | None = Field(default=None, ge=1, le=_A_YEAR)
    prometheus: Path | None = None

    @field_validator("prometheus")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        return None if path is None else _file(path, "refloop.prom")


def _file(path: Path, example: str) -> Path:
    text = str(path)
    if not path.name or path.name in ("~", "..") or not text.isprintable():
        raise ValueError(f"is not the path of a file; write for example `{example}`")
    if text.startswith("~") and not text.startswith("~/"):
        raise ValueError("begins with another user's home; write the whole path")
    return path


class ConfigFile(Section):
    """config.yaml as it is written."""

    version: Literal[1]
    ledger: Path = Path("refloop.db")
    fields: Fields = Field(default_factory=Fields)
    matching: Matching = Field(default_factory=Matching)
    attribution: Attribution = Field(default_factory=Attribution)
    money: Money = Field(default_factory=Money)
    sync: Sync = Field(default_factory=Sync)
    connections: Mapping[str, SerializeAsAny[ConnectionSettings]] = Field(min_length=1)

    @field_validator("ledger")
    @classmethod
    def _is_a_file(cls, ledger: Path) -> Path:
        return _file(ledger, "refloop.db")


class Config(ConfigFile):
    """A checked config.yaml. `path` is the file; `ledger` and `sync.prometheus` are absolute."""

    path: Path
