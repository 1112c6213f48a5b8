"""What an account says about itself, asked for at most once a pull, and only when a record needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.records import Stage, Stages
from refloop.errors import ConfigError
from refloop.model import Outcome

_CURRENCY = re.compile(r"[A-Z]{3}")


class OwnerNames:
    """The names of those who own records, asked for once a run: of the present users when the first one is needed,
    of removed ones when an id is not among those.

    Names are good to have and no more: without the scope crm.objects.owners.read there are none.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def name(self, owner: str) -> str:
        if owner in self._present:
            return self._present[owner]
        return self._removed.get(owner, "")

    @cached_property
    def _present(self) -> Mapping[str, str]:
        return self._names(archived=False)

    @cached_property
    def _removed(self) -> Mapping[str, str]:
        return self._names(archived=True)

    def _names(self, *, archived: bool) -> Mapping[str, str]:
        try:
            owners = self._client.owners(archived=archived)
        except (Forbidden, ConfigError):
            return {}
        return {str(owner.get("id")): _full_name(owner) for owner in owners}


def _full_name(owner: Mapping[str, Any]) -> str:
    return " ".join(str(part) for key in ("firstName", "lastName") if (part := owner.get(key)))


class Account:
    """Deal stages, currency and owners of one account. Raises what `Client` raises."""

    def __init__(self, client: Client, currency: str | None, owners: OwnerNames) -> None:
        self._client = client
        self._configured = currency
        self._owners = owners

    def owner_name(self, owner: str) -> str:
        """The name of the user who has that owner id; "" where it is not to be known."""
        return self._owners.name(owner)

    def stages(self) -> Stages:
        return self._stages

    def currency(self) -> str | None:
        """For amounts whose deal names none. None when the account has no currency of three letters."""
        return self._configured or self._company_currency

    @cached_property
    def _stages(self) -> Stages:
        return read_stages(self._client.pipelines())

    @cached_property
    def _company_currency(self) -> str | None:
        code = self._client.account().get("companyCurrency")
        return code if isinstance(code, str) and _CURRENCY.fullmatch(code) else None


def read_stages(pipelines: Iterable[Mapping[str, Any]]) -> Stages:
    """The stages of all deal pipelines. HubSpot docs, pipelines API: the values of `metadata` are texts."""
    stages: dict[tuple[str, str], Stage] = {}
    for pipeline in pipelines:
        for stage in pipeline.get("stages") or ():
            label = str(stage.get("label") or stage.get("id"))
            stages[str(pipeline.get("id")), str(stage.get("id"))] = Stage(label, _outcome(stage.get("metadata") or {}))
    return stages


def _outcome(metadata: Mapping[str, Any]) -> Outcome | None:
    closed = str(metadata.get("isClosed", "")).lower()
    if closed == "true":
        return Outcome.WON if _is_one(metadata.get("probability")) else Outcome.LOST
    return Outcome.OPEN if closed == "false" else None


def _is_one(probability: Any) -> bool:
    try:
        return Decimal(str(probability)) == 1
    except InvalidOperation:
        return False
