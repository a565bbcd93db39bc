"""Statements that are compiled once and then given to the driver, on SQLite and on PostgreSQL.

SQLAlchemy's own way to execute one costs several times what the database does with it. Here it compiles the
statement, and converts the values of each row by the types of its columns; the driver gets the text and the
rows, or gives rows. It still wraps the driver's errors, and its events see the statement.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Executable, bindparam

_OPTIONS = {"preserve_rowcount": True}


class _Compiled:
    """A statement for one dialect: its text, and how a row becomes the driver's parameters."""

    def __init__(self, statement: Executable, dialect: Dialect, columns: Sequence[str]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) or None)  # type: ignore[attr-defined]
        self.text = str(compiled)
        self._constants: dict[str, Any] = dict(compiled.params)
        types: dict[str, Any] = {name: bind.type for bind, name in compiled.bind_names.items()}
        names: Iterable[str] = compiled.positiontup if compiled.positional else types
        #: The parameters in order, each with what its type makes of a value.
        self._convert: list[tuple[str, Callable[[Any], Any] | None]] = [
            (name, types[name].dialect_impl(dialect).bind_processor(dialect)) for name in names
        ]
        self._is_positional: bool = compiled.positional

    def parameters(self, row: Mapping[str, Any]) -> Any:
        constants = self._constants
        values = [
            (row[name] if name in row else constants[name])
            if convert is None
            else convert(row[name] if name in row else constants[name])
            for name, convert in self._convert
        ]
        if self._is_positional:
            return tuple(values)
        return dict(zip((name for name, _ in self._convert), values, strict=True))


class Prepared:
    """An INSERT, UPDATE or DELETE that is executed with rows of values."""

    def __init__(self, statement: Executable, columns: Sequence[str] = ()) -> None:
        """``columns`` are those that an INSERT has values for; other statements name their parameters."""
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, _Compiled] = {}

    def execute(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Execute it for each of the rows, at least one; returns how many rows it wrote in all.

        Each has a value for every parameter that is not part of the statement. Raises SQLAlchemy's errors.
        """
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self._statement, dialect, self._columns)
        parameters = [compiled.parameters(row) for row in rows]
        return connection.exec_driver_sql(compiled.text, parameters, execution_options=_OPTIONS).rowcount


class _Reader:
    """Makes rows of what the driver reads, by the types of a SELECT's columns."""

    def __init__(self, select: Any, dialect: Dialect) -> None:
        columns = select.selected_columns
        # None of our types asks for the type that the driver says a column has.
        self._convert = [one.type.dialect_impl(dialect).result_processor(dialect, None) for one in columns]
        self._row = namedtuple("Row", columns.keys())  # type: ignore[misc]

    def rows(self, found: Sequence[Any]) -> Sequence[Any]:
        if not any(self._convert):
            return found
        convert, row = self._convert, self._row
        return [
            row(*(value if make is None else make(value) for make, value in zip(convert, one, strict=True)))
            for one in found
        ]


class PreparedLookUp:
    """A SELECT about some keys, which are texts; its rows have names and ``_asdict``, as SQLAlchemy's."""

    def __init__(self, select: Callable[[Sequence[BindParameter[Any]]], Executable]) -> None:
        """``select`` makes the statement for so many keys."""
        self._select = select
        self._compiled: dict[tuple[str, int], tuple[_Compiled, _Reader]] = {}

    def rows(self, connection: Connection, keys: Sequence[str]) -> Sequence[Any]:
        """The rows about ``keys``, at least one of them. Raises SQLAlchemy's errors."""
        # A statement for each power of two: the last key fills the places that are left.
        size = 1 << (len(keys) - 1).bit_length()
        place = (connection.dialect.name, size)
        prepared = self._compiled.get(place)
        if prepared is None:
            statement = self._select([bindparam(f"key_{number}") for number in range(size)])
            dialect = connection.dialect
            prepared = self._compiled[place] = _Compiled(statement, dialect, ()), _Reader(statement, dialect)
        compiled, reader = prepared
        row = {f"key_{number}": key for number, key in enumerate(keys)}
        row |= {f"key_{number}": keys[-1] for number in range(len(keys), size)}
        return reader.rows(connection.exec_driver_sql(compiled.text, compiled.parameters(row)).all())
