"""The connector protocol: what a third CRM has to bring. One file, one entry-point line.

    [project.entry-points."refloop.connectors"]
    mycrm = "my_package:MyCrm"

`refloop.testing` holds the contract kit that every connector must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

from refloop import log
from refloop.config import ConnectionSettings
from refloop.errors import AuthError, ConfigError, ConnectorFault, CrmUnavailable, RefloopError, TryLater
from refloop.mapping.meant import RecordName
from refloop.model import (
    Account,
    Change,
    FieldChange,
    FieldHistory,
    FieldSpec,
    Finding,
    LinkChange,
    Page,
    Receipt,
    Ref,
    Span,
    Usage,
    Verdict,
    Word,
)

Clock = Callable[[], datetime]
"""Gives the present as an aware UTC time. Only for deadlines and logs: a watermark is the server's clock."""


class Connector(Protocol):
    """One configured CRM account.

    All methods raise `AuthError`, `ConfigError`, `CrmUnavailable` or `TryLater` when the call as a whole
    failed; what concerns one record is a value. Iterators do their work as they are read. A cursor that is not
    this connector's, or lies in the CRM's future, raises `LedgerError`: it came out of the ledger.
    """

    settings: ClassVar[type[ConnectionSettings]]

    def __init__(self, connection: str, settings: Any, *, clock: Clock) -> None: ...

    def check(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """Says what would keep pull or push from working. Writes nothing."""
        ...

    def provision(self, fields: Sequence[FieldSpec]) -> Iterator[Finding]:
        """Creates those of our fields that are missing. Safe to repeat."""
        ...

    def unprovision(self, fields: Sequence[FieldSpec], *, preview: bool = False) -> Iterator[Finding]:
        """Removes exactly what `provision` made, with the values in it; says so, one finding a thing.

        With `preview` it removes nothing, and says of each thing what would be lost with it.
        A field of the same name that `provision` did not make is left alone, and said. Safe to repeat.
        """
        ...

    def pull(self, fields: Sequence[FieldSpec], span: Span) -> Iterator[Page]:
        """Brings all kinds together, in pages. May bring a record twice; never misses one.

        The cursor of a page stands for that page and all before it, so that a pull that stops after any page
        goes on from there. A page is yielded only when it is whole: a cut or foreign answer raises.

        `Named` records come once each, those of a kind in the order of the refs, with the links that leave them. One
        that was deleted comes as a deleted record where the CRM still shows it; else its name is in `Page.gone`, as is
        a name that the CRM cannot have given; the record that it was merged into may come along. Names of other
        connections are left out.
        """
        ...

    def push(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        """Looks before writing, then writes in batches. One receipt a change, in the order of `changes`.

        A change whose field holds neither `before` nor `after` is MOVED and not sent. All changes of one
        record are sent together. At most a few thousand changes a call. What a person writes between the look and
        the write is MOVED too; where the CRM cannot help it, WRITTEN and `overwrote`; neither only
        of records that it counts as unconditional (see `Conditional`), where the account is set up so.

        What it raises says of the changes without a receipt that they did not arrive: none was sent, or the CRM
        refused the call. A change that was sent without an answer has its receipt before, UNKNOWN; where not even
        that can be said, `FateUnknown` is raised.
        """
        ...

    def read(self, refs: Sequence[Ref], fields: Sequence[FieldSpec]) -> Mapping[Ref, Mapping[str, str]]:
        """What our fields hold right now (canonical, empty ones left out), strongly consistent.

        A record that is gone is missing from the answer. Used to settle unknown fates.
        """
        ...

    def calls(self) -> Mapping[str, int]:
        """How many calls were made so far, by endpoint."""
        ...

    def usage(self) -> Usage | None:
        """How much of the account's daily quota is used, by everybody, as the CRM said in its latest answers.

        None when it has not said.
        """
        ...

    def close(self) -> None:
        """Lets go of sockets."""
        ...


@runtime_checkable
class Foresees(Protocol):
    """A connector that can tell before anything is written down as sent that fields of ours cannot be written."""

    def foresee(self, changes: Sequence[FieldChange]) -> None:
        """Raises ConfigError or AuthError, naming each place and the remedy, where a field that `changes` are to be
        written to is missing, of another kind, or closed to the user. Writes nothing."""
        ...


@runtime_checkable
class Recalls(Protocol):
    """A connector to a CRM without conditional writes, which tells afterwards what a write overwrote."""

    def recall(self, changes: Sequence[FieldChange]) -> Iterator[Receipt]:
        """What became of changes that were sent, nobody heard how they ended, and `read` then showed to be there.

        One receipt a change, in their order: WRITTEN, and whether it overwrote what somebody wrote.
        """
        ...


@runtime_checkable
class Conditional(Protocol):
    """What a connector has besides where it can write on the condition that nobody wrote since the look."""

    def unconditional(self) -> int:
        """How many records it wrote so far without that condition: an edit in that moment is lost."""
        ...


@runtime_checkable
class Metadata(Protocol):
    """A connector whose CRM has administrators that rather deploy our fields themselves."""

    def metadata(self, fields: Sequence[FieldSpec]) -> str:
        """What `provision` would make, in the CRM's own form, to be looked at and deployed: the same text for the same
        fields. Asks the CRM nothing."""
        ...


@runtime_checkable
class Currency(Protocol):
    """Settings of a connection that say in which currency its amounts are whose deal names none."""

    @property
    def currency(self) -> str | None: ...


@runtime_checkable
class Addresses(Protocol):
    """Settings of a connection to a CRM whose records people know by their address in the browser."""

    def named(self, text: str, /) -> RecordName | None:
        """What an address or an id of this CRM names; None for a text that is neither. Raises ValueError, which says
        what is wrong, for an id that was cut or mistyped, and for an address that leads to no record that is read."""
        ...

    def address_of(self, ref: Ref, account: str | None) -> str | None:
        """Where people see a record in their browser; None where nobody does. `account`: the account's own id, as it
        said last."""
        ...


@runtime_checkable
class Accounts(Protocol):
    """A connector that can say which account it leads to."""

    def account(self, known: Account | None) -> Account:
        """Asked when a run begins: at most one call. `known` is what it said within the last day, and need only be
        confirmed. What the user may not see is None."""
        ...


@runtime_checkable
class Words(Protocol):
    """A connector that can list its account's own words."""

    def words(self) -> Iterator[Word]:
        """The pipelines, types of deals and roles of people on deals that the account has, and those of its words for
        where a person stands that its CRM does not ship with. What the user may not see is left out."""
        ...


@runtime_checkable
class Histories(Protocol):
    """A connector to a CRM that keeps what fields held before."""

    def histories(self, refs: Sequence[Ref]) -> Iterator[FieldHistory]:
        """What is kept of the past of the fields that may carry a code (`Record.texts`), and of our own code field, of
        each of the records, in any order.

        A field of which nothing is kept is left out, and so is a record that is gone or of another connection.
        """
        ...


@runtime_checkable
class Erases(Protocol):
    """A connector to a CRM that shows its user every person, the deleted ones too: of whom it shows nothing any more
    was erased there. Not one whose permissions hide records without a word."""

    gone_is_erased: ClassVar[bool]


@runtime_checkable
class WritesLinks(Protocol):
    """A connector that writes links between records, not only our fields in them."""

    def push_links(self, changes: Sequence[LinkChange]) -> Iterator[Receipt]:
        """Looks before writing, as `push` does: what is neither `before` nor `after` is MOVED and not sent. One receipt
        a change, in the order of `changes`."""
        ...


T = TypeVar("T")


def answers_of(connection: str, asked: Callable[[], Iterator[T]]) -> Iterator[T]:
    """What a connector answers, one by one. What it raises against its promise becomes a ConnectorFault, which names
    the connection and the kind of error alone (its words may quote a record); the log has the place.

    What the caller raises while it works on an answer is not touched, nor is what concerns the machine (OSError,
    MemoryError).
    """
    try:
        found = asked()
    except _STUMBLES as error:
        raise _fault(connection, error) from None
    while True:
        try:
            one = next(found)
        except StopIteration:
            return
        except _STUMBLES as error:
            raise _fault(connection, error) from None
        yield one


def answer_of(connection: str, asked: Callable[[], T]) -> T:
    """`answers_of`, for a single answer."""
    (one,) = answers_of(connection, lambda: iter((asked(),)))
    return one


_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)


def _fault(connection: str, error: Exception) -> ConnectorFault:
    log.error("bug", connection=connection, frames=log.frames_of(error))
    return ConnectorFault(
        f"a bug in the connector of {connection} ({type(error).__name__}): nothing more was done with it",
        remedy="Please report it with the lines that `--log FILE` keeps of it; they hold no data of yours.",
    )


def push_changes(connector: Connector, changes: Sequence[Change]) -> Iterator[Receipt]:
    """Pushes changes of all kinds, each by what writes it in the connector. One receipt a change, in their order.

    A link is REFUSED where the connector declares nothing that writes it.
    """
    for is_link, some in groupby(changes, lambda change: isinstance(change, LinkChange)):
        if not is_link:
            yield from connector.push([change for change in some if isinstance(change, FieldChange)])
            continue
        links = [change for change in some if isinstance(change, LinkChange)]
        if isinstance(connector, WritesLinks):
            yield from connector.push_links(links)
        else:
            yield from (Receipt(link, Verdict.REFUSED, reason=NO_LINKS) for link in links)


def in_order(changes: Sequence[FieldChange], steps: Iterator[Mapping[int, Receipt]]) -> Iterator[Receipt]:
    """One receipt a change, in their order, out of `steps`: receipts by place that become known in any order.

    What `steps` raises is raised after all that is known was told; a change before one of those, whose turn did not
    come, is DEFERRED.
    """
    known: dict[int, Receipt] = {}
    place = 0
    failure: RefloopError
    try:
        for step in steps:
            known.update(step)
            while place in known:
                yield known.pop(place)
                place += 1
    except (AuthError, ConfigError, CrmUnavailable, TryLater) as error:
        failure = error
    else:
        return
    for left in range(place, max(known, default=-1) + 1):
        yield known.get(left) or Receipt(changes[left], Verdict.DEFERRED, reason=failure.message)
    raise failure


NO_LINKS = "this connector does not write links between records"


_CONNECTORS, _SETTINGS = "refloop.connectors", "refloop.settings"
"""Groups of entry points."""


def connector_class(name: str) -> type[Connector]:
    """The class that an installed package registered under `name`.

    Only installed entry points count, never a path. Raises ConfigError when there is none.
    """
    loaded: type[Connector] = _registered(name).load()
    return loaded


def settings_class(name: str) -> type[ConnectionSettings]:
    """The `settings` of that connector. Raises ConfigError when there is no such connector.

    Where its package registers them by themselves, under `refloop.settings`, the connector is not loaded: a command
    that only reads the configuration does not wait for what speaks to the CRM.
    """
    connector, alone = _registered(name), _installed(_SETTINGS).get(name)
    if alone is None or alone.dist is None or connector.dist is None or alone.dist.name != connector.dist.name:
        return connector_class(name).settings
    loaded: type[ConnectionSettings] = alone.load()
    return loaded


def _registered(name: str) -> EntryPoint:
    found = _installed(_CONNECTORS)
    if name not in found:
        raise ConfigError(
            f"there is no connector {name!r}",
            remedy=f"Use one of: {', '.join(connector_names())}; or install the package that brings it.",
        )
    return found[name]


def connector_names() -> list[str]:
    """The names of all connectors that are installed."""
    return sorted(_installed(_CONNECTORS))


@cache
def _installed(group: str) -> Mapping[str, EntryPoint]:
    """What all installed packages registered in a group, by name: to find it is to read every package's metadata."""
    return {point.name: point for point in entry_points(group=group)}
