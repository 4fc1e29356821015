"""Combinations of labels as integers: the codes of cells and the tree of nodes of a question."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.terms import Names

__all__ = ["MOST_NODES", "Codes", "Pivot", "cells_of", "chosen", "code_labels", "leaves"]

#: Most cells of a run, and most nodes of one answer.
MOST_NODES = 20_000

#: Possible pairs of codes per element up to which they are marked in a table and not sorted.
_MARKED = 8

type Index = NDArray[np.int64]


@dataclass(frozen=True)
class Codes:
    """Combinations of labels: ``values`` (one tuple each, sorted) and the code of each trade or cell."""

    labels: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    code: Index

    @functools.cached_property
    def columns(self) -> dict[str, Names]:
        """Each label of the combinations, (combination,)."""
        found = {}
        for column, label in enumerate(self.labels):
            texts = [values[column] for values in self.values]
            names = tuple(sorted(set(texts)))
            place = {name: at for at, name in enumerate(names)}
            found[label] = Names(np.array([place[text] for text in texts], np.int32), names)
        return found


@dataclass(frozen=True)
class Pivot:
    """A tree of labels over chosen trades or cells, every node before those below it, all in sorted order.

    rows : (chosen,), places of the chosen.   leaf : (chosen,), code of each one's deepest node.
    node : (leaf,), where the deepest nodes stand.   parent, depth : (node,).
    names : each label's text (node,), "" at nodes above it.
    """

    rows: Index
    leaf: Index
    node: Index
    parent: Index
    depth: Index
    names: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, labels: tuple[str, ...], columns: Mapping[str, Names], use: NDArray[np.bool_]) -> Pivot:
        """The tree ``labels`` over the elements to ``use``. UnknownName; BadSpec beyond ``MOST_NODES`` deepest nodes.

        >>> desk = Names(np.array([1, 0, 1], np.int32), ("FX", "Rates"))
        >>> tree = Pivot.of(("desk",), {"desk": desk}, np.array([True, True, True]))
        >>> tree.names["desk"].tolist(), tree.node[tree.leaf].tolist()
        (['', 'FX', 'Rates'], [2, 1, 2])
        """
        for label in labels:
            if label not in columns:
                raise UnknownName("label", label, columns)
        if len(set(labels)) < len(labels):
            raise BadSpec(f"labels {', '.join(labels)} name one twice; each once is right")
        rows = np.flatnonzero(use)
        levels = list(_levels(labels, columns, None if len(rows) == len(use) else rows, len(rows)))
        leaf = levels[-1].code
        leaves = len(levels[-1].above)
        if leaves > MOST_NODES:
            raise BadSpec(
                f"{leaves:,} nodes by {', '.join(labels)}; at most {MOST_NODES:,} are answered at once: "
                "narrow the question with where="
            )
        places = _places([level.above for level in levels])
        nodes = sum(map(len, places))
        parent, depth = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
        names = {label: np.full(nodes, "", dtype=object) for label in labels}
        for deep, (level, at) in enumerate(zip(levels, places, strict=True)):
            depth[at] = deep
            parent[at] = places[deep - 1][level.above] if deep else 0
            ancestor = np.arange(len(at))
            for high in range(deep, 0, -1):
                names[labels[high - 1]][at] = levels[high].text[ancestor]
                ancestor = levels[high].above[ancestor]
        return cls(rows, leaf, places[-1] if len(rows) else places[-1][:0], parent, depth, names)


@dataclass(frozen=True)
class _Level:
    """Nodes of one depth, sorted. above : (node,), in the level above.   text : (node,).   code : (element,)."""

    above: Index
    text: NDArray[Any]
    code: Index


def code_labels(labels: tuple[str, ...], columns: Mapping[str, Names], count: int) -> Codes:
    """The combinations of labels that occur, sorted, and the code of each of ``count`` elements.

    >>> desk = Names(np.array([1, 0, 1], np.int32), ("FX", "Rates"))
    >>> code_labels(("desk",), {"desk": desk}, 3).values
    (('FX',), ('Rates',))
    """
    values: list[tuple[str, ...]] = [()] if count else []
    code = np.zeros(count, np.int64)
    for level in list(_levels(labels, columns, None, count))[1:]:
        values = [(*values[up], text) for up, text in zip(level.above.tolist(), level.text.tolist(), strict=True)]
        code = level.code
    return Codes(labels, tuple(values), code)


def chosen(columns: Mapping[str, Names], where: Mapping[str, Any] | None, count: int) -> NDArray[np.bool_]:
    """Which of ``count`` elements have, of each label in ``where``, one of its values. UnknownName for one nothing has.

    >>> desk = Names(np.array([1, 0, 1], np.int32), ("FX", "Rates"))
    >>> chosen({"desk": desk}, {"desk": "Rates"}, 3).tolist()
    [True, False, True]
    """
    use = np.ones(count, np.bool_)
    for label, values in (where or {}).items():
        if label not in columns:
            raise UnknownName("label", label, columns)
        names, wanted = columns[label].names, [values] if isinstance(values, str) else list(map(str, values))
        asked = set(wanted)
        if lost := asked - set(names):
            raise UnknownName(label, next(value for value in wanted if value in lost), names)
        held = np.array([name in asked for name in names] or [False], np.bool_)
        use &= held[columns[label].codes.ravel()]
    return use


def cells_of(labels: Mapping[str, Names], names: tuple[str, ...], count: int) -> Codes:
    """The run's cells. BadSpec beyond ``MOST_NODES``: such labels are better asked of the trades."""
    codes = code_labels(names, labels, count)
    if len(codes.values) > MOST_NODES:
        raise BadSpec(
            f"cell labels {', '.join(names)} make {len(codes.values):,} cells; at most {MOST_NODES:,} are kept in "
            "memory: leave the finest label out, it is answered from the trade blocks"
        )
    return codes


