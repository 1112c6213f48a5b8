"""Which deals count: as new business, as a renewal, or not at all. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from refloop.mapping.roles import ANY_OTHER, word_key
from refloop.model import Counting, Record

_RENEWAL = re.compile(
    r"\b(renew\w*|existing ?(business|customer|client|account)s?|(vertrags)?verlängerung\w*|bestandskunde\w*"
    r"|bestandsgeschäft|renouvellement\w*|reconduction\w*|renovaci[oó]n\w*|renovação|renovações|rinnov[oi]"
    r"|verlenging\w*)\b"
)
"""What a pipeline, a record type or a type of deals is called where deals go on with what the buyer has. HubSpot ships
the type `existingbusiness`, Salesforce "Existing Customer - Upgrade" and its kin."""

_STRICTER = (Counting.NEW, Counting.RENEWAL, Counting.IGNORE)


@dataclass(frozen=True, slots=True)
class DealWords:
    """What a company says of its pipelines (and record types) and of its types of deals, by the words' keys
    (`word_key`, or `ANY_OTHER`); `renewals_credited`: renewals are credited, apart from what was won."""

    pipelines: Mapping[str, Counting] = field(default_factory=dict)
    types: Mapping[str, Counting] = field(default_factory=dict)
    renewals_credited: bool = False


def counting_of(deal: Record, words: DealWords) -> Counting:
    """What a deal counts as: the stricter of what its pipeline and its type say. What says nothing is new business."""
    told = ((deal.pipeline, words.pipelines), (deal.deal_type, words.types))
    said = [word_counts_as(word, own) for word, own in told if word]
    return max(said, key=_STRICTER.index, default=Counting.NEW)


def word_counts_as(word: str, own: Mapping[str, Counting]) -> Counting:
    """What deals of a pipeline, a record type or a type of that name count as. The company's own words win; then what
    is called a renewal is one; any other is what the company says of `*`, else new business."""
    key = word_key(word)
    if key in own:
        return own[key]
    if _RENEWAL.search(key):
        return Counting.RENEWAL
    return own.get(ANY_OTHER, Counting.NEW)


def is_credited(counting: Counting, words: DealWords) -> bool:
    """Whether a deal that counts so gets any credit, and shows it."""
    return counting is Counting.NEW or (counting is Counting.RENEWAL and words.renewals_credited)
