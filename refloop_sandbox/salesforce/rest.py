"""Resources around the records: the versions, query, limits, identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from refloop_sandbox.salesforce.call import Answer, Call
from refloop_sandbox.salesforce.errors import ApiError, not_found
from refloop_sandbox.salesforce.org import Org
from refloop_sandbox.salesforce.query import column_metadata
from refloop_sandbox.salesforce.store import quoted

OLDEST, NEWEST = 31, 68
_SEASONS = ("Spring", "Summer", "Winter")
_LARGEST_PAGE, _SMALLEST_PAGE = 2000, 200
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


def versions() -> Answer:
    """`GET /services/data`: free of charge and of login."""
    return Answer(body=[_version(number) for number in range(OLDEST, NEWEST + 1)])


def _version(number: int) -> dict[str, str]:
    # v66.0 is Spring '26; three releases a year, winter's named after the year to come
    year, season = divmod(number - 66, 3)
    label = f"{_SEASONS[season]} '{26 + year + (season == 2)}"
    return {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


def resources(org: Org, call: Call) -> Answer:
    names = ("composite", "limits", "query", "queryAll", "sobjects", "tooling", "jobs", "recent", "search")
    listed = {name: f"{call.root}/{name}" for name in names}
    return Answer(body={**listed, "identity": f"{call.base}/id/{org.id}/{call.user}"})


def query(org: Org, call: Call) -> Answer:
    return _query(org, call)


def query_all(org: Org, call: Call) -> Answer:
    return _query(org, call, deleted=True)


def tooling_query(org: Org, call: Call) -> Answer:
    return _query(org, call, tooling=True)


def _query(org: Org, call: Call, *, deleted: bool = False, tooling: bool = False) -> Answer:
    text, view = call.asked("q"), org.view(call, deleted=deleted, tooling=tooling)
    if call.query.get("columns", "").lower() == "true":
        return Answer(body=column_metadata(org.queries.compile(text, view)))
    if not tooling:
        return Answer(body=org.queries.first(text, view, root=call.root, batch=_batch(call)))
    return _tooling_page(org, org.queries.first(text, view, root=f"{call.root}/tooling", batch=_batch(call)))


def _tooling_page(org: Org, page: Mapping[str, Any]) -> Answer:
    """The Tooling API says a little more of a page (Tooling API Developer Guide, Query)."""
    records = page["records"]
    kind = records[0]["attributes"]["type"] if records else None
    locator = str(page["nextRecordsUrl"]).rpartition("/")[2] if "nextRecordsUrl" in page else None
    known = org.schema.get(str(kind))
    name = known.name if known else kind
    return Answer(body={"size": len(records), **page, "queryLocator": locator, "entityTypeName": name})


def _batch(call: Call) -> int:
    asked = _BATCH_SIZE.search(call.headers.get("sforce-query-options", ""))
    return min(max(int(asked[1]), _SMALLEST_PAGE), _LARGEST_PAGE) if asked else _LARGEST_PAGE


def query_more(org: Org, call: Call, locator: str) -> Answer:
    return Answer(body=org.queries.more(locator, org.view(call), root=call.root))


def tooling_more(org: Org, call: Call, locator: str) -> Answer:
    return _tooling_page(org, org.queries.more(locator, org.view(call), root=f"{call.root}/tooling"))


def limits(org: Org, call: Call) -> Answer:  # noqa: ARG001 - every resource takes the call
    left = org.daily_limit - org.used()
    fixed = {"DailyBulkApiBatches": 15_000, "DailyBulkV2QueryJobs": 10_000, "DailyBulkV2QueryFileStorageMB": 976_562}
    shown = {name: {"Max": most, "Remaining": most} for name, most in fixed.items()}
    return Answer(body={"DailyApiRequests": {"Max": org.daily_limit, "Remaining": left}, **shown})


def record_count(org: Org, call: Call) -> Answer:
    wanted = [name for name in call.query.get("sObjects", "").split(",") if name]
    counts = []
    for item in org.schema:
        if not item.tooling and (not wanted or item.name in wanted):
            count = org.store.execute(f"SELECT count(*) FROM {quoted(item.name)}").fetchone()[0]  # noqa: S608 - quoted()
            counts.append({"count": count, "name": item.name})
    return Answer(body={"sObjects": counts})


def recent(org: Org, call: Call) -> Answer:  # noqa: ARG001 - every resource takes both
    return Answer(body=[])


def identity(org: Org, call: Call, organization: str, user: str) -> Answer:
    row = org.store.row(org.schema.named("User"), user)
    if organization[:15] != org.id[:15] or row is None or user != call.user:
        raise not_found()
    return Answer(body=_person(org, call))


def user_info(org: Org, call: Call) -> Answer:
    return Answer(body=_person(org, call))


def _person(org: Org, call: Call) -> dict[str, object]:
    row = org.store.row(org.schema.named("User"), call.user)
    if row is None:
        raise ApiError(403, "Bad_OAuth_Token", "the token's user is gone")
    rest = f"{call.base}/services/data/v{{version}}/"
    url = f"{call.base}/id/{org.id}/{call.user}"
    return {
        "id": url, "sub": url, "user_id": call.user, "organization_id": org.id, "username": row["Username"],
        "preferred_username": row["Username"], "display_name": row["Name"], "name": row["Name"], "email": row["Email"],
        "active": bool(row["IsActive"]), "user_type": "STANDARD", "language": "en_US", "locale": "en_US",
        "utcOffset": 0, "is_app_installed": True,
        "urls": {
            "rest": rest, "sobjects": f"{rest}sobjects/", "query": f"{rest}query/", "custom_domain": call.base,
            "recent": f"{rest}recent/", "profile": f"{call.base}/{call.user}",
        },
    }  # fmt: skip
