"""The commands around the local CRMs. They need an extra, so what serves them is imported when it is asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from refloop.commands.console import err, out
from refloop.commands.crm_folder import sandbox_folder

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="Load your own exports instead: a folder of tables, one table, or - for standard input (docs/exports.md).",
    ),
]


class Dates(StrEnum):
    """How your exports write 03/04/2026."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


DatesOption = Annotated[
    Dates | None, typer.Option("--dates", help="How your exports write dates like 03/04/2026, where no row shows it.")
]


DirOption = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        envvar="REFLOOP_SANDBOX_DIR",
        help="Where credentials and records are kept between two starts; by default a folder of the user's data.",
    ),
]


def demo(
    data: DataOption = None,
    dates: DatesOption = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Keep all of it in this new folder: configuration, ledger, and what the CRMs hold."
        ),
    ] = None,
) -> None:
    """Run the whole loop on a local Salesforce and HubSpot with a made-up company, and show it closed."""
    from refloop.commands.demo_run import run_demo
    from refloop.commands.local_crms import own_data

    run_demo(out, err, own_data(data, dates), keep)


def sandbox(
    data: DataOption = None,
    dates: DatesOption = None,
    salesforce_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8801,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8802,
    folder: DirOption = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="Begin anew: throw away what the CRMs held, and the ledger that stands beside it."),
    ] = False,
) -> None:
    """Serve the local Salesforce and HubSpot until stopped, for the CLI, the SDKs or curl.

    What they hold, and their credentials, are there again at the next start. Other credentials: set
    REFLOOP_LOCAL_SALESFORCE_SECRET and REFLOOP_LOCAL_HUBSPOT_TOKEN.
    """
    from refloop.commands.demo_run import serve
    from refloop.commands.local_crms import own_data

    home = sandbox_folder(folder)
    serve(out, err, own_data(data, dates), home, ports=(salesforce_port, hubspot_port), new=new)
