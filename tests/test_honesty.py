"""No test is judged by a clock: the same commit passes or fails alike on any machine, however busy.

Work is bounded by counts (calls, statements, rows, bytes, waits of a clock moved by hand); what must come is waited
for until `PATIENCE` has passed. The places that look at a real clock all the same are listed, each with its reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE

TESTS = Path(__file__).parent
CLOCKS = frozenset(
    f"time.{name}{unit}"
    for name in ("monotonic", "perf_counter", "process_time", "thread_time", "time")
    for unit in ("", "_ns")
)
SLEEPS = frozenset({"time.sleep", "asyncio.sleep"})
WAITS = frozenset({"wait", "wait_for", "join", "communicate", "result", "acquire", "get", "poll"})
SOON = 60.0
"""Seconds that a busy machine may well take for nothing at all."""

ALLOWED = {
    "cli/conftest.py: quick sleeps": "in place of each wait of the program, two thousandths of a second",
    "connectors/hubspot/account.py: Clock.__init__ reads time.monotonic": "a clock that ticks, before a slow line",
    "connectors/hubspot/account.py: Clock.now reads time.monotonic": "the same clock",
    "connectors/hubspot/account.py: Account.__call__ sleeps": "the slow line",
    "connectors/hubspot/test_full.py: test_strict_limits_are_used_up_and_never_broken reads time.monotonic": (
        "takes this machine's own work off what that clock shows"
    ),
    "connectors/http/test_transport.py: test_the_environment_has_no_say waits 0.0001 s": "the transport ignores it",
    "sandbox/salesforce/test_salesforce_oauth.py: _assertion reads time.time": "a token has the time in it",
    "sandbox/salesforce/test_salesforce_oauth.py: test_a_signed_assertion reads time.time": "one that has run out",
}


def places(source: str) -> Iterator[str]:
    """What in a module looks at a real clock or gives up soon, as `where what`."""
    for where, node in _with_names(ast.parse(source), ()):
        for what in _judged(node):
            yield f"{where or 'the module'} {what}"


def _with_names(node: ast.AST, names: tuple[str, ...]) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for decorator in node.decorator_list:
            yield from _with_names(decorator, (*names, node.name))
        names = (*names, node.name)
    yield ".".join(names), node
    for child in ast.iter_child_nodes(node):
        if child not in getattr(node, "decorator_list", ()):
            yield from _with_names(child, names)


def _judged(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom) and node.module == "time":
        yield "imports from time"
    if isinstance(node, ast.Attribute):
        name = ast.unparse(node)
        if name in CLOCKS:
            yield f"reads {name}"
        if name in SLEEPS:
            yield "sleeps"
        if name == "pytest.mark.timeout":
            yield "has a time-out of its own"
    if isinstance(node, ast.Call):
        yield from _judged_call(node)


def _judged_call(node: ast.Call) -> Iterator[str]:
    waits = isinstance(node.func, ast.Attribute) and node.func.attr in WAITS
    given = [*(node.args[:1] if waits else ()), *(word.value for word in node.keywords if word.arg == "timeout")]
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, int | float) and 0 < value.value < SOON:
            yield f"waits {value.value} s"
    for word in node.keywords:
        if word.arg == "deadline" and not (isinstance(word.value, ast.Constant) and word.value.value is None):
            yield "has a deadline for examples"


def test_no_test_is_judged_by_a_clock() -> None:
    found = {
        f"{path.relative_to(TESTS).as_posix()}: {place}"
        for path in sorted(TESTS.rglob("*.py"))
        for place in places(path.read_text(encoding="utf-8"))
    }
    assert found == ALLOWED.keys()


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("def test():\n    began = time.monotonic()\n", "test reads time.monotonic"),
        ("def test():\n    assert time.process_time() - began < 5\n", "test reads time.process_time"),
        ("class Case:\n    def test(self): time.sleep(0.1)\n", "Case.test sleeps"),
        ("async def serve(): await asyncio.sleep(1)\n", "serve sleeps"),
        ("from time import sleep\n", "the module imports from time"),
        ("@pytest.mark.timeout(10)\ndef test(): ...\n", "test has a time-out of its own"),
        ("pytestmark = pytest.mark.timeout(10)\n", "the module has a time-out of its own"),
        ("@settings(deadline=200)\ndef test(): ...\n", "test has a deadline for examples"),
        ("def test(): subprocess.run([], timeout=5)\n", "test waits 5 s"),
        ("def test(): assert event.wait(0.5)\n", "test waits 0.5 s"),
    ],
)
def test_a_judgement_by_the_clock_is_seen(source: str, place: str) -> None:
    assert list(places(source)) == [place]


@pytest.mark.parametrize(
    "source",
    [
        "settings(deadline=None)",
        "event.wait(PATIENCE)",
        "event.wait()",
        "queue.get(timeout=None)",
        "subprocess.run([], timeout=600)",
        '", ".join(words)',
    ],
)
def test_what_judges_nobody_is_left(source: str) -> None:
    assert list(places(source)) == []


def test_patience_ends_before_the_suite_does(pytestconfig: pytest.Config) -> None:
    assert SOON < PATIENCE < float(pytestconfig.getini("timeout"))
