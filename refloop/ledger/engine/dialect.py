"""How a database writes what SQL has no common form for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_JSON_TEXT = re.compile(r"\bjson_text\(([\w.]+), ([\w.]+|\?)\)")
_TABLE = re.compile(r"(?P<made>CREATE (?:TEMPORARY )?TABLE .*\))(?P<by_key> STORED BY KEY)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Dialect:
    r"""The words of the ledger's statements that a database writes in its own way.

    Everything else in a statement is understood by SQLite and PostgreSQL alike, and a test holds that.

    ordered_join:   ORDERED JOIN, tables that are joined in the order in which they stand: a planner that knows nothing
                    of how small a selection is would go through the large table instead.
    same, differs:  IS NOT DISTINCT FROM and IS DISTINCT FROM, for which two missing values are equal.
    json_text:      json_text(column, name), the text that a JSON object has under a name; \1 and \2 stand for the two.
    numbered_key:   NUMBERED KEY, the type of a key that the database counts up itself.
    table:          what ends a CREATE TABLE.
    table_by_key:   the same of one that is STORED BY KEY, whose rows lie in the order of their key.
    guards:         the statements by which rows of {table} are added and never edited, but by who erases.
    """

    ordered_join: str
    same: str
    differs: str
    json_text: str
    numbered_key: str
    table: str
    table_by_key: str
    guards: tuple[str, ...]

    def spelled(self, sql: str) -> str:
        """A statement as this database writes it."""
        sql = sql.replace("ORDERED JOIN", self.ordered_join)
        sql = sql.replace("IS NOT DISTINCT FROM", self.same).replace("IS DISTINCT FROM", self.differs)
        sql = _JSON_TEXT.sub(self.json_text, sql)
        if made := _TABLE.fullmatch(sql):
            sql = made["made"] + (self.table_by_key if made["by_key"] else self.table)
            sql = sql.replace("NUMBERED KEY", self.numbered_key)
        return sql

    def guarding(self, table: str) -> list[str]:
        """The statements that guard a table."""
        return [guard.format(table=table) for guard in self.guards]
