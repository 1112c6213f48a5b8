"""What a person is told to do about what was left for review."""

from __future__ import annotations

from refloop.model import ReviewReason
from refloop.report.text.review import REMEDIES


def test_there_is_something_to_do_about_each_reason() -> None:
    assert set(REMEDIES) == set(ReviewReason)
