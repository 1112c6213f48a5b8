"""`refloop init`: a configuration of what was chosen, by flags, by answers, or all of the template to cut from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from refloop.atomic_file import replacing
from refloop.commands.console import err, out
from refloop.commands.crm_folder import sandbox_folder
from refloop.config import TEMPLATE, ConnectionSettings, write_new
from refloop.config.chosen import Chosen, chosen_config, secrets_in, to_fill_in
from refloop.config.document import Fault, Key
from refloop.config.faults import shown
from refloop.config.load import faults_in
from refloop.config.template import SCHEMA_NAME, is_there, schema_line
from refloop.connectors.base import connector_names, settings_class
from refloop.errors import ConfigError, DiskError, Exit
from refloop.report.lines import say


class SalesforceAuth(StrEnum):
    """How refloop signs in to Salesforce."""

    CLIENT_CREDENTIALS = "client_credentials"
    JWT = "jwt"
    ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of a method


class HubSpotAuth(StrEnum):
    """How refloop signs in to HubSpot."""

    SERVICE_KEY = "service_key"
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What somebody chose. `salesforce` is the org's address; what is None was not said."""

    salesforce: str | None = None
    salesforce_auth: SalesforceAuth | None = None
    client_id: str | None = None
    hubspot: bool = False
    hubspot_auth: HubSpotAuth | None = None
    mirrored: bool = False
    currency: str | None = None
    time_zone: str | None = None

    def connections(self) -> list[Chosen]:
        both = {"currency": self.currency, "time_zone": self.time_zone}
        found: list[Chosen] = []
        if self.salesforce is not None:
            url = self.salesforce if "://" in self.salesforce else f"https://{self.salesforce}"
            own = {"url": url, "client_id": self.client_id}
            found.append(Chosen("salesforce", self.salesforce_auth, _said({**own, **both})))
        if self.hubspot:
            mirror = {"mirror_of": "salesforce"} if self.mirrored else {}
            found.append(Chosen("hubspot", self.hubspot_auth, _said({**both, **mirror})))
        return found

    def config(self) -> str:
        return chosen_config(self.connections())

    def faults(self) -> list[Fault]:
        return faults_in(self.config(), _settings_of)


def _said(values: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value is not None}


def _settings_of(name: str) -> type[ConnectionSettings]:
    return settings_class(name)


def init(
    context: typer.Context,
    path: Annotated[Path | None, typer.Argument(help="Where to write it; by default what --config names.")] = None,
    salesforce: Annotated[
        str | None, typer.Option(metavar="URL", help="Work with this Salesforce org, by its My Domain address.")
    ] = None,
    salesforce_auth: Annotated[SalesforceAuth | None, typer.Option(help="How to sign in there.")] = None,
    client_id: Annotated[
        str | None, typer.Option(metavar="KEY", help="The consumer key of your app there, which is no secret.")
    ] = None,
    hubspot: Annotated[bool, typer.Option("--hubspot", help="Work with a HubSpot account.")] = False,
    hubspot_auth: Annotated[HubSpotAuth | None, typer.Option(help="How to sign in there.")] = None,
    mirrored: Annotated[
        bool, typer.Option("--mirrored", help="HubSpot's own Salesforce integration copies records between the two.")
    ] = False,
    currency: Annotated[
        str | None, typer.Option(metavar="CODE", help="The currency of amounts; by default the account's own.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Where your people read days; by default the account's own.")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Work with the local CRMs that `refloop sandbox` serves.")
    ] = False,
    sandbox_dir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", envvar="REFLOOP_SANDBOX_DIR", help="The folder that `refloop sandbox --dir` names."
        ),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help=f"Only write {SCHEMA_NAME} anew, as after an upgrade.")
    ] = False,
) -> None:
    """Write a commented config.yaml to start from, and its JSON schema for editors beside it.

    Without options it asks what to write, on a terminal; elsewhere it writes all that there is to cut from.
    """
    target: Path = path or context.obj
    wishes = Wishes(salesforce, salesforce_auth, client_id, hubspot, hubspot_auth, mirrored, currency, time_zone)
    _refuse_contradictions(wishes, sandbox=sandbox, schema=schema)
    if schema:
        _write_schema(target.parent / SCHEMA_NAME)
        say(out, f"wrote {target.parent / SCHEMA_NAME}")
        return
    if os.path.lexists(target):  # said before anybody answers a question in vain; write_new makes sure
        raise is_there(target)
    if sandbox:
        _write(target, *_of_the_sandbox(sandbox_dir))
        return
    if wishes == Wishes() and out.is_terminal and sys.stdin.isatty():
        wishes = _asked()
    _write(target, wishes.config() if wishes.connections() else TEMPLATE, [])


_OPTIONS = {
    ("salesforce", "url"): "--salesforce",
    ("salesforce", "client_id"): "--client-id",
    ("salesforce", "currency"): "--currency",
    ("salesforce", "time_zone"): "--time-zone",
    ("hubspot", "currency"): "--currency",
    ("hubspot", "time_zone"): "--time-zone",
}


def _option(key: Key) -> str:
    return next((name for place, name in _OPTIONS.items() if place == (key[1:2] + key[-1:])), shown(key))


