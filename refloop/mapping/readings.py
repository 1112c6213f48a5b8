"""How the words of an account are read, as findings for a person. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby

from refloop.mapping.deals import DealWords, word_counts_as
from refloop.mapping.policy import Policy
from refloop.mapping.roles import side_of
from refloop.mapping.stages import label_of
from refloop.model import Counting, Finding, Level, Side, Word, WordKind

_COUNTINGS: Mapping[Counting, str] = {
    Counting.NEW: "new business",
    Counting.RENEWAL: "a renewal",
    Counting.IGNORE: "does not count",
}
_SIDES: Mapping[Side, str] = {
    Side.BUYER: "a buyer",
    Side.REFERRER: "the referrer",
    Side.NOBODY: "neither buyer nor referrer",
}

Meaning = Callable[[str], str | None]
"""What a word says by the rules, in words; None: nothing."""

_SILENT = "says nothing"
_REMEDIES: Mapping[WordKind, str] = {
    WordKind.STAGE: "Say what those words mean under `matching: statuses:`; or leave them, if they mean nothing here.",
}


def readings(connection: str, words: Iterable[Word], policy: Policy) -> Iterator[Finding]:
    """One finding a place: each of its words, with what it is read as; of a kind that no rule reads, words alone."""
    meanings = _meanings(connection, policy)
    for (place, kind), some in groupby(words, key=lambda word: (word.place, word.kind)):
        meaning = meanings.get(kind)
        told = [(_named(word), _read(word, meaning) if meaning else "") for word in some]
        listed = "; ".join(f"{name}: {read}" if read else name for name, read in told)
        is_open = any(read == _SILENT for _, read in told)
        yield Finding(Level.INFO, f"{connection}: {place}", listed, _REMEDIES.get(kind, "") if is_open else "")


def _meanings(connection: str, policy: Policy) -> Mapping[WordKind, Meaning]:
    """By what each kind of word is read."""
    own = policy.deals.words.get(connection, DealWords())
    roles = policy.deals.roles.get(connection, {})

    def stage(word: str) -> str | None:
        status = policy.status.words.get(word.casefold())
        return label_of(status) if status else None

    return {
        WordKind.STAGE: stage,
        WordKind.PIPELINE: lambda word: _COUNTINGS[word_counts_as(word, own.pipelines)],
        WordKind.DEAL_TYPE: lambda word: _COUNTINGS[word_counts_as(word, own.types)],
        WordKind.ROLE: lambda word: _SIDES[side_of(word, roles)],
    }


def _read(word: Word, meaning: Meaning) -> str:
    return meaning(word.word) or (meaning(word.also) if word.also else None) or _SILENT


def _named(word: Word) -> str:
    same = not word.also or word.also.casefold() == word.word.casefold()
    beside = [*([] if same else [word.also]), *([] if word.count is None else [f"on {word.count:,}"])]
    return f"`{word.word}` ({', '.join(beside)})" if beside else f"`{word.word}`"
