"""The command line: which commands there are, and how an error ends the process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from refloop import __version__, log
from refloop.commands import demo, init, inspect, intake, ledger, setup, sync
from refloop.commands.console import err, out
from refloop.commands.stopping import stopping
from refloop.commands.streams import patient
from refloop.errors import Declined, Exit, RefloopError
from refloop.report.lines import say

COMMANDS: Mapping[str, Callable[..., None]] = {
    "init": init.init,
    "check": setup.check,
    "provision": setup.provision,
    "sync": sync.sync,
    "backfill": sync.backfill,
    "plan": sync.plan,
    "apply": sync.apply,
    "undo": sync.undo,
    "status": inspect.status,
    "runs": inspect.runs,
    "explain": inspect.explain,
    "review": inspect.review,
    "unlock": ledger.unlock,
    "forget": ledger.forget_person,
    "demo": demo.demo,
    "sandbox": demo.sandbox,
}
GROUPS = {"codes": intake.codes_app, "referrals": intake.referrals_app, "ledger": ledger.ledger_app}

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Closes the referral loop inside your CRM: matches leads and deals to referral codes, writes outcomes back.",
)
for name, command in COMMANDS.items():
    app.command(name)(command)
for name, group in GROUPS.items():
    app.add_typer(group, name=name)


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"refloop {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", envvar="REFLOOP_CONFIG", help="The configuration file.")
    ] = Path("config.yaml"),
    log_file: Annotated[
        Path | None,
        typer.Option(
            "--log", metavar="FILE", envvar="REFLOOP_LOG", help="Log into this file, a line of JSON an event."
        ),
    ] = None,
    log_level: Annotated[
        log.Level | None,
        typer.Option(
            metavar="LEVEL",
            envvar="REFLOOP_LOG_LEVEL",
            help="Log error, warning, info or debug; without --log to standard error. By default info with --log, "
            "else nothing.",
        ),
    ] = None,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="Print without colours; so does the environment variable NO_COLOR.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    context.obj = config
    log.start(log_level, log_file)
    if no_color:
        out.no_color = err.no_color = True


def main() -> NoReturn:
    """The entry point: runs a command, and turns what it raises into a message and an exit code."""
    stopping.listen()
    with patient():
        code = _flushed(_ended())
        log.stop()  # while standard error is what it was begun with: the log closes any other stream
    stopping.leave()
    sys.exit(Exit.DISK if code in (None, Exit.OK) and log.has_failed() else code)


def _ended() -> str | int | None:
    """Runs a command. Gives the code with which it ended."""
    try:
        app(prog_name="refloop")
    except SystemExit as stop:
        if words := stopping.last_words(stop.code):
            say(err, words, "yellow")
        return stop.code
    except KeyboardInterrupt:  # typer makes an exit of it, but for the moments before it begins and after it ends
        say(err, stopping.last_words(Exit.INTERRUPTED) or "", "yellow")
        return Exit.INTERRUPTED
    except Exception as error:
        return _reported(error)
    return Exit.OK


_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def _flushed(code: str | int | None) -> str | int | None:
    """Writes out what standard output still holds: the interpreter would do it after the last word about it."""
    try:
        sys.stdout.flush()
    except OSError as error:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends
        return _reported(error) if error.errno in _DISK_ERRORS else code
    return code


_OF_THE_LOCAL_CRMS = ("refloop_sandbox", "starlette", "uvicorn", "lark")


def _reported(error: Exception) -> Exit:
    """Prints and logs what ended a command. Of a bug, only where it is: its own words may quote a record."""
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in _OF_THE_LOCAL_CRMS:
        say(err, 'refloop: the local CRMs are not installed: pip install "refloop[sandbox]"', "red")
        return Exit.USAGE
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        log.error("output lost", problem=error.strerror)
        say(err, f"refloop: cannot write the output: {error.strerror}; what the command did is kept", "red")
        return Exit.DISK
    if isinstance(error, RefloopError):
        log.error("command failed", exit=int(error.exit), problem=error.message)
        if not error.said:
            say(err, f"refloop: {error}", "yellow" if isinstance(error, Declined) else "red")
        return error.exit
    frames = log.frames_of(error)
    log.error("bug", frames=frames)
    say(err, "refloop: a bug, please report it with these lines (they hold no data of yours):", "red")
    for frame in frames:
        say(err, f"  {frame}")
    return Exit.BUG


if __name__ == "__main__":
    main()
