"""Judgements as a table that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.truth.judge import Judgement, contradictions
from tests.truth.truth import Proof

_PARTS = ("right", "wrong", "asked", "missed", "gone", "false")


def lines(judged: Sequence[Judgement], examples: int = 3) -> Iterator[str]:
    """The shares of each pace, the kinds that caused what is not right, and where paces contradict each other.

    `needless` counts deals left for review without need, `told` the referrers whose own contact says the truth.
    """
    yield f"{'syncs':>6}" + "".join(f"{part:>10}" for part in _PARTS) + f"{'needless':>10}{'told':>10}"
    for one in judged:
        yield (
            f"{one.pace:>6}"
            + "".join(f"{one.share(part):>10.1%}" for part in _PARTS)
            + f"{one.needless.total():>10}{_told(one):>10}"
        )
    most = judged[0]
    owed = [verdict for verdict in most.verdicts.values() if verdict.owed]
    shown = sum(verdict.owed for verdict in owed if verdict.deal.proof is not Proof.ASKED)
    known = shown / most.total("owed")
    yield f"{len(most.verdicts)} deals, {len(owed)} of them owed; {known:.1%} can be known by who looks often"
    for one in judged:
        for part in ("wrong", "false", "missed", "unsure"):
            yield from _causes(one, part, examples)
    asked = ", ".join(f"{kind} {count}" for kind, count in most.needless.most_common())
    yield f"{most.pace} syncs, left for review without need: {asked or 'nothing'}"
    for other in judged[1:]:
        yield from _against(most, other, examples)


def _told(judged: Judgement) -> str:
    return f"{judged.told_right} of {len(judged.told)}"


def _causes(judged: Judgement, part: str, examples: int) -> Iterator[str]:
    for kind, worth, deals, of in judged.causes(part):
        share = worth / judged.total("owed")
        yield f"{judged.pace} syncs, {part}: {kind} {share:.2%}, {deals} of {of} deals"
        found = [one for one in judged.verdicts.values() if one.case.kind == kind and getattr(one, part) > 0]
        for one in found[:examples]:
            credited = ", ".join(f"{name} {share}" for name, share in one.credited.items()) or "nobody"
            items = ", ".join(sorted(one.items)) or "nothing asked"
            refs, owed = " = ".join(one.deal.refs), one.deal.owed or "nobody"
            yield f"    {refs}: owed to {owed}, credited to {credited}; {items}"


def _against(often: Judgement, seldom: Judgement, examples: int) -> Iterator[str]:
    found = list(contradictions(often, seldom))
    kinds = sorted({one.often.case.kind for one in found})
    yield f"{often.pace} and {seldom.pace} syncs contradict each other on {len(found)} deals"
    for kind in kinds:
        group = [one for one in found if one.often.case.kind == kind]
        yield f"    {kind}: {len(group)}"
        for one in group[:examples]:
            yield f"        {one.key}: {dict(one.often.credited)} and {dict(one.seldom.credited)}"
