"""What an account says about itself, asked for at most once a pull, and only when a record needs it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from refloop import model
from refloop.connectors.hubspot.client import Client
from refloop.connectors.hubspot.errors import Forbidden
from refloop.connectors.hubspot.fields import Schema
from refloop.connectors.hubspot.layout import Layout, Stage, Stages, layout_of
from refloop.connectors.hubspot.settings import HubSpotSettings
from refloop.errors import ConfigError
from refloop.model import Kind, Outcome

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


class Details:
    """Which account this is, in which zone its people read days, and its currency: `portalId`, `timeZone` and
    `companyCurrency` (HubSpot docs, account information API). Raises what `Client` raises."""

    def __init__(self, client: Client, settings: HubSpotSettings) -> None:
        self._client = client
        self._settings = settings
        self._said: model.Account | None = None

    def asked(self) -> model.Account:
        """What it says now; one call. What it does not say, or the token may not see, is None; `time_zone` of the
        connection stands above the account's own."""
        try:
            answer = self._client.account()
        except (Forbidden, ConfigError):
            answer = {}
        portal, zone, currency = (answer.get(key) for key in ("portalId", "timeZone", "companyCurrency"))
        self._said = model.Account(
            id=str(portal) if type(portal) in (int, str) and portal else None,
            zone=self._settings.time_zone or (zone if isinstance(zone, str) and zone else None),
            currency=currency if isinstance(currency, str) and _CURRENCY.fullmatch(currency) else None,
        )
        return self._said

    @property
    def currency(self) -> str | None:
        """The account's own, as it said last; asked for where it was never asked."""
        return (self._said or self.asked()).currency


@dataclass(slots=True)
class Standing:
    """What an account says that holds for a whole run. `layout` is None until somebody needed it."""

    owners: OwnerNames
    details: Details
    schema: Schema
    layout: Layout | None = None

    def forget(self) -> None:
        """Its properties are asked for again where they are needed."""
        self.schema.forget()
        self.layout = None


class Account:
    """Deal stages, currency, owners and words of one account, for one pull. Raises what `Client` raises."""

    def __init__(self, client: Client, settings: HubSpotSettings, standing: Standing) -> None:
        self._client = client
        self._settings = settings
        self._standing = standing
        self._labels: dict[tuple[Kind, str], Mapping[str, str]] = {}

    def owner_name(self, owner: str) -> str:
        """The name of the user who has that owner id; "" where it is not to be known."""
        return self._standing.owners.name(owner)

    def stages(self) -> Stages:
        return self._stages

    def currency(self) -> str | None:
        """For amounts whose deal names none. None when the account has no currency of three letters."""
        return self._settings.currency or self.home_currency()

    def home_currency(self) -> str | None:
        """The account's own, in which it gives `amount_in_home_currency`."""
        return self._standing.details.currency

    def label(self, kind: Kind, name: str, value: str) -> str | None:
        """What people read where a property holds a value; None where it has no such option."""
        if (kind, name) not in self._labels:
            there = self._standing.schema.properties(kind).get(name)
            self._labels[kind, name] = there.labels if there else {}
        return self._labels[kind, name].get(value)

    def has_labels(self) -> bool:
        """Whether a contact of a deal may have labels; so too where the account does not say."""
        try:
            return bool(self._client.labels())
        except (Forbidden, ConfigError):
            return True

    def layout(self) -> Layout:
        if self._standing.layout is None:
            properties, code_fields = self._standing.schema.properties, self._settings.code_fields
            self._standing.layout = layout_of(properties, self.stages(), code_fields)
        return self._standing.layout

    def assume(self, layout: Layout | None) -> None:
        """Takes over what an earlier pull found, so that it need not be asked for; None: it is asked for anew."""
        if layout is None:
            self._standing.forget()
        self._standing.layout = layout

    @cached_property
    def _stages(self) -> Stages:
        return read_stages(self._client.pipelines())


def read_stages(pipelines: Iterable[Mapping[str, Any]]) -> Stages:
    """The stages of all deal pipelines. HubSpot docs, pipelines API: the values of `metadata` are texts."""
    stages: dict[tuple[str, str], Stage] = {}
    for pipeline in pipelines:
        through = str(pipeline.get("label") or pipeline.get("id"))
        for stage in pipeline.get("stages") or ():
            label = str(stage.get("label") or stage.get("id"))
            outcome = _outcome(stage.get("metadata") or {})
            stages[str(pipeline.get("id")), str(stage.get("id"))] = Stage(label, outcome, through)
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
