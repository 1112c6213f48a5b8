"""The rooms hold, and the repository stays clean."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import pytest

from refloop.connectors.base import connector_class, settings_class

ROOT = Path(__file__).parents[1]
PACKAGES = ("refloop", "refloop_sandbox")
NOT_OURS = {".git", ".venv", ".venv-audit", ".venv-floors", ".bench-peers", "build", "dist", "__pycache__"}

MACHINE_PATH = re.compile(r"(?<![\w.~}-])/(?:work|home|root|Users)/|\b[A-Z]:\\Users\\")
REGISTRY = re.compile(r"py(?:pi)\.org|python(?:hosted)\.org|npm(?:js)\.|artifact(?:ory)|(?:index)-url|trusted(?:-)host")
NOQA = re.compile(r"#\s*(?:(?:ruff|flake8):\s*)?noqa\b(?P<rest>.*)", re.IGNORECASE)
NOQA_WITH_REASON = re.compile(r": [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)* - \S.{3,}")
TYPE_IGNORE = re.compile(r"#\s*type:\s*ignore(?P<rest>.*)")
TYPE_IGNORE_WITH_REASON = re.compile(r"\[[a-z-]+(?:, ?[a-z-]+)*\]\s+# \S.{3,}")
MYPY_FILE = re.compile(r"#\s*mypy:\s*(?:ignore|disable|allow)")


def repository() -> Iterator[Path]:
    """The files that are kept, or would be by `git add`; without git, all but what tools make."""
    git = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if git.returncode == 0:
        names = git.stdout.decode().split("\0")
        yield from (ROOT / name for name in names if name and (ROOT / name).is_file())
    else:
        yield from (path for path in ROOT.rglob("*") if path.is_file() and not NOT_OURS & set(path.parts))


def python_files() -> list[Path]:
    return [path for path in repository() if path.suffix == ".py"]


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """The comments of a file; none are looked for where no line could silence a tool."""
    text = path.read_text(encoding="utf-8")
    if not any(sign.search(text) for sign in (NOQA, TYPE_IGNORE, MYPY_FILE)):
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def unexplained(comment: str) -> bool:
    """Whether a comment silences a tool for no stated reason."""
    if MYPY_FILE.search(comment):
        return True
    noqa, ignore = NOQA.search(comment), TYPE_IGNORE.search(comment)
    if noqa and not NOQA_WITH_REASON.fullmatch(noqa["rest"]):
        return True
    return bool(ignore and not TYPE_IGNORE_WITH_REASON.fullmatch(ignore["rest"]))


def test_the_rooms_hold() -> None:
    program = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    found = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
    assert " 0 broken" in found.stdout


LINTER = """
import sys
from importlinter.cli import lint_imports
for _ in sys.stdin:
    print(f"ended {lint_imports(no_cache=True, no_logo=True)}", flush=True)
"""
"""Looks at the contracts again for each line that it reads: half of the program's time goes into its own imports."""


@dataclass
class Copy:
    """A copy of the packages, in which walls may be broken, and the program that looks at them."""

    folder: Path
    linter: subprocess.Popen[str]

    def looked_at(self) -> tuple[int, str]:
        """The exit status of the program, and what it says."""
        assert self.linter.stdin
        assert self.linter.stdout
        self.linter.stdin.write("\n")
        self.linter.stdin.flush()
        said: list[str] = []
        for line in self.linter.stdout:
            if line.startswith("ended "):
                return int(line.removeprefix("ended ")), "".join(said)
            said.append(line)
        raise AssertionError("the linter died")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    program = [sys.executable, "-c", LINTER]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as linter:
        made = Copy(folder, linter)
        assert made.looked_at()[0] == 0
        yield made
        assert made.looked_at()[0] == 0, "no wall stays broken for the next one"
        assert linter.stdin
        linter.stdin.close()


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("errors.py", "import refloop.model"),
        ("model.py", "import refloop.config"),
        ("config/__init__.py", "import refloop.connectors.base"),
        ("commands/intake.py", "import refloop.commands.ledger"),
        ("commands/stray.py", ""),
        ("commands/inspect.py", "import sqlite3"),
        ("commands/inspect.py", "import refloop.ledger.engine.sqlite"),
        ("report/__init__.py", "import refloop.commands.console"),
        ("report/__init__.py", "import sqlite3"),
        ("report/health.py", "import refloop.ledger.store"),
        ("report/lines.py", "import refloop.report.text.run"),
        ("report/stray.py", "import refloop.ledger.receipts"),
        ("ledger/__init__.py", "import refloop.connectors.base"),
        ("mapping/__init__.py", "import refloop.ledger.store"),
        ("mapping/__init__.py", "import sqlite3"),
        ("mapping/changes.py", "import requests"),
        ("sync/__init__.py", "import refloop.connectors.hubspot"),
        ("sync/__init__.py", "import refloop_sandbox"),
        ("connectors/salesforce/__init__.py", "import refloop.connectors.hubspot"),
        ("ledger/store.py", "import sqlite3"),
        ("report/health.py", "import sqlite_utils"),
        ("ledger/queue.py", "import refloop.ledger.due"),
        ("ledger/engine/dialect.py", "import refloop.ledger.engine.base"),
        ("sync/context.py", "import refloop.sync.run"),
        ("connectors/salesforce/batch.py", "import refloop.connectors.salesforce.write"),
        ("connectors/hubspot/names.py", "import refloop.connectors.hubspot.client"),
        ("connectors/http/errors.py", "import refloop.connectors.http.transport"),
        ("connectors/http/retry.py", "import refloop.connectors.base"),
        ("stray.py", ""),
    ],
)
def test_a_broken_wall_is_seen(copy: Copy, room: str, line: str) -> None:
    assert_refused(copy, copy.folder / "refloop" / room, line)


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("nouns.py", "import refloop.model"),
        ("server.py", "import refloop_sandbox.hubspot"),
        ("salesforce/object_rules.py", "import refloop_sandbox.salesforce.records"),
        ("hubspot/routes/table.py", "import refloop_sandbox.hubspot.app"),
    ],
)
def test_a_broken_wall_of_the_local_crms_is_seen(copy: Copy, room: str, line: str) -> None:
    assert_refused(copy, copy.folder / "refloop_sandbox" / room, line)


