"""P&L of trades in named pieces, counted in ticks: sums at any node of any labels, and the trades that matter most."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import formulas
from riskgrid.errors import MoneyOverflow, UnknownName
from riskgrid.pivot import Pivot, chosen
from riskgrid.terms import Names

__all__ = ["Attribution"]


@dataclass(frozen=True)
class Attribution:
    """Pieces of P&L by trade. ticks : (trade, piece) int64, of 2^-bits of the currency.   labels : names (trade,)."""

    ticks: NDArray[np.int64]
    pieces: tuple[str, ...]
    labels: Mapping[str, Names]
    bits: int
    currency: str

    def to_dataset(self) -> xr.Dataset:
        """``pnl (trade, piece)`` and ``total (trade)`` in currency; labels are coordinates."""
        coords = {name: ("trade", column.texts()) for name, column in self.labels.items()}
        made = self._dataset("trade", self.ticks * 2.0**-self.bits, self._total * 2.0**-self.bits, coords)
        return made.assign_attrs(rounding_bound=0.5 * 2.0**-self.bits)  # of a trade alone; sums have more

    def by(self, labels: Sequence[str] | str = (), where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """``pnl (node, piece)`` and ``total (node)`` of the total and every node of the tree ``labels``, exact sums.

        ``trades (node)`` counts.   where : label to the values to keep.   UnknownName, BadSpec.
        """
        labels = (labels,) if isinstance(labels, str) else tuple(labels)
        tree = Pivot.of(labels, self.labels, chosen(self.labels, where, len(self.ticks)))
        whole = np.column_stack([self.ticks, self._total, np.full(len(self.ticks), 1 << self.bits, np.int64)])
        sums = np.empty((len(tree.parent), whole.shape[1]))
        if not formulas.sum_tree(whole, tree.rows, tree.node[tree.leaf], tree.parent, 2.0**-self.bits, out=sums):
            raise MoneyOverflow("the pieces of P&L of a node")
        coords = {"depth": ("node", tree.depth), **{label: ("node", texts) for label, texts in tree.names.items()}}
        made = self._dataset("node", sums[:, :-2], sums[:, -2], coords)
        made["trades"] = ("node", sums[:, -1].astype(np.int64))
        made.attrs["by"] = list(labels)
        return made

    def trades(
        self, count: int = 10, *, piece: str | None = None, where: Mapping[str, Any] | None = None
    ) -> xr.Dataset:
        """The trades that lose most, in all or by one piece, worst first; ties keep the order of the trades."""
        if piece is not None and piece not in self.pieces:
            raise UnknownName("piece", piece, self.pieces)
        use = np.flatnonzero(chosen(self.labels, where, len(self.ticks)))
        found = self._total if piece is None else self.ticks[:, self.pieces.index(piece)]
        order = use[np.argsort(found[use], kind="stable")][:count]
        return self.to_dataset().isel(trade=order)

    @functools.cached_property
    def _total(self) -> NDArray[np.int64]:
        return np.asarray(self.ticks.sum(axis=1, dtype=np.int64))

    def _dataset(self, dim: str, parts: Any, total: Any, coords: Mapping[str, Any]) -> xr.Dataset:
        data = {"pnl": ((dim, "piece"), parts), "total": (dim, total)}
        piece = np.array(self.pieces, dtype=object)
        return xr.Dataset(data, {**coords, "piece": piece}, {"currency": self.currency})
