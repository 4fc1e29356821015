"""Names of inputs: a portfolio, market or scenario set that is kept is found again by what somebody called it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from riskgrid.errors import NameTaken, UnknownName
from riskgrid.store import tables
from riskgrid.store.clock import stamp
from riskgrid.store.database import Database
from riskgrid.store.journal import noted

__all__ = ["NamedInput", "Names"]

#: Kinds of inputs that have names.
_KINDS = ("market", "portfolio", "scenarios")


@dataclass(frozen=True)
class NamedInput:
    """An input under a name. rights : the books of who named it, empty for all, see ``RunRow``."""

    kind: str
    name: str
    key: str
    principal: str
    created: str
    rights: str = ""


class Names:
    """Names that inputs were given, in the database of runs. where : as for :class:`~riskgrid.store.Catalogue`."""

    def __init__(self, where: Database | Path | str) -> None:
        self._database = Database(where)

    def keep(
        self, kind: str, name: str, key: str, principal: str = "", *, rights: str = "", owned: bool = False
    ) -> None:
        """Name an input. kind : ``portfolio``, ``market`` or ``scenarios``.   The latest input of a name has it.

        rights : the books of who names it, by which names are kept apart; NameTaken for one that everybody has, where
        they are not all.   owned : NameTaken for a name that another principal has given.
        """
        _check_kind(kind)
        values = {"kind": kind, "name": name, "key": key, "principal": principal, "rights": rights}
        named = tables.input_name.c
        holder = (
            sa.select(named.principal)
            .where(named.kind == kind, named.name == name, named.rights == sa.bindparam("whose"))
            .order_by(named.id.desc())
            .limit(1)
        )

        def work(connection: sa.Connection) -> None:
            everybodys = connection.scalar(holder, {"whose": ""}) if rights else None
            held = connection.scalar(holder, {"whose": rights}) if owned else None
            held = everybodys if everybodys is not None else held if held != principal else None
            if held is not None:
                raise NameTaken(f"the {kind} name '{name}' was given by '{held}'; another name is right")
            connection.execute(tables.input_name.insert().values(created=stamp()), values)
            noted(connection, principal, "name", name, {"kind": kind, "key": key})

        self._database.write(work)

    def key(self, kind: str, name: str) -> str:
        """The key of a named input. UnknownName lists the known ones."""
        known = self.known(kind)
        if name not in known:
            raise UnknownName(f"named {kind}", name, known)
        return known[name]

    def known(self, kind: str) -> Mapping[str, str]:
        """The keys of the named inputs of a kind, by name; without those of principals who see some books alone."""
        return {row.name: row.key for row in self.given(kind) if not row.rights}

    def given(self, kind: str) -> Sequence[NamedInput]:
        """Names of the inputs of a kind as they were given, earliest first: a later one takes an earlier's place."""
        _check_kind(kind)
        named = tables.input_name.c
        query = (
            sa.select(named.kind, named.name, named.key, named.principal, named.created, named.rights)
            .where(named.kind == kind)
            .order_by(named.id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [NamedInput(*row) for row in rows]


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise UnknownName("kind of input", kind, _KINDS)
