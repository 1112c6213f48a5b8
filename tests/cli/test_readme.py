"""What README and docs show must be so."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from readme_renderer.markdown import render

from refloop.model import ReviewReason
from refloop.report.text.review import REMEDIES
from refloop.sync.session import read_config
from tests.cli.reference import commands, help_of

PAGES = [Path("README.md"), *sorted(Path("docs").rglob("*.md")), Path("CONTRIBUTING.md")]
PATHS = set(commands())


def shown(page: Path) -> Iterator[str]:
    """The `refloop ...` lines and spans of a page."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL):
        yield from re.findall(r"^(refloop[^#\n]*)", block, flags=re.MULTILINE)
    spans = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from (span for span in re.findall(r"`([^`\n]+)`", spans) if span.startswith("refloop "))


@pytest.mark.parametrize("reason", REMEDIES)
def test_commands_that_are_told_as_a_remedy_exist(reason: ReviewReason) -> None:
    for line in re.findall(r"`refloop ([^`]+)`", REMEDIES[reason]):
        words = line.split()
        path = tuple(words[:2])
        usage = help_of(path)
        arguments = [f"{{{word.lower()}}}" for word in line.partition(" --")[0].split() if word.isupper()]
        assert [word for word in words if word.startswith("--") and word not in usage] == [], line
        assert " ".join(arguments) in usage, line


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_that_are_shown_exist(page: Path) -> None:
    for line in shown(page):
        words = [word for word in shlex.split(line)[1:] if word != "..."]
        options = [word.partition("=")[0] for word in words if word.startswith("--")]
        plain = [word for word in words if not word.startswith("-")]
        path = tuple(plain[:2]) if tuple(plain[:2]) in PATHS else tuple(plain[:1])
        assert path in PATHS or not plain, f"{page}: {line}"
        for option in options:
            assert option in help_of(path) + help_of(()), f"{page}: {line}"


README = Path("README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
LINKS = re.findall(r"\]\(([^)]+)\)", README)


def test_readme_names_files_that_are_there() -> None:
    here = f"{PROJECT['urls']['Repository']}/blob/main/"
    files = [link.removeprefix(here).partition("#")[0] for link in LINKS if link.startswith(here)]
    assert len(files) > 20
    assert [name for name in files if not Path(name).exists()] == []


def test_every_link_of_the_readme_works_on_a_package_index() -> None:
    """There, a path leads nowhere."""
    assert [link for link in LINKS if not link.startswith("https://")] == []
    assert PROJECT["readme"] == "README.md"
    assert {"Repository", "Documentation", "Changelog", "Issues"} <= PROJECT["urls"].keys()


def test_nothing_stands_twice_in_the_list_of_pages() -> None:
    listed = re.findall(r"\[([^]]+)\]\(", README.partition("## Read more")[2])
    assert len(listed) > 10
    assert sorted(set(listed)) == sorted(listed)


def test_the_readme_renders_as_a_package_index_shows_it() -> None:
    shown = render(README)
    assert shown is not None
    assert shown.count("<table") == README.count("|---|")
    assert shown.count("<pre") == README.count("```") // 2
    links = re.findall(r'<a href="(https://[^"]+)"', shown)
    assert links == LINKS


def test_the_connections_in_the_readme_load(tmp_path: Path) -> None:
    text = Path("README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 2
    lines = [line[1:] for block in blocks for line in block.splitlines() if line.strip()]
    config = tmp_path / "config.yaml"
    config.write_text("version: 1\nconnections:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    assert set(read_config(config).connections) == {"salesforce", "hubspot"}
