"""simple-salesforce as refloop loads it: without zeep and lxml until somebody asks for the Metadata API over SOAP."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_METADATA = "simple_salesforce.metadata"


class _StandIn(ModuleType):
    """Is found in the place of `simple_salesforce.metadata` while simple-salesforce is loaded."""

    @staticmethod
    def SfdcMetadataApi(*args: Any, **named: Any) -> Any:  # noqa: N802 - the class whose place it takes
        """An object of the class of that name: the first one loads the module."""
        return import_module(_METADATA).SfdcMetadataApi(*args, **named)


def _load() -> ModuleType:
    """simple-salesforce loads its SOAP client with all else (1.12.10, api.py), which refloop never calls: it takes a
    fifth of the memory of a tick. Whoever calls it in the same process gets it."""
    if "simple_salesforce" in sys.modules:
        return import_module("simple_salesforce.api")
    sys.modules[_METADATA] = _StandIn(_METADATA)
    try:
        return import_module("simple_salesforce.api")
    finally:
        del sys.modules[_METADATA]


_load()

from simple_salesforce.api import Salesforce as Salesforce  # noqa: E402 - after it was loaded without its SOAP client
from simple_salesforce.exceptions import SalesforceError as SalesforceError  # noqa: E402 - as above
