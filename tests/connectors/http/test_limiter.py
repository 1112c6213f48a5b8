"""The limiter: never over a window, hardly under it, fair to other tools."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refloop.connectors.http.limiter import Day, Limiter, LimitInfo, Rule, Timer, Window
from refloop.errors import TryLater
from refloop.model import Usage


class FakeTime:
    """Waits by moving on. Two who wait for the same moment wait once."""

    def __init__(self) -> None:
        self.at = 1_000.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        until = self.at + seconds
        with self._lock:
            self.at = max(self.at, until)

    @property
    def timer(self) -> Timer:
        return Timer(self.now, self.sleep)


def arrivals(window: Window, calls: int, workers: int, ways: list[tuple[float, float]]) -> tuple[list[float], float]:
    """(when the CRM counted each call, when the last answer came) of `workers` that call one after another.

    `ways` are the seconds there and back of each call, in turn.
    """
    events = [(0.0, worker, "ask") for worker in range(workers)]
    counted: list[float] = []
    end = 0.0
    while events:
        now, worker, what = heapq.heappop(events)
        if what == "answer":
            window.leave(now)
            end = now
            if len(counted) < calls:
                heapq.heappush(events, (now, worker, "ask"))
        elif len(counted) < calls:
            delay = window.delay(now)
            if delay > 0:
                heapq.heappush(events, (now + min(delay, 0.05), worker, "ask"))
                continue
            window.enter()
            there, back = ways[len(counted) % len(ways)]
            counted.append(now + there)
            heapq.heappush(events, (now + there + back, worker, "answer"))
    return sorted(counted), end


ways = st.lists(st.tuples(st.floats(0.001, 2.0), st.floats(0.001, 2.0)), min_size=1, max_size=20)


@settings(max_examples=150)
@given(ways, st.integers(1, 8), st.integers(1, 30), st.sampled_from([1.0, 10.0]))
def test_no_window_of_the_crms_ever_holds_more_than_allowed(
    ways: list[tuple[float, float]], workers: int, most: int, seconds: float
) -> None:
    counted, _ = arrivals(Window(most, seconds), 5 * most, workers, ways)
    assert len(counted) == 5 * most
    assert all(counted[place + most] - counted[place] >= seconds - 1e-6 for place in range(len(counted) - most))


@pytest.mark.parametrize(("most", "latency", "workers"), [(100, 0.15, 6), (190, 0.15, 6), (100, 0.3, 6), (250, 0.1, 6)])
def test_throughput_is_that_of_the_limit(most: int, latency: float, workers: int) -> None:
    calls = 20 * most
    _, took = arrivals(Window(most, 10.0), calls, workers, [(latency / 2, latency / 2)])
    assert calls / took >= 0.95 * most / 10.0


def test_the_calls_of_others_take_places_too() -> None:
    window = Window(100, 10.0)
    window.enter()
    window.leave(0.0)
    window.learn(None, None, remaining=39, taken=1)  # 61 are counted, one is ours
    assert window.allowed == 40
    window.enter()
    window.leave(1.0)
    window.learn(None, None, remaining=98, taken=2)
    assert window.allowed == 100
    window.learn(190, 10.0, remaining=0, taken=2)
    assert window.allowed == 2
    window.learn(190, None, remaining=500, taken=2)
    assert window.allowed == 190


def test_a_late_answer_does_not_take_our_own_calls_for_those_of_others() -> None:
    window = Window(3, 10.0)
    for _ in range(3):
        window.enter()
    window.leave(0.0)
    window.leave(0.0)
    assert window.delay(11.0) == 0.0
    window.leave(11.0)
    window.learn(None, None, remaining=0, taken=3)
    assert window.allowed == 3


def test_a_refusal_rests_and_halves_and_good_answers_give_back() -> None:
    window = Window(100, 10.0)
    window.was_refused(sent=5.0, now=6.0, wait=10.0)
    assert window.allowed == 50
    assert window.delay(6.0) == pytest.approx(10.0)
    window.was_refused(sent=5.5, now=6.5, wait=10.0)
    assert window.allowed == 50, "it left before the first refusal came back"
    window.was_refused(sent=16.5, now=17.0, wait=1.0)
    assert window.allowed == 25
    for _ in range(100):
        window.went_well()
    assert window.allowed in (34, 35)
    for _ in range(1_000):
        window.went_well()
    assert window.allowed == 100
    for again in range(20):
        window.was_refused(sent=20.0 + again, now=20.0 + again, wait=0.0)
    assert window.allowed == 10


def test_a_narrower_window_waits_for_the_right_answer() -> None:
    window = Window(4, 10.0)
    for now in (0.0, 1.0, 2.0, 3.0):
        window.enter()
        window.leave(now)
    window.learn(2, None, None, 4)
    assert window.delay(4.0) == pytest.approx(8.0)


def says(info: LimitInfo) -> Any:
    def listen(_endpoint: str, _status: int, _headers: Mapping[str, str], _error: Any) -> LimitInfo:
        return info

    return listen


def limiter(info: LimitInfo = LimitInfo(), most: int = 5, time: FakeTime | None = None, **more: Any) -> Limiter:  # noqa: B008 - frozen
    rules = (
        Rule("calls", most, 10.0, lambda endpoint: endpoint != "search"),
        Rule("searches", 2, 1.0, lambda endpoint: endpoint == "search"),
    )
    return Limiter(rules, says(info), timer=(time or FakeTime()).timer, **more)


def call(limiter: Limiter, endpoint: str = "list") -> None:
    limiter.admit(endpoint).answered(200, {}, None)


def test_windows_do_not_hold_each_other_up() -> None:
    time = FakeTime()
    limits = limiter(time=time)
    for _ in range(5):
        call(limits)
    for _ in range(2):
        call(limits, "search")
    assert time.at == 1_000.0
    call(limits, "search")
    assert time.at == pytest.approx(1_001.0)
    call(limits)
    assert time.at == pytest.approx(1_010.0)


def test_a_call_without_an_answer_counts() -> None:
    time = FakeTime()
    limits = limiter(time=time)
    for _ in range(5):
        limits.admit("list").unanswered()
    call(limits)
    assert time.at == pytest.approx(1_010.0)


def test_a_long_wait_is_not_waited_for() -> None:
    time = FakeTime()
    limits = limiter(LimitInfo(refused="calls", wait=500.0), time=time)
    call(limits)
    with pytest.raises(TryLater) as later:
        limits.admit("list")
    assert later.value.seconds == pytest.approx(500.0)
    assert later.value.remedy
    assert time.at == 1_000.0
    call(limits, "search")


def test_waits_are_bounded_in_sum() -> None:
    time = FakeTime()
    limits = limiter(time=time, longest=0.2)
    for _ in range(5):
        limits.admit("list")  # and no answer ever comes
    with pytest.raises(TryLater) as later:
        limits.admit("list")
    assert later.value.seconds is None
    assert time.at == 1_000.0


def test_a_place_is_taken_as_soon_as_an_answer_makes_room() -> None:
    limits = limiter(LimitInfo(window="calls", most=2), most=1)
    first = limits.admit("list")
    made_room = threading.Timer(0.02, first.answered, (200, {}, None))
    made_room.start()
    limits.admit("list").unanswered()
    made_room.join()


def test_room_for_several_calls_is_waited_for_once() -> None:
    time = FakeTime()
    made = limiter(time=time)
    for _ in range(4):
        call(made)
    made.make_room("list", 1)
    assert time.at == 1_000.0
    made.make_room("list", 2)
    assert time.at > 1_000.0
    ready = time.at
    call(made)
    call(made)
    assert time.at == ready
    made.make_room("list", 99)  # more than a window ever holds is as many as it holds


def test_room_that_is_far_away_is_not_waited_for() -> None:
    made = limiter(longest=0.001)
    for _ in range(5):
        call(made)
    with pytest.raises(TryLater, match="no room for list"):
        made.make_room("list", 2)


def test_a_share_of_the_day_is_left_to_others() -> None:
    left = iter(range(99, 0, -1))

    def listen(_endpoint: str, _status: int, _headers: Mapping[str, str], _error: Any) -> LimitInfo:
        return LimitInfo(day_limit=1_000, day_left=next(left))

    rule = Rule("calls", 1_000, 10.0, lambda _endpoint: True)
    limits = Limiter((rule,), listen, share=0.8, timer=FakeTime().timer)
    for _ in range(80):
        call(limits)
    with pytest.raises(TryLater) as later:
        call(limits)
    assert limits.usage() == Usage(limit=1_000, used=980, ours=80)
    assert "20 of 1000" in str(later.value)
    assert "midnight" in str(later.value)


def test_the_reserve_is_kept_from_what_others_use() -> None:
    day = Day(0.5)
    day.learn(1_000, 900, 0)
    assert not day.is_spent
    day.learn(1_000, 460, 0)
    assert not day.is_spent
    day.learn(1_000, 460, 10)
    assert day.is_spent
    day.learn(1_000, 999, 0)
    assert not day.is_spent, "a new day"
    assert day.left == 999


def test_a_day_that_is_over_is_not_asked_again() -> None:
    limits = limiter(LimitInfo(day_over=True))
    limits.day_ends = lambda: 3_600.0
    call(limits)
    with pytest.raises(TryLater) as later:
        limits.admit("search")
    assert later.value.seconds == 3_600.0


def test_nobody_said_anything_of_the_day() -> None:
    limits = limiter()
    call(limits)
    assert limits.usage() is None


def test_many_threads_keep_one_window() -> None:
    time = FakeTime()
    limits = limiter(most=50, time=time)
    sent: list[float] = []

    def work() -> None:
        for _ in range(100):
            permit = limits.admit("list")
            sent.append(permit.sent)
            permit.answered(200, {}, None)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent.sort()
    assert len(sent) == 600
    assert all(sent[place + 50] - sent[place] >= 10.0 - 1e-6 for place in range(550))
    assert time.at - 1_000.0 <= 11 * 10.0 * 1.05


@pytest.mark.parametrize(("latency", "callers"), [(0.0, 2), (0.01, 2), (0.15, 6), (5.0, 6)])
def test_more_callers_where_answers_take_longer(latency: float, callers: int) -> None:
    time = FakeTime()
    limits = limiter(most=100, time=time)
    for _ in range(5):
        permit = limits.admit("list")
        time.at += latency
        permit.answered(200, {}, None)
    assert limits.callers("calls", 6) == callers
