"""What somebody means who names a thing on the command line: of which connection its address is, and what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from refloop.connectors.base import Addresses
from refloop.ledger.accounts import account_of
from refloop.ledger.reads.find import Hits, find, nearest
from refloop.ledger.store import Ledger
from refloop.mapping.meant import Meant, Reader, RecordName, meant_by
from refloop.model import Ref
from refloop.sync.session import Session


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of a text; `remarks`: what is to be said beside it. Where nothing was: why an address or id in it
    is none (`faults`), and what is like it (`near`)."""

    hits: Hits
    remarks: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    near: tuple[str, ...] = ()


def look_up(work: Session, text: str) -> Looked:
    """All that there is of what a text may mean: see docs/explain.md. Looks into the ledger alone."""
    readers = _readers(work)
    faults: dict[str, None] = {}
    tried: list[Meant] = []
    for meant in meant_by(text, readers, work.policy.match.url_parameters):
        kept, remarks, wrong = _of_our_accounts(work.ledger, meant)
        faults.update(dict.fromkeys((*meant.faults, *wrong)))
        hits = find(work.ledger, kept, list(readers))
        if hits:
            return Looked(hits, remarks)
        tried.append(kept)
    near = dict.fromkeys(name for meant in tried for name in nearest(work.ledger, meant))
    return Looked(Hits(), (), tuple(faults), tuple(near))


def address_of(work: Session, ref: Ref) -> str | None:
    """Where people see a record in their browser; None where nobody does."""
    settings = work.config.connections.get(ref.connection)
    if not isinstance(settings, Addresses):
        return None
    account = account_of(work.ledger, ref.connection)
    return settings.address_of(ref, account.id if account else None)


class _NoAddresses:
    """Of a connector that reads none."""

    def named(self, text: str, /) -> RecordName | None:  # noqa: ARG002 - as the protocol has it
        return None


def _readers(work: Session) -> Mapping[str, Reader]:
    return {
        name: settings if isinstance(settings, Addresses) else _NoAddresses()
        for name, settings in work.config.connections.items()
    }


def _of_our_accounts(ledger: Ledger, meant: Meant) -> tuple[Meant, tuple[str, ...], tuple[str, ...]]:
    """Without the records of accounts that no connection leads to; what is to be remarked of those left, and what is
    wrong with the others."""
    wrong: dict[str, None] = {}
    left: list[RecordName] = []
    for name in meant.records:
        account = account_of(ledger, name.connection) if name.connection and name.account else None
        if account and account.id and account.id != name.account:
            wrong[
                f"the address leads to account {name.account}; the connection {name.connection} leads to {account.id}"
            ] = None
        else:
            left.append(name)
    if any(not name.elsewhere for name in left if name.connection):
        left = [name for name in left if not name.elsewhere]
    remarks = dict.fromkeys(_remarks(left))
    return replace(meant, records=tuple(left)), tuple(remarks), tuple(wrong) if not left else ()


def _remarks(names: list[RecordName]) -> Iterator[str]:
    for name in names:
        if name.elsewhere:
            yield f"the address is of {name.elsewhere}, another org than that of {name.connection}: a copy may differ"
