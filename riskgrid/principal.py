"""Who asks: a name, what it may do, and the books it may see."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from riskgrid.books import Books
from riskgrid.errors import Forbidden, UnknownName

__all__ = ["EVERYTHING", "SCOPES", "Principal", "included", "scopes_of"]

#: What a principal may do: look, ask for runs and what-ifs and name inputs, and look after the whole service. Each
#: includes those before it.
SCOPES = ("read", "run", "admin")


@dataclass(frozen=True)
class Principal:
    """Who asks. books : those it may see; None: all, and by default none.

    >>> desk = Principal("kim", frozenset({"read"}), Books.of({"desk": "Rates"}))
    >>> desk.require("run")
    Traceback (most recent call last):
    ...
    riskgrid.errors.Forbidden: 'kim' may read; this needs the scope 'run'
    """

    name: str
    scopes: frozenset[str] = frozenset({"read"})
    books: Books | None = field(default_factory=Books)

    def may(self, scope: str) -> bool:
        """Whether it has a scope, or one that includes it: an admin may run, and who runs may read."""
        return scope in included(self.scopes)

    def require(self, scope: str) -> None:
        """Forbidden where it does not have a scope."""
        if not self.may(scope):
            held = ", ".join(each for each in SCOPES if each in self.scopes) or "nothing"
            raise Forbidden(f"'{self.name}' may {held}; this needs the scope '{scope}'")

    def require_service(self) -> None:
        """Forbidden for all but an admin from whom nothing is hidden: who looks at the service sees all that it did.

        >>> Principal("kim", frozenset({"admin"}), Books.of({"desk": "Rates"})).require_service()
        Traceback (most recent call last):
        ...
        riskgrid.errors.Forbidden: 'kim' sees desk Rates; this needs all books
        """
        self.require("admin")
        if self.books is not None:
            raise Forbidden(f"'{self.name}' sees {self.books}; this needs all books")

    def sees_all(self, books: Books | None) -> bool:
        """Whether nothing in some books is hidden from it. books : None for all there are."""
        return self.books is None or (books is not None and self.books.covers(books))

    @property
    def rights(self) -> str:
        """The books as runs note them, see :attr:`riskgrid.store.RunRow.rights`."""
        return "" if self.books is None else self.books.key


#: Who runs riskgrid on a machine of its own: nothing is hidden from it.
EVERYTHING = Principal("local", frozenset(SCOPES), None)


def included(scopes: Collection[str]) -> frozenset[str]:
    """Scopes with all that they include.

    >>> sorted(included({"run"}))
    ['read', 'run']
    """
    return frozenset(scope for at, scope in enumerate(SCOPES) if any(each in scopes for each in SCOPES[at:]))


def scopes_of(names: Iterable[str]) -> frozenset[str]:
    """Scopes by name. UnknownName lists the known ones."""
    found = frozenset(names)
    for name in sorted(found - set(SCOPES)):
        raise UnknownName("scope", name, SCOPES)
    return found
