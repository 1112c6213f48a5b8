"""What refloop raises, named by what the caller should do.

    RefloopError                       exit
    |-- ConfigError                     78   correct the configuration, or the CRM's schema
    |-- AuthError                       77   renew the credentials, or grant the permission
    |-- TryLater                        75   run again later: out of quota, told to wait
    |   `-- AnotherAtWork               75   another run works on the ledger: run again later
    |-- TimeIsUp                        75   run again: this run took as long as it may
    |-- LedgerBusy                      75   another program writes to the ledger for long: run again
    |-- LeaseLost                       75   another run took over: leave
    |-- DiskError                       74   free or repair the disk
    |-- CrmUnavailable                  69   the CRM is down or answers nonsense: run again, then look
    |   `-- FateUnknown                 69   a write was sent and not answered: run again, it reads back
    |-- ConnectorFault                   1   report it: a connector stumbled, over an answer or over itself
    |-- DataError                       65   correct the input file
    |   |-- LedgerError                 65   restore the ledger
    |   |-- OtherAccount                65   correct the connection's key or url
    |   `-- SourceShrunk                65   look whether refloop may still see all records
    |-- StalePlan                        5   plan again
    `-- Declined                         6   nothing: a question was not answered with yes

An exception means that the call as a whole failed. A bad row, a refused change or a record
that matched nothing is a value (see `refloop.model`), never an exception.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """The exit codes of the command line. The table in docs/cli.md is generated from this."""

    OK = 0
    BUG = 1
    USAGE = 2
    ATTENTION = 3
    CHANGES = 4
    STALE = 5
    DECLINED = 6
    DATA = 65
    UNAVAILABLE = 69
    DISK = 74
    LATER = 75
    AUTH = 77
    CONFIG = 78
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS: dict[int, str] = {
    0: "done",
    1: "a bug in refloop: please report it",
    2: "wrong use of the command line",
    3: "done, but conflicts, overwritten values, refused changes or failed checks need a person",
    4: "`plan --detailed-exitcode`: there are changes to apply",
    5: "the saved plan is stale: the ledger or a record moved since; plan again",
    6: "asked, and not answered with yes (`--yes` answers in a script): nothing was done",
    65: "bad input data, a damaged ledger, or a CRM that shows far fewer records than before",
    69: "a CRM could not be reached or gave an answer that makes no sense",
    74: "the disk is full or broken",
    75: "try again later: another run is working, or the CRM's quota is used up",
    77: "a CRM refused the credentials or a permission is missing",
    78: "the configuration is wrong, the CRM's schema does not fit it, or another ledger writes to the account",
    130: "stopped by Ctrl-C",
    143: "stopped by SIGTERM",
}


class RefloopError(Exception):
    """Base of all expected failures.

    `message` says what happened and to what; `remedy` what to do next. Neither may hold a secret
    or a person's data. `said`: whoever runs the command was told already, or is not to be told again.
    """

    exit: ClassVar[Exit] = Exit.BUG
    said = False

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class ConfigError(RefloopError):
    """The configuration, or the CRM's schema, does not allow the work. `faults` holds one line each."""

    exit = Exit.CONFIG

    def __init__(self, message: str, *, remedy: str = "", faults: tuple[str, ...] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.faults = faults

    def __str__(self) -> str:
        remedy = (self.remedy,) if self.remedy else ()
        return "\n  ".join([self.message, *self.faults, *remedy])


class AuthError(RefloopError):
    """The CRM refused who we are or what we may do."""

    exit = Exit.AUTH


class TryLater(RefloopError):  # noqa: N818 - it is not an error, and the name says what to do
    """Nothing is wrong, but not now. `seconds` is how long to wait, where that is known."""

    exit = Exit.LATER

    def __init__(self, message: str, *, remedy: str = "", seconds: float | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.seconds = seconds


class AnotherAtWork(TryLater):
    """Another run works on the ledger. One that cron starts beside it has nothing to say."""


class TimeIsUp(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """The run took as long as it may, and stopped at a good moment."""

    exit = Exit.LATER


class LedgerBusy(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """Another program keeps the ledger locked."""

    exit = Exit.LATER


class LeaseLost(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """Another process took over the ledger while this one stood still: it may write no more, to nothing."""

    exit = Exit.LATER


class DiskError(RefloopError):
    """Reading or writing the disk failed."""

    exit = Exit.DISK


class CrmUnavailable(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """The CRM did not answer, or answered something that cannot be an answer."""

    exit = Exit.UNAVAILABLE


class FateUnknown(CrmUnavailable):
    """A write was sent and no answer came that says what became of it: settle by reading back."""


class ConnectorFault(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """A connector raised what it never should. It is a bug, and that connection's alone: the others go on."""


class DataError(RefloopError):
    """An input file cannot be used."""

    exit = Exit.DATA


class LedgerError(DataError):
    """The ledger is damaged, foreign, or made by a newer refloop."""


class SourceShrunk(DataError):  # noqa: N818 - named by the situation, as its siblings
    """A CRM shows far fewer records than before: more likely a permission was lost than that they are gone."""


class OtherAccount(DataError):  # noqa: N818 - named by the situation, as its siblings
    """A connection leads to another account of the CRM than the one whose records the ledger holds."""


class StalePlan(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """The plan was made from another state than today's."""

    exit = Exit.STALE


class Declined(RefloopError):  # noqa: N818 - named by the situation, as its siblings
    """A question was answered with no, or by nobody. What was asked about was not done."""

    exit = Exit.DECLINED