def _refuse_contradictions(wishes: Wishes, *, sandbox: bool, schema: bool) -> None:
    """Raises typer.BadParameter for options that do not go together, or values that the loader would refuse."""
    alone = [name for name, given in (("--sandbox", sandbox), ("--schema", schema)) if given]
    if len(alone) > 1 or (alone and wishes != Wishes()):
        raise typer.BadParameter(f"{alone[0]} goes with none of the others")
    for given, name, needed, there in (
        (
            wishes.salesforce_auth or wishes.client_id,
            "--salesforce-auth and --client-id",
            "--salesforce",
            wishes.salesforce,
        ),
        (wishes.hubspot_auth, "--hubspot-auth", "--hubspot", wishes.hubspot),
        (wishes.mirrored, "--mirrored", "--salesforce and --hubspot", wishes.salesforce and wishes.hubspot),
        (
            wishes.currency or wishes.time_zone,
            "--currency and --time-zone",
            "--salesforce or --hubspot",
            wishes.salesforce or wishes.hubspot,
        ),
    ):
        if given and not there:
            raise typer.BadParameter(f"{name}: only with {needed}")
    if wishes.client_id and wishes.salesforce_auth is SalesforceAuth.ACCESS_TOKEN:
        raise typer.BadParameter("--client-id: an access token needs none")
    for fault in wishes.faults() if wishes.connections() else ():
        raise typer.BadParameter(f"{_option(fault.key)}: {fault.message}")


# -- what is written


def _write(target: Path, text: str, notes: list[str]) -> None:
    beside = target.parent / SCHEMA_NAME
    write_new(target, text)
    say(out, f"wrote {target}")
    if schema_line() in text:
        try:
            _write_schema(beside)
        except (ConfigError, DiskError) as error:  # the configuration is what was asked for
            say(err, f"{error.message}: your editor will not know the keys", "yellow")
    for line in (*_next_steps(target, text), *notes):
        say(out, line)


def _write_schema(path: Path) -> None:
    """Writes the schema of what is installed, also over an older one. Raises ConfigError for another file there."""
    from refloop.config.schema import TITLE, schema_text  # pydantic's part for it is loaded by nothing else

    text = schema_text({name: _settings_of(name) for name in connector_names()})
    try:
        if path.exists() and TITLE not in path.read_text(encoding="utf-8", errors="replace"):
            raise ConfigError(f"{path} is there already, and is no schema of refloop's", remedy="Move it away.")
        with replacing(path, mode=0o644) as file:
            file.write(text)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror}", remedy="Choose a folder you may write to.") from None


def _next_steps(target: Path, text: str) -> Iterator[str]:
    missing = list(to_fill_in(text))
    if missing:
        yield "Fill in: " + ", ".join(f"{key} (line {number})" for number, key in missing)
    variables = [place.removeprefix("env:") for place in secrets_in(text) if place.startswith("env:")]
    if variables:
        yield f"Set the environment variables: {', '.join(variables)}"
    for place in secrets_in(text):
        if place.startswith("file:~"):
            yield f"Put the secret into {place.removeprefix('file:')}, owned by you, mode 0600"
    option = "" if str(target) == "config.yaml" else f" --config {target}"
    yield f"Next: `refloop{option} check` says what is missing."


def _of_the_sandbox(folder: Path | None) -> tuple[str, list[str]]:
    """A configuration for the local CRMs, and what is to be said of it."""
    text, served = sandbox_folder(folder).last_config()
    about = (
        "# refloop against the local CRMs of `refloop sandbox`. No secret stands in this file, only where it is.\n\n"
    )
    return f"{schema_line()}{about}{text}", [f"It works while `refloop sandbox` serves {' and '.join(served)}."]


# -- questions


def _asked() -> Wishes:
    """Asks on the terminal. Each answer is asked again until the loader would take it."""
    try:
        say(out, "Which CRMs? Enter leaves one out; nothing is written before the last answer.")
        wishes = _answered(
            Wishes(),
            "Salesforce: your My Domain address, as https://acme.my.salesforce.com",
            lambda wishes, text: replace(wishes, salesforce=text),
        )
        if wishes.salesforce:
            wishes = _answered(
                wishes,
                "  the consumer key of your External Client App (Enter: later)",
                lambda wishes, text: replace(wishes, client_id=text),
            )
        wishes = replace(wishes, hubspot=typer.confirm("HubSpot?", default=False))
        if wishes.salesforce and wishes.hubspot:
            question = "Does HubSpot's own Salesforce integration copy records between the two?"
            wishes = replace(wishes, mirrored=typer.confirm(question, default=False))
        if wishes.connections():
            wishes = _answered(
                wishes,
                "The time zone in which your people read days, as Europe/Berlin (Enter: the account's own)",
                lambda wishes, text: replace(wishes, time_zone=text),
            )
        else:
            say(out, "None chosen: here is all that there is, to cut from.")
    except typer.Abort:
        say(err, "\nnothing was written")
        raise typer.Exit(Exit.INTERRUPTED) from None
    return wishes


def _answered(wishes: Wishes, question: str, with_answer: Callable[[Wishes, str], Wishes]) -> Wishes:
    """The wishes with an answer that the loader takes; as they are where there is none."""
    while text := str(typer.prompt(question, default="", show_default=False)).strip():
        tried = with_answer(wishes, text)
        faults = tried.faults()
        if not faults:
            return tried
        say(err, faults[0].message, "yellow")
    return wishes
