"""What the API refuses, in its own shape: a JSON array of `{message, errorCode, fields?}`."""

from __future__ import annotations


class ApiError(Exception):
    """The request as a whole is refused."""

    def __init__(self, status: int, code: str, message: str, *, fields: tuple[str, ...] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, object]]:
        """The body of the HTTP answer."""
        item: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            item["fields"] = list(self.fields)
        return [item]


class RecordError(ApiError):
    """One record is refused; in a collection the others go on."""

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(status, code, message, fields=fields)

    def result(self) -> dict[str, object]:
        """Its entry among the `errors` of a collection's result, where the code is called `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    return ApiError(404, "NOT_FOUND", message)


def bad_json(message: str) -> ApiError:
    """A body that is no JSON, or not what the resource takes; `located` adds where."""
    return ApiError(400, "JSON_PARSER_ERROR", message)


def located(error: ApiError, body: object) -> ApiError:
    """The error as the platform tells it: one about the body says at which line and column of it."""
    if error.code != "JSON_PARSER_ERROR" or "[line:" in error.message or not isinstance(body, bytes):
        return error
    text = body.decode("utf-8", "replace")
    place = max(0, text.find(error.message.rpartition(" ")[2]))
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    said = f"{error.message} or request may be missing a required field at [line:{line}, column:{column}]"
    return ApiError(error.status, error.code, said, fields=error.fields)


def no_such_record() -> RecordError:
    return RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
