"""Creating, changing and archiving records: the checks of HubSpot, and what it works out by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from refloop_sandbox.hubspot.errors import Conflict, Issue, Refusal, invalid_values, required_values
from refloop_sandbox.hubspot.portal import APP, IMPORT, Portal, Writer
from refloop_sandbox.hubspot.schema import CONTACTS, DEALS, LEADS, ObjectType, object_type
from refloop_sandbox.hubspot.spelling import iso, parse_millis
from refloop_sandbox.hubspot.standard import STAGED, entered
from refloop_sandbox.hubspot.store import Change, Row
from refloop_sandbox.hubspot.values import checked, text_of

Values = dict[str, str]
"""What a write sets, by property; "" clears."""


class InvalidValues(Exception):  # noqa: N818 - says what was found
    """Values that HubSpot does not accept; several may go into one answer."""

    def __init__(self, issues: list[Issue]) -> None:
        super().__init__(", ".join(f"{issue.name}: {issue.code}" for issue in issues))
        self.issues = issues

    def refusal(self, portal: Portal) -> Refusal:
        return invalid_values(self.issues, portal.portal_id)


def prepare(portal: Portal, kind: ObjectType, raw: Mapping[str, Any], old: Mapping[str, str], writer: Writer) -> Values:
    """Checks what a write brings, against the record as it is. Raises InvalidValues, or Refusal for a shape."""
    values: Values = {}
    issues: list[Issue] = []
    for name, value in raw.items():
        if value is None:
            continue
        outcome = _one(portal, kind, name, text_of(name, value), old)
        if isinstance(outcome, Issue):
            issues.append(outcome)
        else:
            values[name] = outcome
    issues += _stage_issues(portal, kind, values, old)
    if issues:
        raise InvalidValues(issues)
    if writer is APP and _goes_back(portal.lifecycle, values, old):
        del values["lifecyclestage"]
    return values


def _one(portal: Portal, kind: ObjectType, name: str, text: str, old: Mapping[str, str]) -> str | Issue:
    definition = portal.schema.properties(kind).get(name)
    if definition is None:
        return Issue(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist', text)
    if definition.read_only or definition.calculated:
        what = "calculated" if definition.calculated else "read only"
        return Issue(name, "READ_ONLY_VALUE", f'"{name}" is a {what} property; its value cannot be set.', text)
    if text == "":
        return text
    if name == "hubspot_owner_id" and not portal.owners.may_own(text):
        return Issue(name, "INVALID_OWNER_ID", f"Owner {text} does not exist", text)
    return checked(definition, text, old.get(name, ""))


def _stage_names(kind: ObjectType) -> tuple[str, str] | None:
    if kind is DEALS:
        return "pipeline", "dealstage"
    return ("hs_pipeline", "hs_pipeline_stage") if kind is LEADS else None


def _stage_issues(portal: Portal, kind: ObjectType, values: Values, old: Mapping[str, str]) -> list[Issue]:
    """A stage must be in the record's pipeline; without one named, that is the first pipeline."""
    names = _stage_names(kind)
    if names is None or not set(names) & set(values):
        return []
    pipelines = portal.pipelines.all(kind)
    pipeline_name, stage_name = names
    pipeline_id = values.get(pipeline_name) or old.get(pipeline_name) or next(iter(pipelines))
    if pipeline_id not in pipelines:
        allowed = ", ".join(pipelines)
        message = f"{pipeline_id} was not one of the allowed options: [{allowed}]"
        return [Issue(pipeline_name, "INVALID_OPTION", message, pipeline_id)]
    stage_id = values.get(stage_name) or old.get(stage_name)
    if stage_id and stage_id not in pipelines[pipeline_id].stages:
        allowed = ", ".join(pipelines[pipeline_id].stages)
        message = f"{stage_id} was not one of the allowed options: [{allowed}]"
        return [Issue(stage_name, "INVALID_OPTION", message, stage_id)]
    return []


def _goes_back(order: Sequence[str], values: Values, old: Mapping[str, str]) -> bool:
    """HubSpot lifecycle stage docs: the API moves it forward only; to go back it must be cleared first."""
    new, now = values.get("lifecyclestage"), old.get("lifecyclestage")
    return bool(new and now in order and new in order and order.index(new) < order.index(now))


