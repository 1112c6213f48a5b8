"""Writes links between deals and contacts: look, write, and a receipt for each, whatever the CRM calls them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from refloop.model import LINKED, Kind, LinkChange, Receipt, Ref, Relation, Verdict

NOT_OURS = "only links of a deal with a contact are written"
NO_LABEL = "links are written without a label"
NO_RECORD = "there can be no record of this name"


class Pair(NamedTuple):
    """The ids of a deal and of a contact."""

    deal: str
    contact: str


Fates = Mapping[Pair, tuple[Verdict, str]]
"""What became of pairs that were sent: the verdict, and the CRM's own words."""


class LinkStore(Protocol):
    """The links of deals with contacts in one account. Raises as a connector's `push` does."""

    most: int
    """How many pairs one call takes."""

    def usable(self, ref: Ref) -> str | None:
        """The id of a record as the CRM takes it; None where `ref` cannot name a record of this account."""
        ...

    def linked(self, pairs: Sequence[Pair]) -> Set[Pair]:
        """Those of the pairs that are linked now, strongly consistent."""
        ...

    def write(self, pairs: Sequence[Pair], *, linked: bool) -> Fates:
        """Links pairs that are not, or takes the links of those away that are. Says of each what became of it."""
        ...


def link_receipts(store: LinkStore, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
    """One receipt a change, in their order. What was written is told before the next call."""
    for some in _runs(store, changes):
        yield from _settled(store, some)


def _runs(store: LinkStore, changes: Sequence[LinkChange]) -> Iterator[Sequence[LinkChange]]:
    """Changes that one call may write: of one direction, and of each link one."""
    run: list[LinkChange] = []
    for change in changes:
        is_there = (change.ref, change.target) in {(one.ref, one.target) for one in run}
        if run and (is_there or run[0].after != change.after or len(run) == store.most):
            yield run
            run = []
        run.append(change)
    if run:
        yield run


def _settled(store: LinkStore, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
    pairs = {change: pair for change in changes if (pair := _pair(store, change))}
    now = store.linked(list(pairs.values())) if pairs else set()
    receipts = {change: _by_look(change, pairs.get(change), now) for change in changes}
    sending = [pairs[change] for change, receipt in receipts.items() if receipt is None]
    fates = store.write(sending, linked=changes[0].after is not None) if sending else {}
    for change, receipt in receipts.items():
        if receipt is None:
            verdict, reason = fates[pairs[change]]
            receipt = Receipt(change, verdict, reason=reason)
        yield receipt


def _pair(store: LinkStore, change: LinkChange) -> Pair | None:
    """The ids that a change is about; None where it is no change that can be written."""
    if _unwritable(change):
        return None
    deal, contact = store.usable(change.ref), store.usable(change.target)
    return Pair(deal, contact) if deal and contact else None


def _unwritable(change: LinkChange) -> str:
    """What keeps a change from being written, whatever the CRM holds; "" when nothing does."""
    if (change.relation, change.ref.kind, change.target.kind) != (Relation.ASSOCIATED_WITH, Kind.DEAL, Kind.CONTACT):
        return NOT_OURS
    return "" if {change.before, change.after} <= {LINKED, None} else NO_LABEL


def _by_look(change: LinkChange, pair: Pair | None, linked: Set[Pair]) -> Receipt | None:
    """The receipt of a change that need not, or must not, be sent; None when it is to be sent."""
    if pair is None:
        return Receipt(change, Verdict.REFUSED, reason=_unwritable(change) or NO_RECORD)
    found = LINKED if pair in linked else None
    if found == change.after:
        return Receipt(change, Verdict.PRESENT, found=found)
    return None if found == change.before else Receipt(change, Verdict.MOVED, found=found)
