"""Whether what a CRM shows can be all there is. Pure."""

from __future__ import annotations

LEAST_SHOWN = 0.5


def is_shrunk(found: int, known: int, least: float) -> bool:
    """Whether a full pull is not to be believed: it brought less than the part `least` of what was known before. More
    likely a permission was lost than that so many records are gone."""
    return found < known * least