def leaves(nodes: xr.Dataset, labels: Sequence[str]) -> xr.DataArray:
    """P&L of the deepest nodes of the tree of ``labels``: (scenario), (label, scenario) or (node, scenario).

    nodes : as :meth:`riskgrid.result.Run.aggregate` has them. What measures take beside P&L is among the coordinates.
    """
    known = nodes.variables  # each of the dataset's own arrays would be made with all its coordinates
    deep = np.flatnonzero(known["depth"].values == len(labels))
    dim = labels[0] if len(labels) == 1 else "node"
    coords: dict[str, Any] = {name: (dim, known[name].values[deep]) for name in (*labels, "coverage")}
    coords |= {name: known[name] for name in ("scenario", "weight", "batch") if name in known}
    values = known["pnl"].values
    told = {name: value for name, value in nodes.attrs.items() if name not in ("by", "answered_from")}
    made = xr.DataArray(
        values[deep] if len(deep) < len(values) else values,
        coords,
        (dim, "scenario"),
        name="pnl",
        attrs={**known["pnl"].attrs, **told},
    )
    return made if labels else made.isel(node=0, drop=True)


def _levels(labels: tuple[str, ...], columns: Mapping[str, Names], rows: Index | None, count: int) -> Iterator[_Level]:
    """The root, then a level a label; ``rows`` : of the columns, all by default."""
    code = np.zeros(count, np.int64)
    yield _Level(np.zeros(1, np.int64), np.array([""], dtype=object), code)
    nodes = 1
    for label in labels:
        texts = np.array(columns[label].names, dtype=object)
        order = np.argsort(texts.astype(str), kind="stable")
        rank = np.empty(len(texts), np.int64)
        rank[order] = np.arange(len(texts))
        codes = columns[label].codes.ravel()
        # label by label, because the product of all their counts may leave int64
        found, code = _distinct(code * len(texts) + rank[codes if rows is None else codes[rows]], nodes * len(texts))
        nodes = len(found)
        yield _Level(found // max(len(texts), 1), texts[order[found % max(len(texts), 1)]], code)


def _distinct(pairs: Index, possible: int) -> tuple[Index, Index]:
    """The pairs that occur, ascending, and the place of each element's pair among them."""
    if possible > max(_MARKED * len(pairs), 1 << 12):
        found, code = np.unique(pairs, return_inverse=True)
        return found, code.astype(np.int64)
    marked = np.zeros(possible, np.bool_)
    marked[pairs] = True
    place = np.cumsum(marked) - 1
    return np.flatnonzero(marked), place[pairs]


def _places(above: list[Index]) -> list[Index]:
    """Where each node of each level stands in the tree: behind its parent, its elder siblings and all below them."""
    sizes = [np.ones(len(one), np.int64) for one in above]
    for deep in range(len(above) - 1, 0, -1):
        np.add.at(sizes[deep - 1], above[deep], sizes[deep])
    places = [np.zeros(1, np.int64)]
    for deep in range(1, len(above)):
        before = np.cumsum(sizes[deep]) - sizes[deep]
        eldest = np.searchsorted(above[deep], above[deep])
        places.append(places[-1][above[deep]] + 1 + before - (before[eldest] if len(before) else 0))
    return places
