"""The commands around the local CRMs. They need an extra, so what serves them is imported when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refloop.commands.console import err, out

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Load your own CSV exports instead (docs/exports.md).")
]


def demo(data: DataOption = None) -> None:
    """Run the whole loop on a local Salesforce and HubSpot with a made-up company, and show it closed."""
    from refloop.commands.local_crms import run_demo

    run_demo(out, err, data)


def sandbox(
    data: DataOption = None,
    salesforce_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8801,
    hubspot_port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8802,
) -> None:
    """Serve the local Salesforce and HubSpot until stopped, for the CLI, the SDKs or curl."""
    from refloop.commands.local_crms import serve

    serve(out, data, salesforce_port, hubspot_port)