def check_required(portal: Portal, kind: ObjectType, values: Values, old: Mapping[str, str]) -> None:
    """The admin's rules, which versions from 2026-09 on enforce on API writes. Raises Refusal."""
    after = {**old, **values}
    missing = [
        rule.name
        for rule in portal.requirements
        if rule.object == kind.name
        and not after.get(rule.name)
        and all(after.get(name, "") == value for name, value in rule.when.items())
    ]
    if missing:
        raise required_values(kind.singular.upper(), missing)


def check_unique(portal: Portal, kind: ObjectType, values: Values, record_id: int | None) -> None:
    """Raises Refusal (409) when another contact has the e-mail, InvalidValues for other unique properties."""
    definitions = portal.schema.properties(kind)
    for name, value in values.items():
        if not value or not definitions[name].unique:
            continue
        holder = portal.store.owner_of(kind.number, name, value)
        if holder is None or holder == record_id:
            continue
        if name == "email":
            raise Conflict(kind.singular, holder)
        message = f"Cannot set the value of {name}. {holder} already has that value."
        raise InvalidValues([Issue(name, "CONFLICTING_UNIQUE_VALUE", message, value)])


def create(portal: Portal, kind: ObjectType, values: Values, writer: Writer) -> Row:
    """Stores a new record of values already prepared."""
    now = portal.now()
    record_id = portal.store.next_id(kind.number)
    start = {"hs_object_source": writer.source, "hs_object_source_label": writer.source}
    if kind is DEALS and values.get("dealstage"):
        start["pipeline"] = "default"
    row = Row(kind.number, record_id, now, now, None, start)
    return _written(portal, kind, row, values, writer)


def update(portal: Portal, kind: ObjectType, row: Row, values: Values, writer: Writer) -> Row:
    """Stores the changed record; its modified date moves even when nothing differs, if the account is like that."""
    same = all(row.props.get(name, "") == value for name, value in values.items())
    if not values or (same and not portal.quirks.identical_writes_bump):
        return row
    return _written(portal, kind, row, values, writer)


def _written(portal: Portal, kind: ObjectType, row: Row, values: Values, writer: Writer) -> Row:
    now = portal.now()
    swapped = _swapped(row, values) if kind is CONTACTS else {}
    changed = {**values, **swapped, **worked_out(portal, kind, row.props, values, now)}
    props = {name: value for name, value in {**row.props, **changed}.items() if value}
    new = row._replace(modified=now, props=props)
    for name, value in changed.items():
        if row.props.get(name, "") != value or (name in values and portal.quirks.identical_writes_are_history):
            _remember(portal, row, name, Change(now, value, *writer))
    portal.store.put(new, now)
    claim_all(portal, kind, [new])
    return new


def _remember(portal: Portal, row: Row, name: str, change: Change) -> None:
    """Keeps the old value of a loaded record too, which has no history until it is changed."""
    old = row.props.get(name)
    if old and not portal.store.history(row.object, row.id, name):
        portal.store.remember(row.object, row.id, name, imported(row, name, old))
    portal.store.remember(row.object, row.id, name, change)


def imported(row: Row, name: str, value: str) -> Change:
    """The one entry in the history of a value that a record was loaded with: a stage since it was entered."""
    kind = object_type(f"0-{row.object}")
    since = row.props.get(entered(kind, value)[0]) if STAGED.get(kind) == name else None
    return Change(parse_millis(since) if since else row.created, value, *IMPORT)


def worked_out(portal: Portal, kind: ObjectType, old: Mapping[str, str], values: Values, now: int) -> Values:
    """The calculated properties that follow from `values`."""
    facts = _entered(portal, kind, old, values, now)
    if kind is CONTACTS and values.get("email"):
        facts["hs_email_domain"] = values["email"].partition("@")[2]
    if kind is DEALS:
        facts |= {**_stage_facts(portal, old, values, now), **_amounts(portal, old, values)}
    return facts


