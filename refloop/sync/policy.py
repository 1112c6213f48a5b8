"""The rules that a configuration sets."""

from __future__ import annotations

import json

from refloop.config import Config
from refloop.connectors.base import Currency
from refloop.mapping.attribution import Model
from refloop.mapping.codes import DEFAULT_URL_PARAMETERS
from refloop.mapping.deals import DealWords
from refloop.mapping.policy import CreditRules, DealRules, MatchRules, PlanRules, Policy, PullRules, StatusRules
from refloop.mapping.roles import by_key
from refloop.mapping.stages import status_words
from refloop.model import ByAccount


def policy_of(config: Config) -> Policy:
    """The policy that a configuration sets."""
    connections = config.connections
    zones = {name: settings.time_zone for name, settings in connections.items() if settings.time_zone}
    return Policy(
        match=MatchRules(frozenset({*DEFAULT_URL_PARAMETERS, *config.matching.url_parameters}), zones),
        deals=_deal_rules(config),
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


def _deal_rules(config: Config) -> DealRules:
    """What the connections say of their deals; one that says nothing is left out."""
    connections = config.connections
    words = {
        name: DealWords(
            by_key(settings.deals.pipelines),
            by_key(settings.deals.types),
            renewals_credited=settings.deals.renewals == "apart",
        )
        for name, settings in connections.items()
    }
    return DealRules(
        roles={name: by_key(settings.roles) for name, settings in connections.items() if settings.roles},
        words={name: said for name, said in words.items() if said != DealWords()},
        by_account={
            name: settings.deals_by_account
            for name, settings in connections.items()
            if settings.deals_by_account is not ByAccount.ASK
        },
    )
