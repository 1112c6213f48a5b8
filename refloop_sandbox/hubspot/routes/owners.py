"""Who may own records: lists and single reads. HubSpot's API changes no owner."""

from __future__ import annotations

from typing import Any

from refloop_sandbox.hubspot.call import Answer, Call
from refloop_sandbox.hubspot.errors import bad_request, resource_not_found


def list_owners(call: Call) -> Answer:
    """A page of those who are there; of those who have left with `archived=true`. `after` is the next id."""
    email, after, limit = call.query.get("email", "").lower(), call.whole("after", 0), call.whole("limit", 100, 500)
    chosen = [
        owner
        for owner in call.portal.owners.listed(archived=call.flag("archived"))
        if owner.id >= after and email in ("", owner.email.lower())
    ]
    body: dict[str, Any] = {"results": [owner.shown() for owner in chosen[:limit]]}
    if len(chosen) > limit:
        body["paging"] = call.next_page(chosen[limit].id)
    return Answer(200, body)


def read_owner(call: Call) -> Answer:
    """One owner, by their id or, with `idProperty=userId`, by the user's."""
    by = call.query.get("idProperty", "id")
    if by not in ("id", "userId"):
        raise bad_request(f"idProperty must be one of [id, userId], got {by}.")
    for owner in call.portal.owners.listed(archived=call.flag("archived")):
        if call.parts["id"] == str(owner.id if by == "id" else owner.user_id):
            return Answer(200, owner.shown())
    raise resource_not_found()
