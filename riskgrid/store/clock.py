"""The database's clock: the only one that leases, orders and ages go by, since hosts disagree."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["after", "age", "arrival", "now", "stamp"]


class now(FunctionElement[float]):  # noqa: N801  # reads as the SQL function it is
    """Seconds since 1970 at the moment of evaluation, not of the transaction's start."""

    type = sa.Double()
    inherit_cache = True


class stamp(FunctionElement[str]):  # noqa: N801
    """The same moment in ISO 8601, UTC; such texts sort as their moments do."""

    type = sa.Text()
    inherit_cache = True


class after(FunctionElement[str]):  # noqa: N801
    """The moment so many seconds from now, as :class:`stamp` writes it."""

    type = sa.Text()
    inherit_cache = True


class age(FunctionElement[float]):  # noqa: N801
    """Seconds since the moment of an ISO 8601 text."""

    type = sa.Double()
    inherit_cache = True


class arrival(FunctionElement[Any]):  # noqa: N801
    """What orders the runs of one moment: as they came where the database knows, else by id."""

    type = sa.types.NULLTYPE
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    # unixepoch('subsec') is NULL before SQLite 3.42
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: now, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "extract(epoch from clock_timestamp())::double precision"


@compiles(stamp, "sqlite")
def _stamp_sqlite(element: stamp, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')"


@compiles(stamp, "postgresql")
def _stamp_postgresql(element: stamp, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return """to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


@compiles(after, "sqlite")
def _after_sqlite(element: after, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', ({seconds}) || ' seconds')"


@compiles(after, "postgresql")
def _after_postgresql(element: after, compiler: Any, **options: Any) -> str:
    moment = f"clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **options)})"
    return f"""to_char(({moment}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


@compiles(age, "sqlite")
def _age_sqlite(element: age, compiler: Any, **options: Any) -> str:
    return f"((julianday('now') - julianday({compiler.process(element.clauses, **options)})) * 86400.0)"


@compiles(age, "postgresql")
def _age_postgresql(element: age, compiler: Any, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"extract(epoch from clock_timestamp() - ({moment})::timestamptz)::double precision"


@compiles(arrival, "sqlite")
def _arrival_sqlite(element: arrival, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "run.rowid"


@compiles(arrival, "postgresql")
def _arrival_postgresql(element: arrival, compiler: Any, **options: Any) -> str:  # noqa: ARG001
    return "run.run_id"
