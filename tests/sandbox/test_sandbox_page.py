"""The page on the local CRMs promises nothing that no test holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from refloop_sandbox.hubspot import LocalHubSpot
from refloop_sandbox.salesforce import LocalSalesforce
from refloop_sandbox.server import Server

ROOT = Path(__file__).parents[2]


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")))
    written = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "sandbox").rglob("test_*.py"))
    assert len(named) > 50
    assert sorted(named - set(re.findall(r"def (test_\w+)\(", written))) == []


@pytest.mark.parametrize("number", [0, 1], ids=["hubspot-api-client", "simple-salesforce"])
def test_the_sdks_work_as_the_page_shows(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Word for word, but for the addresses and the secrets that `refloop sandbox` prints."""
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    block = re.findall(r"```python sdk\n(.*?)```", page, re.DOTALL)[number]
    hubspot = LocalHubSpot(token="pat-na1-...")
    hubspot.load("contacts", [{"email": "kim@lumen.example"}])
    with (
        LocalSalesforce(client_id="refloop-local", client_secret="...") as salesforce,
        Server(salesforce.app) as first,
        Server(hubspot.app) as second,
    ):
        salesforce.load("Lead", ({"LastName": str(one), "Company": "Lumen"} for one in range(3)))
        text = block.replace("http://127.0.0.1:8801", first.url).replace("http://127.0.0.1:8802", second.url)
        assert text != block
        exec(compile(text, "docs/sandbox.md", "exec"), {})  # noqa: S102 - the page's own words
    assert capsys.readouterr().out == ["kim@lumen.example\n", "3\n3\n"][number]
