"""The rules that a configuration sets."""

from __future__ import annotations

import json

from refloop.config import Config
from refloop.connectors.base import Currency
from refloop.mapping.attribution import Model
from refloop.mapping.codes import DEFAULT_URL_PARAMETERS
from refloop.mapping.policy import CreditRules, MatchRules, PlanRules, Policy, PullRules, StatusRules
from refloop.mapping.stages import status_words


def policy_of(config: Config) -> Policy:
    """The policy that a configuration sets."""
    connections = config.connections
    zones = {name: settings.time_zone for name, settings in connections.items() if settings.time_zone}
    return Policy(
        match=MatchRules(frozenset({*DEFAULT_URL_PARAMETERS, *config.matching.url_parameters}), zones),
        credit=CreditRules(Model(config.attribution.model), zones),
        status=StatusRules(status_words(config.matching.statuses)),
        plan=PlanRules(
            prefix=config.fields.prefix,
            currencies={
                name: settings.currency if isinstance(settings, Currency) else None
                for name, settings in connections.items()
            },
            converted=config.money.converted,
        ),
        pull=PullRules(
            {name: json.dumps(settings.reading(), sort_keys=True) for name, settings in connections.items()}
        ),
    )
