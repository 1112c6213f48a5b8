"""What an account says about itself, asked for at most once a pull, and only when a deal needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.records import Stage, Stages
from refloop.model import Outcome

_CURRENCY = re.compile(r"[A-Z]{3}")


class Account:
    """Deal stages and currency of one account. Raises what `Client` raises."""

    def __init__(self, client: Client, currency: str | None) -> None:
        self._client = client
        self._configured = currency

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
