"""The rules a company set, as one value that the stages are handed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from refloop.config import Config
from refloop.mapping.attribution import Model
from refloop.mapping.codes import DEFAULT_URL_PARAMETERS
from refloop.mapping.fields import Names, field_specs
from refloop.mapping.stages import status_words
from refloop.model import FieldSpec, Status, Wants


@dataclass(frozen=True)
class Policy:
    """How codes are read, who gets credit, what our fields are called. `currencies` by connection, where set."""

    names: Names
    fields: tuple[FieldSpec, ...]
    model: Model
    words: Mapping[str, Status]
    url_parameters: Collection[str] = DEFAULT_URL_PARAMETERS
    currencies: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def wants(self) -> Wants:
        return Wants(self.fields)

    def spec(self, name: str) -> FieldSpec:
        """The field of that name. Raises KeyError for a name that is not ours."""
        return next(spec for spec in self.fields if spec.name == name)


def policy_of(config: Config) -> Policy:
    """The policy that a configuration sets."""
    return Policy(
        names=Names(config.fields.prefix),
        fields=field_specs(config.fields.prefix),
        model=Model(config.attribution.model),
        words=status_words(config.matching.statuses),
        url_parameters=frozenset({*DEFAULT_URL_PARAMETERS, *config.matching.url_parameters}),
        currencies={name: getattr(settings, "currency", None) for name, settings in config.connections.items()},
    )


Progress = Callable[[str, str, int], None]
"""Called with a stage, what it works on, and how many more it has done."""


def silent(stage: str, about: str, done: int) -> None:
    """Progress that nobody watches."""
