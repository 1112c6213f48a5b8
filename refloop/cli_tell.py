"""The commands that tell: how things stand, what ran, what was left for a person, why a record is as it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from refloop.errors import DataError
from refloop.model import Ref
from refloop.report import figures, text
from refloop.sync.session import Session
from refloop.terminal import JsonOption, opened, out, print_json, print_rows


def status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show how things stand: age of each pull, referrals, what waits for a person, the last run."""
    with opened(context) as work:
        now = work.clock()
        told: dict[str, Any] = {
            "connections": figures.connections(work.ledger, now),
            "summary": figures.summary(work.ledger),
            "refused": figures.refused(work.ledger),
            "quota": figures.quota(work.ledger),
            "last_run": next(iter(figures.runs(work.ledger, 1)), None),
        }
        if as_json:
            print_json(told)
            return
        columns = ("connection", "pulled_at", "age_seconds", "leads", "contacts", "deals")
        for row in told["quota"]:
            text.say(
                out, "{connection}: {used:,} of {limit:,} calls a day used, {ours:,} by the last run".format(**row)
            )
        if not text.table(out, told["connections"], columns):
            text.say(out, "nothing pulled yet: run `refloop sync`")
        text.totals(out, told["summary"])
        if told["refused"]:
            text.table(out, told["refused"][:20], ("connection", "kind", "id", "field", "after", "reason"))


def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List past runs."""
    columns = ("run", "command", "started_at", "ended_at", "exit", "problems")
    with opened(context) as work:
        print_rows(figures.runs(work.ledger, limit), columns, as_json, "no runs yet")


def explain(
    context: typer.Context,
    ref: Annotated[str, typer.Argument(help="A record (connection:kind:id, or its id alone), or a referral (rf_...).")],
    as_json: JsonOption = False,
) -> None:
    """Tell the whole story of a record or referral: what was read, decided on what evidence, written, and when."""
    with opened(context) as work:
        referral = figures.explain_referral(work.ledger, ref)
        if referral is not None:
            print_json(referral) if as_json else text.referral_story(out, referral)
            return
        stories = [figures.explain_record(work.ledger, found) for found in _named(work, ref)]
        told = [story for story in stories if story is not None]
        if not told:
            raise DataError(f"the ledger knows no record or referral {ref!r}", remedy="See `refloop referrals list`.")
        if as_json:
            print_json(told)
        else:
            for story in told:
                text.story(out, story)


def _named(work: Session, ref: str) -> list[Ref]:
    try:
        return [Ref.parse(ref)]
    except ValueError:
        return figures.refs_with_id(work.ledger, ref)


def review(context: typer.Context, as_json: JsonOption = False) -> None:
    """List what refloop did not decide, and why: unknown, ambiguous or expired codes, and the like."""
    columns = ("connection", "kind", "id", "doubt", "field", "evidence", "candidates")
    with opened(context) as work:
        print_rows(figures.questions(work.ledger), columns, as_json, "nothing left for review")
