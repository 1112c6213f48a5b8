"""The commands around the local CRMs. They need an extra, so what serves them is imported when it is asked for."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from refloop.commands.console import err, out

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


def demo(data: DataOption = None, dates: DatesOption = None) -> None:
    """Run the whole loop on a local Salesforce and HubSpot with a made-up company, and show it closed."""
    from refloop.commands.local_crms import own_data, run_demo

    run_demo(out, err, own_data(data, dates))


def sandbox(
    data: DataOption = None,
    dates: DatesOption = None,
    salesforce_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8801,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8802,
) -> None:
    """Serve the local Salesforce and HubSpot until stopped, for the CLI, the SDKs or curl."""
    from refloop.commands.local_crms import own_data, serve

    serve(out, err, own_data(data, dates), (salesforce_port, hubspot_port))