def assert_refused(copy: Copy, path: Path, line: str) -> None:
    before = path.read_bytes() if path.exists() else None
    path.write_bytes((before or b"") + f"\n{line}\n".encode())
    try:
        status, said = copy.looked_at()
    finally:
        path.unlink() if before is None else path.write_bytes(before)
    assert status != 0
    assert "BROKEN" in said


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in repository()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line) or REGISTRY.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ("cd /" + "home/ann/refloop", True),
        ('"/' + 'Users/ann"', True),
        ("path=/" + "root/.cache", True),
        ("https://api.example.com/" + "home/ann", False),
        ("~/.config/refloop", False),
        ("pip install --" + "index" + "-url x", True),
        ("https://" + "pypi" + ".org/simple", True),
        ("pip install refloop", False),
    ],
)
def test_machine_paths_and_registries_are_recognised(line: str, is_found: bool) -> None:
    assert bool(MACHINE_PATH.search(line) or REGISTRY.search(line)) is is_found


def test_every_silenced_tool_has_its_reason() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {comment}"
        for path in python_files()
        for number, comment in comments(path)
        if unexplained(comment)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("comment", "bad"),
    [
        ("# " + "noqa", True),
        ("# " + "noqa: S101", True),
        ("# " + "noqa: S101 - x", True),
        ("# " + "noqa: S101, A002 - the word for it", False),
        ("# type" + ": ignore", True),
        ("# type" + ": ignore[misc]", True),
        ("# type" + ": ignore[misc]  # what mypy refuses must fail", False),
        ("# ruff" + ": noqa", True),
        ("# ruff" + ": noqa: S101", True),
        ("# ruff" + ": noqa: S101 - the whole file asserts", False),
        ("# mypy" + ": ignore-errors", True),
        ("# an ordinary comment", False),
    ],
)
def test_a_silenced_tool_is_recognised(comment: str, bad: bool) -> None:
    assert unexplained(comment) is bad


def test_nothing_big_or_executable_is_kept_by_accident() -> None:
    executable = {str(path.relative_to(ROOT)) for path in repository() if path.stat().st_mode & 0o111}
    assert executable == {".ci/run"}
    assert [path for path in repository() if path.stat().st_size > 1024 * 1024] == []


def test_typed_and_with_its_data() -> None:
    package = files("refloop")
    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("config/template.yaml").is_file()


def test_each_connector_that_is_shipped_can_be_found() -> None:
    points = {point.name: point.value for point in entry_points(group="refloop.connectors")}
    assert points["salesforce"] == "refloop.connectors.salesforce:Salesforce"
    assert points["hubspot"] == "refloop.connectors.hubspot:HubSpot"
    for name in points:
        assert settings_class(name) is connector_class(name).settings


def test_both_distributions_have_one_version_and_one_license() -> None:
    product, crms = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for folder in (".", "refloop_sandbox")
    )
    assert product["version"] == crms["version"]
    assert product["optional-dependencies"]["sandbox"] == [f"{crms['name']}=={crms['version']}"]
    assert (ROOT / "LICENSE").read_bytes() == (ROOT / "refloop_sandbox" / "LICENSE").read_bytes()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each package, built from the files that are kept."""
    folder = tmp_path_factory.mktemp("wheels")
    source = folder / "source"
    for path in repository():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    places = [str(source), str(source / "refloop_sandbox")]
    build = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(folder), *places]
    subprocess.run(build, check=True, cwd=folder)
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_is_whole_and_holds_one_package(wheels: dict[str, Path], package: str) -> None:
    assert set(wheels) == set(PACKAGES)
    wheel = wheels[package]
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    of_the_distribution = {f"{package}/pyproject.toml", f"{package}/LICENSE"}
    kept = {str(path.relative_to(ROOT)) for path in repository() if path.relative_to(ROOT).parts[0] == package}
    assert f"{package}/py.typed" in kept
    info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    assert {name for name in names if not name.startswith(f"{info}/")} == kept - of_the_distribution
    assert f"{info}/licenses/LICENSE" in names


@pytest.mark.slow
def test_a_machine_that_only_syncs_does_not_carry_the_local_crms(wheels: dict[str, Path], tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--target", str(tmp_path)]
    subprocess.run([*install, str(wheels["refloop"])], check=True)
    alone = [run_from(tmp_path, *words) for words in (["--help"], ["demo"], ["sandbox"])]
    assert [answer.returncode for answer in alone] == [0, 2, 2]
    assert all('pip install "refloop[sandbox]"' in answer.stderr for answer in alone[1:])
    subprocess.run([*install, str(wheels["refloop_sandbox"])], check=True)
    without_data = run_from(tmp_path, "demo", "--data", str(tmp_path / "nowhere"))
    assert (without_data.returncode, "is not a folder" in without_data.stderr) == (65, True)


def run_from(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as it is installed in `folder`, with the libraries of this environment, but without this checkout."""
    libraries = str(Path(pytest.__file__).parents[1])
    start = f"import sys; sys.path[:0] = {[str(folder), libraries]!r}; from refloop.cli import main; main()"
    # -S: no .pth file is read, by which an editable install would be found
    command = [sys.executable, "-S", "-P", "-c", start, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
