"""Statements that are compiled once and then given to the driver, on SQLite and on PostgreSQL.

SQLAlchemy's own way to execute one costs several times what the database does with it. Here it compiles the
statement, and converts the values of each row by the types of its columns; the driver gets the text and the
rows, or gives rows. The driver's errors become SQLAlchemy's. On SQLite, where a statement takes a few
microseconds, SQLAlchemy's events do not see it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import BindParameter, Connection, Dialect, Executable, bindparam

from .column_types import UtcDateTime
from .engine import read_by_driver, write_by_driver

_OPTIONS = {"preserve_rowcount": True}
#: How many times a parameter remembers in the driver's form: the rows of a batch have the same ones.
_TIMES = 8


class _Compiled:
    """A statement for one dialect: its text, and how a row becomes the driver's parameters."""

    def __init__(self, statement: Executable, dialect: Dialect, columns: Sequence[str]) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) or None)  # type: ignore[attr-defined]
        self.text = str(compiled)
        self.is_sqlite = dialect.name == "sqlite"
        self._constants: dict[str, Any] = dict(compiled.params)
        types: dict[str, Any] = {name: bind.type for bind, name in compiled.bind_names.items()}
        self._names: tuple[str, ...] = tuple(compiled.positiontup if compiled.positional else types)
        #: What the types of some parameters make of a value, by the places of these.
        self._convert = [
            (place, convert)
            for place, name in enumerate(self._names)
            if (convert := _converter(types[name], dialect)) is not None
        ]
        self._is_positional: bool = compiled.positional

    def parameters(self, row: Mapping[str, Any]) -> Any:
        every = {**self._constants, **row}
        values = [every[name] for name in self._names]
        for place, convert in self._convert:
            values[place] = convert(values[place])
        return values if self._is_positional else dict(zip(self._names, values, strict=True))


def _converter(type_: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """What the type of a parameter makes of a value for the driver; None if it leaves all as they are."""
    convert: Callable[[Any], Any] | None = type_.dialect_impl(dialect).bind_processor(dialect)
    if convert is not None and isinstance(type_, UtcDateTime) and dialect.name == "sqlite":
        return _remembering(convert)
    return convert


def _remembering(convert: Callable[[datetime | None], Any]) -> Callable[[datetime | None], Any]:
    known = lru_cache(_TIMES)(convert)
    # Times of another zone may be equal and yet two moments: in the hour that the clocks repeat (`fold`).
    return lambda time: known(time) if time is None or time.tzinfo is UTC else convert(time)


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
        if compiled.is_sqlite:
            return write_by_driver(connection, compiled.text, parameters)
        return connection.exec_driver_sql(compiled.text, parameters, execution_options=_OPTIONS).rowcount


class _Reader:
    """Makes rows of what the driver reads, by the types of a SELECT's columns."""

    def __init__(self, select: Any, dialect: Dialect) -> None:
        columns = select.selected_columns
        # None of our types asks for the type that the driver says a column has.
        convert = (one.type.dialect_impl(dialect).result_processor(dialect, None) for one in columns)
        self._convert = [(place, make) for place, make in enumerate(convert) if make is not None]
        row: Any = namedtuple("Row", columns.keys())  # type: ignore[misc]
        self._row: Callable[[Iterable[Any]], Any] = row._make

    def rows(self, found: Iterable[Sequence[Any]]) -> Sequence[Any]:
        return [self._row(self._converted(one)) for one in found]

    def _converted(self, row: Sequence[Any]) -> Sequence[Any]:
        if not self._convert:
            return row
        values = list(row)
        for place, make in self._convert:
            values[place] = make(values[place])
        return values


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
            statement = self._select([bindparam(name) for name in _names(size)])
            dialect = connection.dialect
            prepared = self._compiled[place] = _Compiled(statement, dialect, ()), _Reader(statement, dialect)
        compiled, reader = prepared
        every = [*keys, *([keys[-1]] * (size - len(keys)))]
        parameters = compiled.parameters(dict(zip(_names(size), every, strict=True)))
        if compiled.is_sqlite:
            return reader.rows(read_by_driver(connection, compiled.text, parameters))
        return reader.rows(connection.exec_driver_sql(compiled.text, parameters).all())


@cache
def _names(count: int) -> tuple[str, ...]:
    """The names of the parameters for so many keys."""
    return tuple(f"key_{number}" for number in range(count))
