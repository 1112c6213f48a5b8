"""What a person probably meant: of the names that are known, the one a few keystrokes away."""

from __future__ import annotations

from collections.abc import Iterable

MOST = 2
"""So many letters may be wrong, missing, too many or swapped."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The name that is fewest keystrokes from the word, at most two and fewer than half of it; upper and lower case are
    one. None where none is so near. Of several that are equally near, the first."""
    wanted = word.casefold()
    best, fewest = None, min(MOST, (len(wanted) - 1) // 2) + 1
    for name in known:
        found = keystrokes(wanted, name.casefold(), fewest - 1)
        if found is not None and found < fewest:
            best, fewest = name, found
    return best


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest, with a blank before it; nothing where none is near."""
    meant = nearest(word, known)
    return f" Did you mean {meant}?" if meant else ""


def nearest_address(address: str, known: Iterable[str]) -> str | None:
    """The address of which the part before or behind the @ is the same and the other a few keystrokes away."""
    local, _, domain = address.partition("@")
    best, fewest = None, MOST + 1
    for other in known:
        its_local, _, its_domain = other.partition("@")
        if its_domain == domain:
            found = keystrokes(local, its_local, fewest - 1)
        elif its_local == local:
            found = keystrokes(domain, its_domain, fewest - 1)
        else:
            continue
        if found is not None and found < fewest:
            best, fewest = other, found
    return best


def keystrokes(one: str, other: str, most: int) -> int | None:
    """How many letters to change, add, leave out or swap with the next to make one word of the other; None where that
    is more than `most`."""
    if abs(len(one) - len(other)) > most or not _may_be_near(one, other, most):
        return None
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        above, row, earlier = row, [i], before
        for j, its in enumerate(other, start=1):
            least = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                least = min(least, earlier[j - 2] + 1)
            row.append(least)
        before = above
        if min(row) > most and min(before) > most:
            return None
    return row[-1] if row[-1] <= most else None


def _may_be_near(one: str, other: str, most: int) -> bool:
    """Whether one of the parts of a word stands in the other: a swap may touch two of them, anything else one. Cheap,
    and false for almost all of a million addresses."""
    parts = 2 * most + 1
    size = len(one) // parts
    return size == 0 or any(one[size * part : size * (part + 1)] in other for part in range(parts))
