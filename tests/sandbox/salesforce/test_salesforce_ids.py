from __future__ import annotations

import pytest

from refloop_sandbox.salesforce.ids import full_id, make_id


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("001D000000IRFma", "001D000000IRFmaIAH"),  # from Salesforce's own documentation
        ("001D000000IRFmaIAH", "001D000000IRFmaIAH"),
        ("001D000000IRFmaIAA", None),
        ("001d000000irfmaIAH", None),
        ("001D000000IRFm", None),
        ("001D000000IRFm-", None),
        ("", None),
    ],
)
def test_the_long_form_carries_a_checksum_of_case(given: str, expected: str | None) -> None:
    assert full_id(given) == expected


def test_made_ids_are_valid_distinct_and_sorted() -> None:
    ids = [make_id("00Q", number) for number in (1, 2, 61, 62, 3843, 3844, 1_000_000)]
    assert ids == sorted(set(ids))
    assert [full_id(made) for made in ids] == ids