def _entered(portal: Portal, kind: ObjectType, old: Mapping[str, str], values: Values, now: int) -> Values:
    """When the stage was entered that a record is now in."""
    name = STAGED.get(kind, "")
    stage_id = values.get(name)
    if not stage_id or stage_id == old.get(name):
        return {}
    known = portal.schema.properties(kind)
    return {date: iso(now) for date in entered(kind, stage_id) if date in known}


def _stage_facts(portal: Portal, old: Mapping[str, str], values: Values, now: int) -> Values:
    stage_id = values.get("dealstage")
    found = portal.pipelines.stage(DEALS, stage_id) if stage_id else None
    if found is None or stage_id == old.get("dealstage"):
        return {}
    stage = found[1]
    facts = {
        "hs_is_closed": str(stage.closed).lower(),
        "hs_is_closed_won": str(stage.won).lower(),
        "hs_is_closed_lost": str(stage.closed and not stage.won).lower(),
        "hs_deal_stage_probability": stage.metadata.get("probability", ""),
        "hs_closed_won_date": iso(now) if stage.won else "",
    }
    if stage.closed and not (values.get("closedate") or old.get("closedate")):
        facts["closedate"] = iso(now)
    return facts


def _amounts(portal: Portal, old: Mapping[str, str], values: Values) -> Values:
    """In the company's currency; without an exchange rate the amount of a foreign deal is taken as it is."""
    if not {"amount", "hs_exchange_rate", "dealstage"} & set(values):
        return {}
    after = {**old, **values}
    amount = after.get("amount", "")
    rate = after.get("hs_exchange_rate", "")
    foreign = after.get("deal_currency_code", portal.currency) != portal.currency
    home = str(round(float(amount) * float(rate), 6)) if amount and rate and foreign else amount
    stage = portal.pipelines.stage(DEALS, after.get("dealstage", ""))
    won = stage is not None and stage[1].won
    return {
        "amount_in_home_currency": home,
        "hs_closed_amount": amount if won else "",
        "hs_closed_amount_in_home_currency": home if won else "",
    }


def claim_all(portal: Portal, kind: ObjectType, rows: Iterable[Row]) -> None:
    """Makes the unique values of the records theirs, and lets go of those that they had before."""
    for row in rows:
        portal.store.release(kind.number, row.id)
        portal.store.claim(kind.number, [(*held, row.id) for held in unique_values(portal, kind, row)])


def unique_values(portal: Portal, kind: ObjectType, row: Row) -> list[tuple[str, str]]:
    """What no other record may hold beside this one, as (property, value): second addresses count as e-mail."""
    unique = [name for name, found in portal.schema.properties(kind).items() if found.unique]
    held = [(name, row.props[name]) for name in unique if row.props.get(name)]
    if kind is CONTACTS:
        held += [("email", other) for other in row.props.get("hs_additional_emails", "").split(";") if other]
    return list(dict.fromkeys(held))


def add_email(portal: Portal, row: Row, address: str, writer: Writer) -> Row:
    """Gives a contact a second address. Raises Conflict when another contact has it, InvalidValues for no address."""
    email = prepare(portal, CONTACTS, {"email": address}, row.props, writer)["email"]
    check_unique(portal, CONTACTS, {"email": email}, row.id)
    others = [one for one in row.props.get("hs_additional_emails", "").split(";") if one]
    if email in (row.props.get("email"), *others):
        return row
    return _written(portal, CONTACTS, row, {"hs_additional_emails": ";".join([*others, email])}, writer)


def _swapped(row: Row, values: Values) -> Values:
    """A second address that becomes the first changes places with it."""
    others = row.props.get("hs_additional_emails", "").split(";")
    email, first = values.get("email"), row.props.get("email")
    if not email or email not in others:
        return {}
    return {"hs_additional_emails": ";".join(first or "" if one == email else one for one in others).strip(";")}


BIN = 90 * 86_400_000
"""For how many milliseconds a deleted record can be read with `archived=true` and restored."""


