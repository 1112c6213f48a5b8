"""What Bulk API 2.0 query and ingest jobs have in common (Bulk API 2.0 Developer Guide)."""

from __future__ import annotations

import csv
import io
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from refloop_sandbox.salesforce.errors import ApiError

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
FINISHED = ("JobComplete", "Failed", "Aborted")


class Lines:
    """CSV rows kept in a temporary file, so that a big result takes no memory and stays as it was."""

    def __init__(self, header: str) -> None:
        self.header = header
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the finalizer
        self._starts = array("Q", [0])
        self.close = weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def extend(self, rows: Iterable[str]) -> None:
        at = self._starts[-1]
        for row in rows:
            at += self._file.write(row.encode())
            self._starts.append(at)

    def page(self, start: int, count: int) -> bytes:
        """The header and up to `count` rows from `start`."""
        end = min(start + count, len(self))
        self._file.seek(self._starts[start])
        return self.header.encode() + self._file.read(self._starts[end] - self._starts[start])


@dataclass(slots=True)
class Job:
    """One job. It moves one state on at each look, `polls` looks in all: no clock decides."""

    id: str
    kind: str  # query or ingest
    operation: str
    sobject: str
    user: str
    version: str
    created: str
    state: str
    polls: int
    delimiter: str = "COMMA"
    line_ending: str = "LF"
    text: str = ""  # the query
    external_id: str = ""
    assign: bool = False
    data: bytearray = field(default_factory=bytearray)
    results: dict[str, Lines] = field(default_factory=dict)
    processed: int = 0
    failed: int = 0
    error: str = ""

    def shown(self) -> dict[str, object]:
        """The job's info, as creation and GET answer it."""
        info: dict[str, object] = {
            "id": self.id, "operation": self.operation, "object": self.sobject, "createdById": self.user,
            "createdDate": self.created, "systemModstamp": self.created, "state": self.state,
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(self.version),
            "lineEnding": self.line_ending, "columnDelimiter": self.delimiter,
        }  # fmt: skip
        if self.kind == "ingest":
            info["contentUrl"] = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
            info["jobType"] = "V2Ingest"
            if self.external_id:
                info["externalIdFieldName"] = self.external_id
        else:
            info["jobType"] = "V2Query"
        if self.error:
            info["errorMessage"] = self.error
        return info

    def detail(self) -> dict[str, object]:
        """The job's info with its counts."""
        info = self.shown()
        if self.state in FINISHED or self.state == "InProgress":
            info.update(numberRecordsProcessed=self.processed, retries=0, totalProcessingTime=0)
            if self.kind == "ingest":
                info.update(numberRecordsFailed=self.failed, apiActiveProcessingTime=0, apexProcessingTime=0)
        return info

    def advance(self) -> bool:
        """One look at a running job; True when the work is to be done now."""
        if self.state not in ("UploadComplete", "InProgress"):
            return False
        self.polls -= 1
        self.state = "InProgress"
        return self.polls <= 0


def csv_line(values: Sequence[object], job: Job) -> str:
    """One row in the job's format; every cell is quoted, as Salesforce does."""
    buffer = io.StringIO()
    delimiter, ending = DELIMITERS[job.delimiter], LINE_ENDINGS[job.line_ending]
    csv.writer(buffer, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL).writerow(values)
    return buffer.getvalue()


def csv_format(body: Mapping[str, object]) -> tuple[str, str]:
    """The delimiter and line ending that a job asks for."""
    delimiter, ending = str(body.get("columnDelimiter") or "COMMA"), str(body.get("lineEnding") or "LF")
    if delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
        raise ApiError(400, "INVALIDJOB", f"Unsupported columnDelimiter or lineEnding: {delimiter}, {ending}")
    if str(body.get("contentType") or "CSV") != "CSV":
        raise ApiError(400, "INVALIDJOB", f"Unsupported content type: {body.get('contentType')}")
    return delimiter, ending
