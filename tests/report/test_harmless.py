"""What is printed cannot act on a terminal, and a value cannot pass for lines of ours."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from refloop.commands import console
from refloop.mapping.changes import RecordPlan
from refloop.model import FieldChange, FieldSpec, FieldType, Kind, Ref
from refloop.report.grid import numbers, text, whole
from refloop.report.lines import say
from refloop.report.text.plan import print_changes
from refloop.report.text.table import table

ACTING = [chr(code) for code in (*range(9), *range(11, 32), 127, *range(128, 160), 0x61C, 0x200E, 0x200F)]
ACTING += [chr(code) for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF)]
HOSTILE = "".join(f"a{letter}" for letter in ACTING)
FIELD = FieldSpec("ref_code", "Code", FieldType.TEXT, (Kind.LEAD,))


@pytest.mark.parametrize("terminal_like", [True, False])
def test_lines_tables_and_changes_hold_nothing_that_acts(terminal_like: bool) -> None:
    page = io.StringIO()
    console = Console(file=page, force_terminal=terminal_like, color_system=None, width=10_000)
    say(console, HOSTILE)
    table(console, (*whole("code"), *text("evidence"), *numbers("count")), [[HOSTILE, f"x\n{HOSTILE}\t", HOSTILE]])
    ref = Ref("sf", Kind.LEAD, "1")
    changed = FieldChange(ref, FIELD, HOSTILE, f"x\n  + {HOSTILE}", HOSTILE)
    print_changes(console, [RecordPlan(ref, (changed,))], lambda refs: dict.fromkeys(refs, HOSTILE))
    printed = page.getvalue()
    assert not set(ACTING) & set(printed)
    assert "\\u001b" in printed
    assert "x\\n  + " in printed


def test_json_is_the_same_value_without_them(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"title": HOSTILE})
    printed = capsys.readouterr().out
    assert not set(ACTING) & set(printed)
    assert json.loads(printed) == {"title": HOSTILE}
