"""Records by the hundred, with HubSpot's ways to fail: all, some, or in silence.

A batch without an `objectWriteTraceId` on every input is all or nothing for bad values (400) and conflicts (409);
with one on every input the bad inputs are told apart (207). Unknown ids never fail the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from refloop_sandbox.hubspot.call import Answer, Call, numeric_or_none
from refloop_sandbox.hubspot.errors import Body, Conflict, Issue, Refusal, bad_request, error_body, invalid_values
from refloop_sandbox.hubspot.json_body import mapping, texts
from refloop_sandbox.hubspot.portal import APP
from refloop_sandbox.hubspot.records import InvalidValues, archive, binned, live, update
from refloop_sandbox.hubspot.render import View
from refloop_sandbox.hubspot.routes.objects import (
    PAGE_WITH_HISTORY,
    find_by,
    make,
    prepare_change,
    prepare_new,
    shown_whole,
)
from refloop_sandbox.hubspot.store import Row

MAX_INPUTS = 100
Input = Mapping[str, Any]
Commit = Callable[[], dict[str, Any]]


def read_batch(call: Call) -> Answer:
    """Strongly consistent. One error names all the ids that were not found."""
    history = texts(call.body, "propertiesWithHistory")
    inputs = call.inputs(MAX_INPUTS)
    if history and len(inputs) > PAGE_WITH_HISTORY:
        raise bad_request(
            f"The maximum number of inputs supported in a batch request for property histories is {PAGE_WITH_HISTORY}. "
            "Please reduce the number of items and try again"
        )
    view = View(call.portal, call.kind, texts(call.body, "properties") or None, history)
    rows: dict[int, Row] = {}
    missing: list[str] = []
    for wanted in dict.fromkeys(str(item.get("id")) for item in inputs):
        row = _read(call, wanted)
        if row is None:
            missing.append(wanted)
        else:
            rows[row.id] = row
    results = [view.shown(row) for row in rows.values()]
    return _answer(call, results, [_not_found(call, missing)] if missing else [])


def _read(call: Call, wanted: str) -> Row | None:
    by = call.body.get("idProperty")
    if by and by != "hs_object_id":
        return find_by(call, str(by), wanted, "read")
    record_id = numeric_or_none(wanted)
    if record_id is None:
        return None
    store, kind = call.portal.store, call.kind
    if call.flag("archived"):
        return binned(call.portal, kind, record_id)
    if not call.portal.quirks.batch_read_follows_merges and store.survivor(kind.number, record_id) != record_id:
        return None
    return live(call.portal, kind, record_id)


def create_batch(call: Call) -> Answer:
    seen = _Seen(call)

    def plan(item: Input) -> Commit:
        values, targets = prepare_new(call, item)
        seen.note(values)
        return lambda: shown_whole(call, make(call, values, targets))

    results, errors = _written(call, call.inputs(MAX_INPUTS), plan, isolate=True)
    return _answer(call, results, errors, created=True)


def update_batch(call: Call) -> Answer:
    """Updates by id, or by a unique property. Ids that were merged away are left out without a word."""
    inputs = call.inputs(MAX_INPUTS)
    _refuse_duplicates(inputs)
    found = [(item, _addressed(call, item)) for item in inputs]
    rows = {id(item): row for item, row in found if row is not None}
    missing = [item for item, row in found if row is None and not _merged_away(call, item)]
    seen = _Seen(call)

    def plan(item: Input) -> Commit:
        row = rows[id(item)]
        values = prepare_change(call, item, row)
        seen.note(values)
        return lambda: _updated(call, row, item)

    known = [item for item in inputs if id(item) in rows]
    isolate = call.portal.quirks.isolates_invalid_updates
    results, errors = _written(call, known, plan, isolate=isolate, traced=_traced(inputs))
    if missing:
        errors.append(_not_found(call, [str(item.get("id")) for item in missing], missing))
    return _answer(call, results, errors)


def _updated(call: Call, row: Row, item: Input) -> dict[str, Any]:
    # the record is read again: an earlier input of the batch may have changed it
    now = live(call.portal, call.kind, row.id) or row
    values = prepare_change(call, item, now)
    new = update(call.portal, call.kind, now, values, APP)
    return View(call.portal, call.kind, list(values)).shown(new)


def _addressed(call: Call, item: Input) -> Row | None:
    by, wanted = item.get("idProperty"), str(item.get("id"))
    if by:
        return find_by(call, str(by), wanted, "update")
    record_id = numeric_or_none(wanted)
    if record_id is None:
        return None
    row = call.portal.store.get(call.kind.number, record_id)
    return row if row is not None and row.archived is None else None


def _merged_away(call: Call, item: Input) -> bool:
    record_id = numeric_or_none(item.get("id"))
    return record_id is not None and call.portal.store.survivor(call.kind.number, record_id) != record_id


def upsert_batch(call: Call) -> Answer:
    """Updates the record with a unique value, or creates it. By e-mail it is all or nothing."""
    inputs = call.inputs(MAX_INPUTS)
    _refuse_duplicates(inputs)
    seen = _Seen(call)

    def plan(item: Input) -> Commit:
        by, wanted = str(item.get("idProperty") or "hs_object_id"), str(item.get("id"))
        row = find_by(call, by, wanted, "upsert")
        if row is not None:
            seen.note(prepare_change(call, item, row))
            return lambda: {**_updated(call, row, item), "new": False}
        values, targets = prepare_new(call, {**item, "properties": {by: wanted, **mapping(item, "properties")}})
        seen.note(values)
        return lambda: {**shown_whole(call, make(call, values, targets)), "new": True}

    by_email = any(item.get("idProperty") == "email" for item in inputs)
    return _answer(call, *_written(call, inputs, plan, isolate=not by_email))


def archive_batch(call: Call) -> Answer:
    for item in call.inputs(MAX_INPUTS):
        record_id = numeric_or_none(item.get("id"))
        row = None if record_id is None else live(call.portal, call.kind, record_id)
        if row is not None:
            archive(call.portal, call.kind, row)
    return Answer(204)


class _Seen:
    """The unique values that a batch brings, each of which may come once."""

    def __init__(self, call: Call) -> None:
        definitions = call.portal.schema.properties(call.kind)
        self._names = {name for name, found in definitions.items() if found.unique}
        self._values: set[tuple[str, str]] = set()

    def note(self, values: Mapping[str, str]) -> None:
        """Raises InvalidValues when an earlier input has the same."""
        for pair in values.items():
            if pair[0] in self._names and pair[1]:
                if pair in self._values:
                    message = f"Duplicate value of unique property {pair[0]} found in batch input."
                    raise InvalidValues([Issue(pair[0], "CONFLICTING_UNIQUE_VALUE", message, pair[1])])
                self._values.add(pair)


def _traced(inputs: Iterable[Input]) -> bool:
    return all(item.get("objectWriteTraceId") for item in inputs)


def _written(
    call: Call,
    inputs: list[Input] | list[dict[str, Any]],
    plan: Callable[[Input], Commit],
    *,
    isolate: bool,
    traced: bool | None = None,
) -> tuple[list[dict[str, Any]], list[Body]]:
    """Plans all, then writes all. Nothing is written when a bad input cannot be told apart from the others."""
    apart = isolate and (_traced(inputs) if traced is None else traced)
    commits: list[tuple[Input, Commit]] = []
    errors: list[Body] = []
    issues: list[Issue] = []
    for item in inputs:
        try:
            commits.append((item, plan(item)))
        except InvalidValues as problem:
            issues += problem.issues
            errors.append(_told_apart(problem.refusal(call.portal), item))
        except Refusal as refusal:
            if not apart:
                raise
            errors.append(_told_apart(refusal, item))
    if issues and not apart:
        raise invalid_values(issues, call.portal.portal_id)
    return [_with_trace(commit(), item) for item, commit in commits], errors


def _with_trace(record: dict[str, Any], item: Input) -> dict[str, Any]:
    trace = item.get("objectWriteTraceId")
    return {**record, "objectWriteTraceId": trace} if trace else record


def _told_apart(refusal: Refusal, item: Input) -> Body:
    context = {**refusal.error.get("context", {}), "objectWriteTraceId": [item.get("objectWriteTraceId")]}
    if isinstance(refusal, Conflict):
        context["existingId"] = [str(refusal.existing_id)]
    kept = {key: value for key, value in refusal.error.items() if key != "errors"}
    return {**kept, "context": context}


def _not_found(call: Call, ids: list[str], items: Iterable[Input] = ()) -> Body:
    noun = call.kind.singular.upper()
    message = f"Could not get some {noun} objects, they may be deleted or not exist. Check that ids are valid."
    context: dict[str, list[str]] = {"ids": ids}
    traces = [str(item["objectWriteTraceId"]) for item in items if item.get("objectWriteTraceId")]
    if traces:
        context["objectWriteTraceId"] = traces
    return error_body(message, "OBJECT_NOT_FOUND", context=context)


def _refuse_duplicates(inputs: Iterable[Input]) -> None:
    counted = Counter(str(item.get("id")) for item in inputs)
    doubled = [wanted for wanted, times in counted.items() if times > 1]
    if doubled:
        message = f"Duplicate IDs found in batch input: [{', '.join(doubled)}]. IDs must be unique"
        raise bad_request(message, context={"ids": doubled})


def _answer(call: Call, results: list[dict[str, Any]], errors: list[Body], *, created: bool = False) -> Answer:
    """The results in no order at all."""
    call.portal.shuffle.shuffle(results)
    stamp = call.portal.stamp()
    body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": stamp, "completedAt": stamp}
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    if call.strict_rules:
        return Answer(200, body)
    return Answer(207 if errors else 201 if created else 200, body)
