"""Prints, as constraints for pip, the lowest version of each direct dependency that the two pyproject.toml allow."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_FLOOR = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[a-z,]+\])?>=(?P<version>[0-9.]+)(,<[0-9.]+)?")


def floors() -> Iterator[str]:
    """`name==version` of each. Raises SystemExit for a dependency that says no lowest version."""
    return map(floor_of, requirements())


def floor_of(requirement: str) -> str:
    """The constraint that holds a requirement to its floor. Raises SystemExit where it has none."""
    found = _FLOOR.fullmatch(requirement)
    if found is None:
        raise SystemExit(f"{requirement!r} in pyproject.toml has no floor of the form name>=version")
    return f"{found['name']}=={found['version']}"


def requirements() -> Iterator[str]:
    """What refloop, its local CRMs and the tests need. What only lints asks for newer versions, and is left out."""
    for file in (ROOT / "pyproject.toml", ROOT / "refloop_sandbox" / "pyproject.toml"):
        said = tomllib.loads(file.read_text(encoding="utf-8"))
        yield from said["project"]["dependencies"]
        yield from said.get("dependency-groups", {}).get("test", ())


if __name__ == "__main__":
    print("\n".join(floors()))  # noqa: T201 - what it is for
