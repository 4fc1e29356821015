"""Where a catalogue lies: a file of SQLite or a database of PostgreSQL, told without its secrets."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from riskgrid.errors import BadSpec

__all__ = ["Address", "address_of"]

_RIGHT = "sqlite:///FILE or postgresql://USER@HOST/DATABASE is right"


@dataclass(frozen=True)
class Address:
    """The file of an embedded catalogue, or the URL of a served one; ``str`` has no name or password in it."""

    path: Path | None
    url: sa.URL = dataclasses.field(repr=False)

    def __str__(self) -> str:
        if self.path is not None:
            return str(self.path)
        port = f":{self.url.port}" if self.url.port else ""
        # a password with an @ that was not written as %40 ends in the host
        host = (self.url.host or "").rpartition("@")[2]
        return f"postgresql://{host}{port}/{self.url.database or ''}"

    @property
    def embedded(self) -> bool:
        """Whether it is a file that this process opens itself."""
        return self.path is not None


def address_of(where: Path | str) -> Address:
    """The address that a store's folder or a URL stands for. BadSpec for other databases."""
    if isinstance(where, str) and "://" not in where and re.match(r"(postgres|postgresql|sqlite)(\+\w+)?:", where):
        raise BadSpec(f"the address of the catalogue cannot be read; {_RIGHT}")
    if isinstance(where, Path) or "://" not in where:
        return _file(Path(where) / "catalogue.sqlite")
    try:
        url = sa.make_url(where)
    except (sa.exc.ArgumentError, ValueError):
        # the text itself may hold a password
        raise BadSpec(f"the address of the catalogue cannot be read; {_RIGHT}") from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise BadSpec(f"a catalogue in memory would be lost with its process; {_RIGHT}")
        return _file(Path(url.database))
    if kind not in ("postgres", "postgresql"):
        raise BadSpec(f"a catalogue cannot lie in {kind!r}; {_RIGHT}")
    return Address(None, url.set(drivername="postgresql+psycopg"))


def _file(path: Path) -> Address:
    whole = path.expanduser().absolute()
    return Address(whole, sa.URL.create("sqlite", database=str(whole)))
