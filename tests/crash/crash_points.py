"""Commands that die at every point, and what must hold after they were run again."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from refloop.model import Ref
from tests.crash.bench import KILLED, MEANWHILE, WRITE, Bench, End

Words = tuple[str, ...]
Choice = Callable[[int, str], bool]
Typed = frozenset[tuple[Ref, str]]
"""Fields into which people typed: we wrote each of them once, or not at all when they came first."""

FINE = (0, 3)
"""Done; or done, and a person's value stands where we want another."""


@dataclass(frozen=True)
class Scenario:
    """A command, what people do after it (or after it was killed), and how it is made good: by these commands, or,
    where one of them is refused because the plan is stale, by those."""

    prepare: Callable[[Bench], None]
    command: Words
    people: Callable[[Bench], Typed]
    again: tuple[Words, ...]
    stale: tuple[Words, ...] = ()


@dataclass
class Tally:
    """How many points a command has, and how often it died there, once and twice in a row."""

    points: int = 0
    kills: int = 0
    pairs: int = 0

    def __str__(self) -> str:
        return f"{self.points} points, {self.kills} died at, {self.pairs} pairs"


@dataclass(frozen=True)
class Outcome:
    """Where a history ended, and how often each field was written on the way."""

    end: End
    writes: Counter[tuple[Ref, str]]


class CrashPoints:
    """One scenario on a bench, lived undisturbed once, and then with crashes.

    A command that died before it kept anything is as one that was not run before people came: who first looks after
    that knows less well when a code came. So a history may also end as one without the command does: `not_run`.
    """

    def __init__(self, bench: Bench, scenario: Scenario, sabotage: str = "") -> None:
        self.bench = bench
        self.scenario = scenario
        self.sabotage = sabotage
        self.tally = Tally()
        self.typed: Typed = frozenset()
        scenario.prepare(bench)
        self.start = bench.state()
        bench.put_back(self.start)  # as before each death: a file that was put back is looked through when it is opened
        self.points = bench.done(*scenario.command, sabotage=sabotage).points
        self.tally.points = len(self.points)
        self.recovery: list[str] = []
        self._people()
        self.undisturbed = self._made_good()
        assert self.undisturbed.writes, "nothing is at stake"
        self.not_run = self._without_command().end

    def die(self, choose: Choice, *, again: int = 0) -> Tally:
        """Dies at each chosen point. From each of these crashes, dies in the recovery too, at `again` points of it, or,
        when that is negative, at each of its requests."""
        for number, what in enumerate(self.points):
            if choose(number, what):
                self._die_at(number, what, again)
        return self.tally

    def _die_at(self, number: int, what: str, again: int) -> None:
        self.bench.put_back(self.start)
        self._killed(self.scenario.command, number)
        self.tally.kills += 1
        self._people()
        dead = self.bench.state()
        self._compare(f"dying at point {number}, {what}")
        recovery = self.recovery
        seconds = spread(number, again, len(recovery)) if again >= 0 else _all(recovery, requests)
        for second in seconds:
            self.bench.put_back(dead)
            self._killed(self.scenario.again[0], second)
            self.tally.pairs += 1
            self._compare(f"dying at point {number}, {what}, and again at point {second}, {recovery[second]}")
        self.bench.drop(dead)

    def made_good_after(self, what: str) -> None:
        """What must hold once a command that was cut short is run again."""
        self._people()
        self._compare(what)

    def _without_command(self) -> Outcome:
        self.bench.put_back(self.start)
        self.bench.now += MEANWHILE
        self._people()
        return self._made_good()

    def _killed(self, words: Words, number: int) -> None:
        ended = self.bench.run(*words, deadly=number, sabotage=self.sabotage)
        assert ended.status == KILLED, f"{words} did not die at {number}: {ended.status}\n{ended.printed}"

    def _people(self) -> None:
        self.bench.pass_time()
        self.typed = self.scenario.people(self.bench)

    def _made_good(self) -> Outcome:
        """Runs the command again, and then a sync that has nothing to do."""
        self._again()
        written = len(self.bench.writes)
        self.bench.pass_time()
        self.bench.done("sync", codes=FINE, sabotage=self.sabotage)
        assert len(self.bench.writes) == written, "a sync with nothing new wrote something: it shows"
        same = [write for write in self.bench.writes if write.before == write.after]
        assert not same, f"written again what stood there already: it shows {same[:3]}"
        told, done = self.bench.told_and_done()
        assert told - done == Counter(), f"receipts without a write: it shows {told - done}"
        unknown = {name for name in done - told if name not in self.typed}
        assert not unknown, f"writes without a receipt: it shows {unknown}"
        return Outcome(self.bench.end(), done)

    def _again(self) -> None:
        for number, words in enumerate(self.scenario.again):
            ended = self.bench.run(*words, sabotage=self.sabotage)
            if number == 0:
                self.recovery = ended.points
            if ended.status == 5 and self.scenario.stale:
                for other in self.scenario.stale:
                    self.bench.done(*other, codes=FINE, sabotage=self.sabotage)
                return
            assert ended.status in FINE, f"{words} ended with {ended.status}, it shows:\n{ended.printed}"

    def _compare(self, what: str) -> None:
        try:
            outcome = self._made_good()
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error
        undisturbed = self.undisturbed
        assert outcome.end in (undisturbed.end, self.not_run), f"{what}, shows"
        assert outcome.writes <= undisturbed.writes, f"{what}, shows: {outcome.writes - undisturbed.writes}"
        # what a person did meanwhile may leave less to write, but no field is left out that nobody typed into
        less = undisturbed.writes - outcome.writes
        left_out = {name for name in less if name not in outcome.writes and name not in self.typed}
        assert not left_out, f"{what}, shows: {left_out}"
        assert self.typed or not less, f"{what}, shows: {less}"


def _all(points: list[str], choose: Choice) -> list[int]:
    return [number for number, what in enumerate(points) if choose(number, what)]


def spread(number: int, count: int, length: int) -> list[int]:
    """`count` different numbers below `length`, spread over it, the same each time, others for each `number`."""
    begin = zlib.crc32(str(number).encode()) % length
    return sorted({(begin + each * length // count) % length for each in range(count)})


def requests(_number: int, what: str) -> bool:
    return what.startswith("http")


def around_writes(_number: int, what: str) -> bool:
    return what.endswith(WRITE)


def where_it_differs(_number: int, what: str) -> bool:
    """The points between which something was kept or sent: within a transaction it is all the same where one dies."""
    return what.startswith(("http", "file", "sql BEGIN", "sql COMMIT", "sql backup"))
