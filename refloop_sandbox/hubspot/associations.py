"""Associating records. An association is kept from both ends and never moves a modified date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from refloop_sandbox.hubspot.labels import Label
from refloop_sandbox.hubspot.portal import Portal
from refloop_sandbox.hubspot.schema import ObjectType

Edge = tuple[int, int, int, int, int]
"""(object, id, to object, to id, type)"""


def associate(portal: Portal, ends: tuple[ObjectType, int, ObjectType, int], type_ids: Sequence[int] = ()) -> None:
    """Associates two records. Without types it is the default one, and primary where there is no primary yet.

    A record has one primary company: a new one takes the place of the old. Raises Refusal for a type that does
    not go that way.
    """
    kind, record_id, to_kind, _ = ends
    plain, primary = portal.labels.default(kind, to_kind), portal.labels.primary(kind, to_kind)
    labels = [portal.labels.find(kind, to_kind, type_id) for type_id in type_ids]
    if not labels and primary is not None and not _holders(portal, kind, record_id, to_kind, primary):
        labels = [primary]
    if primary is not None and primary in labels:
        for other in _holders(portal, kind, record_id, to_kind, primary):
            portal.store.disassociate(_both((kind, record_id, to_kind, other), [primary]))
    portal.store.associate(_both(ends, [plain, *labels]))


def disassociate(
    portal: Portal, ends: tuple[ObjectType, int, ObjectType, int], type_ids: Sequence[int] | None = None
) -> None:
    """Removes the given types, or all of them. Removing what is not there is no fault."""
    labels: Iterable[Label] = portal.labels.between(ends[0], ends[2])
    if type_ids is not None:
        labels = [portal.labels.find(ends[0], ends[2], type_id) for type_id in type_ids]
    portal.store.disassociate(_both(ends, labels))


def _holders(portal: Portal, kind: ObjectType, record_id: int, to_kind: ObjectType, label: Label) -> list[int]:
    pairs = portal.store.associated(kind.number, record_id, to_kind.number)
    return [to_id for to_id, type_id in pairs if type_id == label.id]


def _both(ends: tuple[ObjectType, int, ObjectType, int], labels: Iterable[Label]) -> list[Edge]:
    kind, record_id, to_kind, to_id = ends
    edges: list[Edge] = []
    for label in labels:
        edges.append((kind.number, record_id, to_kind.number, to_id, label.id))
        edges.append((to_kind.number, to_id, kind.number, record_id, label.back))
    return edges


def move_all(portal: Portal, kind: ObjectType, old_ids: Sequence[int], new_id: int) -> None:
    """Hands the associations of merged records to the survivor; the old ids keep none."""
    store = portal.store
    for old in old_ids:
        forth, back = store.edges(kind.number, old), store.edges_back(kind.number, old)
        store.disassociate([*forth, *back])
        kept = [edge for edge in forth if not (edge[2] == kind.number and edge[3] in (*old_ids, new_id))]
        ends = {(edge[2], edge[3]) for edge in kept}
        store.associate((edge[0], new_id, *edge[2:]) for edge in kept)
        store.associate((edge[0], edge[1], edge[2], new_id, edge[4]) for edge in back if (edge[0], edge[1]) in ends)
