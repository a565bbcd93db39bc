"""The address of a todo's owner as an expression of SQL, which has an index."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Text, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class OwnerAddress(FunctionElement[str]):
    """The address in a column with todos, in the lower case of the database.

    A database uses an index of an expression for the very same expression only, without parameters in it. So
    it is written here, and not with SQLAlchemy's own operators for JSON.
    """

    type = Text()
    inherit_cache = True

    def __init__(self, todo: Column[Any]) -> None:
        super().__init__(todo)

    def is_of(self, address: str) -> ColumnElement[bool]:
        """Whether it is that address, in any case: SQLite knows only the case of ASCII letters."""
        return self.in_((address.lower(), func.lower(address)))


@compiles(OwnerAddress, "sqlite")
def _on_sqlite(element: OwnerAddress, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower(json_extract({compiler.process(element.clauses, **options)}, '$.owner.email'))"


@compiles(OwnerAddress, "postgresql")
def _on_postgresql(element: OwnerAddress, compiler: SQLCompiler, **options: Any) -> str:
    return f"lower(({compiler.process(element.clauses, **options)} -> 'owner') ->> 'email')"
