"""What a local CRM holds, as a file: a SQLite database with its rows, and beside them its set-up as JSON."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

_SETUP = "kept_setup"


def write(path: Path, database: sqlite3.Connection, kind: str, setup: object) -> None:
    """Puts a file that only its owner may read in the place of `path`, whole or not at all. Raises OSError."""
    handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    os.close(handle)
    beside = Path(made)
    try:
        with closing(sqlite3.connect(beside)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")  # it takes its place when it is whole
            database.backup(copy)
            with copy:
                copy.execute(f"CREATE TABLE {_SETUP} (kind TEXT, setup TEXT)")
                copy.execute(f"INSERT INTO {_SETUP} VALUES (?, ?)", (kind, json.dumps(setup)))  # noqa: S608 - a constant
        beside.replace(path)
    except sqlite3.Error as error:
        beside.unlink(missing_ok=True)
        raise OSError(getattr(error, "sqlite_errorcode", 0), str(error)) from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read(path: Path, database: sqlite3.Connection, kind: str) -> Any:
    """Puts the rows of a file in the place of what `database` holds; gives the set-up.

    Raises ValueError for a file that `write` did not make of this kind of CRM.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            (found,) = copy.execute(f"SELECT kind, setup FROM {_SETUP}").fetchall()  # noqa: S608 - a constant
            if found[0] != kind:
                raise ValueError(f"{path.name} holds a {found[0]}, no {kind}")
            copy.backup(database)
        database.execute(f"DROP TABLE {_SETUP}")
        return json.loads(found[1])
    except sqlite3.Error as error:
        raise ValueError(f"{path.name} is no file of a local CRM ({error})") from None
