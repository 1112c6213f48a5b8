"""What comes back of a send: how long it may take, how much it may be, and the whole body within those bounds."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import requests

from refloop.connectors.http.errors import TooLarge
from refloop.errors import DiskError

_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, between two reads and for one send in total; bytes of a decompressed body.

    `download_total` and `download` stand for `total` and `body` where the body goes to a file.
    """

    connect: float = 5.0
    read: float = 20.0
    total: float = 60.0
    body: int = 16 * 1024 * 1024
    download_total: float = 600.0
    download: int = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its status, its headers (any case) and its strict JSON (None when it has no body).

    Its `repr` tells the status alone: an answer may hold a new token, or quote the request.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: Any = field(repr=False)


def whole_body(response: requests.Response, limit: int) -> bytes:
    """The decompressed body.

    Raises TooLarge past `limit` bytes, and what urllib3 raises for a body that is late or shorter than announced.
    """
    body = io.BytesIO()
    pour_body(response, body, limit)
    return body.getvalue()


def pour_body(response: requests.Response, sink: BinaryIO, limit: int) -> None:
    """Puts the decompressed body into `sink`, in place of what that holds, piece by piece.

    Raises as `whole_body`, and DiskError when `sink` cannot hold it.
    """
    size = 0
    _put(sink, b"", start=True)
    while piece := response.raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        if size > limit:
            raise TooLarge
        _put(sink, piece)


def _put(sink: BinaryIO, piece: bytes, *, start: bool = False) -> None:
    try:
        if start:
            sink.seek(0)
            sink.truncate()
        sink.write(piece)
    except OSError as error:
        failure = DiskError(
            f"a CRM's answer could not be kept: {error.strerror}", remedy="Free some disk space for temporary files."
        )
    else:
        return
    raise failure
