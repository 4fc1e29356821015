"""What groups give: scopes and books, by a file of rights or by the names of the groups themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from riskgrid.books import Books
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.principal import SCOPES, scopes_of

__all__ = ["Grant", "Rights", "books_of", "named_grant"]

#: Labels that rights go by: every trade has them.
LABELS = ("region", "desk", "book")

_EXAMPLE = "{groups: {rates-desk: {scopes: [read, run], books: [{desk: Rates}]}, risk: {scopes: [read], books: all}}}"


@dataclass(frozen=True)
class Grant:
    """What a group or a person may. books : None for all.

    >>> rates, all_books = Grant(frozenset({"run"}), Books.of({"desk": "Rates"})), Grant(frozenset({"read"}), None)
    >>> joined = Grant.joined([rates, all_books])
    >>> sorted(joined.scopes), joined.books
    (['read', 'run'], None)
    """

    scopes: frozenset[str] = frozenset()
    books: Books | None = field(default_factory=Books)

    @classmethod
    def joined(cls, grants: Iterable[Grant]) -> Grant:
        """What several give together: every scope of any, every book of any."""
        listed = list(grants)
        scopes = frozenset[str]().union(*(each.scopes for each in listed))
        if any(each.books is None for each in listed):
            return cls(scopes, None)
        return cls(scopes, Books.of([choice for each in listed for choice in (each.books or Books()).to_list()]))


@dataclass(frozen=True)
class Rights:
    """Grants by group and by principal, as a file has them."""

    groups: Mapping[str, Grant]
    principals: Mapping[str, Grant]

    @classmethod
    def read(cls, path: Path) -> Rights:
        """From a YAML file. BadSpec names the place and says what is right.

        Its form: ``{groups: {NAME: {scopes: [read, run, admin], books: [{desk: Rates}]}}, principals: {...}}``, where
        ``books: all`` are all books and what is left out gives nothing.
        """
        try:
            raw = yaml.load(path.read_text(encoding="utf-8"), _OnceEach)
        except FileNotFoundError:
            raise BadSpec(f"no file {path}; rights are a YAML file, e.g. {_EXAMPLE}") from None
        except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
            raise BadSpec(f"{path}: not a YAML file of rights: {' '.join(str(error).split())}") from None
        if not isinstance(raw, Mapping) or not raw:
            raise BadSpec(f"{path}: holds no rights; groups, principals or both are right, e.g. {_EXAMPLE}")
        _check_keys(raw, ("groups", "principals"), str(path))
        return cls(_grants(raw, "groups", path), _grants(raw, "principals", path))

    def grant(self, name: str, groups: Collection[str]) -> Grant:
        """What a principal has by itself and by its groups. Groups that the file does not name give nothing."""
        found = [self.groups[group] for group in groups if group in self.groups]
        return Grant.joined([*found, self.principals.get(name, Grant())])


def named_grant(groups: Iterable[str]) -> Grant:
    """What groups give by their own names: ``region:EMEA``, ``desk:Rates``, ``book:FXF-1``, ``books:all``. No scope.

    >>> print(named_grant(["desk:Rates", "book:FXF-1", "canteen"]).books)
    book FXF-1; desk Rates
    >>> named_grant(["canteen"]).books == Books()
    True
    """
    chosen = []
    for group in groups:
        label, _, value = group.partition(":")
        if group == "books:all":
            return Grant(books=None)
        if label in LABELS and value:
            chosen.append({label: value})
    return Grant(books=Books.of(chosen))


def books_of(form: Any, place: str) -> Books | None:
    """Books that rights are to be given to; None for ``all``. BadSpec and UnknownName say where it was said.

    >>> books_of([{"desk": "Rats"}, {"dsk": "Rates"}], "rights.yaml, group 'rates'")
    Traceback (most recent call last):
    ...
    riskgrid.errors.BadSpec: rights.yaml, group 'rates': unknown label 'dsk'; did you mean 'desk'? known: 'book', \
'desk', 'region'
    """
    if form == "all":
        return None
    try:
        found = Books.of(form)
        found.check(LABELS)
    except (BadSpec, UnknownName) as error:
        raise BadSpec(f"{place}: {error}") from None
    return found


def _grants(raw: Mapping[str, Any], part: str, path: Path) -> Mapping[str, Grant]:
    named = raw.get(part, {})
    if not isinstance(named, Mapping) or not all(isinstance(name, str) and name for name in named):
        raise BadSpec(f"{path}: {part} are {named!r}; names with scopes and books are right, e.g. {_EXAMPLE}")
    return {name: _grant(form, f"{path}: {part[:-1]} '{name}'") for name, form in named.items()}


def _grant(form: Any, place: str) -> Grant:
    if not isinstance(form, Mapping):
        raise BadSpec(f"{place} is {form!r}; scopes and books are right, e.g. {{scopes: [read], books: all}}")
    _check_keys(form, ("scopes", "books"), place)
    scopes = form.get("scopes", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise BadSpec(f"{place}: scopes are {scopes!r}; a list of {', '.join(SCOPES)} is right")
    try:
        return Grant(scopes_of(scopes), books_of(form.get("books", []), place))
    except UnknownName as error:
        raise BadSpec(f"{place}: {error}") from None


def _check_keys(form: Mapping[Any, Any], known: tuple[str, ...], place: str) -> None:
    for key in form:
        if key not in known:
            raise BadSpec(f"{place}: {UnknownName('key', str(key), known)}")


class _OnceEach(yaml.SafeLoader):
    """Refuses a name that stands twice: YAML has the last one win without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for at, key in enumerate(keys):
            if key in keys[:at]:
                raise ValueError(
                    f"{key!r} stands twice, in line {node.value[at][0].start_mark.line + 1}; once is right"
                )
        return super().construct_mapping(node, deep)