def archive(portal: Portal, kind: ObjectType, row: Row) -> None:
    """To the bin, for 90 days; its associations and unique values are free again. The modified date stays."""
    now = portal.now()
    edges = [*portal.store.edges(kind.number, row.id), *portal.store.edges_back(kind.number, row.id)]
    portal.store.disassociate(edges)
    portal.store.bin(kind.number, row.id, edges)
    portal.store.release(kind.number, row.id)
    portal.store.put(row._replace(archived=now), now)


def restore(portal: Portal, kind: ObjectType, row: Row) -> None:
    """Out of the bin. Raises Conflict, or InvalidValues, when another record has taken a unique value meanwhile.

    HubSpot "restore deleted records": no contact comes back while another one has its e-mail.
    """
    for name, value in unique_values(portal, kind, row):
        check_unique(portal, kind, {name: value}, row.id)
    now = portal.now()
    back = row._replace(archived=None)
    portal.store.put(back, now)
    claim_all(portal, kind, [back])
    edges = portal.store.unbin(kind.number, row.id)
    if portal.quirks.restores_associations:
        ends = {(edge[2], edge[3]) for edge in edges if edge[:2] == (kind.number, row.id)}
        there = {end for end in ends if (found := portal.store.get(*end)) is not None and found.archived is None}
        portal.store.associate(edge for edge in edges if there & {edge[:2], (edge[2], edge[3])})


def erase(portal: Portal, kind: ObjectType, row: Row) -> None:
    """For good, with all that its properties ever held (HubSpot "permanent delete"): in no bin, under no id."""
    archive(portal, kind, row)
    portal.store.delete(kind.number, row.id, portal.now())
    portal.store.forget(kind.number, row.id)


def binned(portal: Portal, kind: ObjectType, record_id: int) -> Row | None:
    """The deleted record of an id while it can be restored."""
    row = portal.store.get(kind.number, record_id)
    kept = row is not None and row.archived is not None and row.archived > portal.now() - BIN
    return row if kept else None


def live(portal: Portal, kind: ObjectType, record_id: int) -> Row | None:
    """The record that an id leads to, through merges; None when there is none or it is archived."""
    row = portal.store.get(kind.number, portal.store.survivor(kind.number, record_id))
    return row if row is not None and row.archived is None else None


def loaded(portal: Portal, kind: ObjectType, given: Mapping[str, object]) -> Row:
    """A row to seed with: any property that exists, read-only ones too. Raises ValueError for what cannot be."""
    definitions = portal.schema.properties(kind)
    texts = {name: text_of(name, value) for name, value in given.items() if value is not None and value != ""}
    unknown = [name for name in texts if name not in definitions]
    if unknown:
        raise ValueError(f"{kind.name} have no property {unknown[0]!r}")
    props: Values = {}
    for name, text in texts.items():
        outcome = checked(definitions[name], text)
        if isinstance(outcome, Issue):
            raise ValueError(f"{kind.name}.{name}: {outcome.code}")
        props[name] = outcome
    return _placed(portal, kind, props)


def _placed(portal: Portal, kind: ObjectType, props: Values) -> Row:
    """Moves what are columns of the store out of the properties, and adds what follows from them."""
    now = portal.now()
    given_id = props.pop("hs_object_id", None)
    created = _instant(props.pop(kind.created, None), now)
    # contacts have hs_lastmodifieddate too, but nothing finds them by it
    modified = _instant(props.pop(kind.modified, None) or props.pop("hs_lastmodifieddate", None), created)
    if given_id is None:
        record_id = portal.store.next_id(kind.number)
    else:
        record_id = int(given_id)
        portal.store.note_id(kind.number, record_id)
    if kind is DEALS and "dealstage" in props:
        props.setdefault("pipeline", "default")
    if bad := _stage_issues(portal, kind, props, {}):
        raise ValueError(f"{kind.name}.{bad[0].name}: {bad[0].message}")
    ended = _instant(props.get("closedate"), modified) if kind is DEALS else created
    facts = worked_out(portal, kind, {}, props, ended)
    merged = {**facts, **props}
    return Row(
        kind.number, record_id, created, modified, None, {name: value for name, value in merged.items() if value}
    )


def _instant(text: str | None, default: int) -> int:
    return parse_millis(text) if text else default
