"""The report and the commands handle values: no row of a database, and no statement, gets as far as here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from refloop import commands, report

ROOMS = (*report.__path__, *commands.__path__)
STATEMENT = re.compile(
    r"\b(?:SELECT\b.+\bFROM|INSERT\b.*\bINTO|UPDATE\b.+\bSET|DELETE\s+FROM|(?:CREATE|DROP|ALTER)\s+\w+|PRAGMA\s+\w+|WITH\b.+\bAS\s*\()"
    r"|^\s*(?:SELECT|FROM|(?:LEFT |CROSS )?JOIN|WHERE|ORDER BY|GROUP BY)\s",
    re.DOTALL,
)
ROW = re.compile(r"(?:dict|Dict|Mapping|MutableMapping)\[str,\s*(?:typing\.)?Any\]")
LEDGERS_OWN = {"execute", "execute_many", "rows", "one", "engine"}


def rows_and_statements(source: str) -> Iterator[str]:
    """What of a file handles the database: statements in its strings, rows in its types, the ledger's own verbs."""
    yield from ROW.findall(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STATEMENT.search(node.value):
            yield node.value
        if isinstance(node, ast.Attribute) and node.attr in LEDGERS_OWN:
            yield f".{node.attr}"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: Path(room).name)
def test_no_statement_and_no_row(room: str) -> None:
    files = list(Path(room).rglob("*.py"))
    assert len(files) > 5
    found = {str(file): list(rows_and_statements(file.read_text(encoding="utf-8"))) for file in files}
    assert {file: what for file, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "line",
    [
        'SQL = "SELECT run FROM runs"',
        'SQL = """\n    SELECT *\n    FROM records\n"""',
        'SQL = f"{head} WHERE run = {run}"',
        'SQL = "INSERT INTO runs VALUES (1)"',
        'SQL = "DELETE FROM runs"',
        'SQL = "PRAGMA user_version"',
        "def shown(told: dict[str, Any]) -> None: ...",
        "Row = Mapping[str, Any]",
        "found = ledger.rows(reads.RUNS)",
        "ledger.engine.compact()",
    ],
)
def test_what_handles_the_database_is_recognised(line: str) -> None:
    """Negative control."""
    assert list(rows_and_statements(line))


def test_words_are_no_statements() -> None:
    source = (
        'say("update the CRM, select a lead from the list, where it stands"); rows: list[Mapping[str, object]] = []'
    )
    assert list(rows_and_statements(source)) == []
