"""Backups as they lie on the disk: compressed, and read back once before they count."""

from __future__ import annotations

import gzip
import shutil
import zlib
from pathlib import Path
from typing import BinaryIO

from refloop.errors import LedgerError

_GZIP = b"\x1f\x8b"
_LEVEL = 1
"""The fastest: the usual one takes twice the time for a seventh less (506 MB: 98 or 84 MB, in 5 or 10 s)."""
_PIECE = 1 << 20


def pack(plain: Path, packed: Path) -> None:
    """Compresses a file into an empty one, and reads back what it wrote. Raises OSError; LedgerError when the disk
    gives back something else."""
    # without a time in it: the same content is the same file
    with plain.open("rb") as source, packed.open("wb") as file:
        with gzip.GzipFile("", "wb", _LEVEL, file, 0) as target:
            shutil.copyfileobj(source, target, _PIECE)
        source.seek(0)
        written = _checksum(source)
    with _opened(packed) as read_back:
        if _checksum(read_back) != written:
            raise _damaged(packed)


def unpack(packed: Path, plain: Path) -> None:
    """Writes what a backup holds into an empty file; one of an earlier refloop is not compressed. Raises OSError,
    LedgerError when it is damaged."""
    with _opened(packed) as source, plain.open("wb") as target:
        try:
            shutil.copyfileobj(source, target, _PIECE)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise _damaged(packed) from error


def head_of(packed: Path) -> bytes:
    """How what a backup holds begins: a hundred bytes, fewer where it ends or is damaged before. Raises OSError."""
    with _opened(packed) as source:
        try:
            return source.read(100)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            return b""


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
    return gzip.open(path) if is_packed else path.open("rb")  # type: ignore[return-value]  # read alike


def _checksum(file: BinaryIO) -> int:
    checksum = 0
    while piece := file.read(_PIECE):
        checksum = zlib.crc32(piece, checksum)
    return checksum


def _damaged(path: Path) -> LedgerError:
    return LedgerError(
        f"{path} is damaged: it does not hold what was written to it",
        remedy="Take another backup: `refloop ledger restore FILE`.",
    )
