"""Labels of all trades of a portfolio, in portfolio order: instruments sorted, then the rows of their tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from riskgrid.portfolio import Portfolio
from riskgrid.terms import Names

__all__ = ["TradeLabels", "by_instrument", "starts"]


class TradeLabels(Mapping[str, Names]):
    """Each label as names (trade,). ``load`` : the portfolio, asked for when a label is first looked up.

    also : labels that are empty where no trade has them, as of a run whose last trades with them have gone.
    """

    def __init__(self, load: Callable[[], Portfolio], also: Sequence[str] = ()) -> None:
        self._load, self._also = load, tuple(also)
        self._made: dict[str, Names] = {}

    def __getitem__(self, label: str) -> Names:
        if label in self._also and label not in self:
            return Names(np.zeros(len(self._load()), np.int32), ("",))
        if label not in self._made:
            parts = [self._load().label(label, name) for name in self._load().instruments]
            names = tuple(sorted({name for part in parts for name in part.names}))
            place = {name: at for at, name in enumerate(names)}
            codes = [
                np.array([place[name] for name in part.names], np.int32)[part.codes.ravel()]
                for part in parts
                if len(part)
            ]
            self._made[label] = Names(np.concatenate([*codes, np.zeros(0, np.int32)]).astype(np.int32), names)
        return self._made[label]

    def __contains__(self, label: object) -> bool:
        return label in list(self)  # no column is made, and none is looked up that is not there

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._load().label_names, "instrument", "currency")))

    def __len__(self) -> int:
        return len(list(iter(self)))


def by_instrument(portfolio: Portfolio, code: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """A column of all trades, (trade,), cut into those of each instrument."""
    first = starts(portfolio)
    sizes = {name: portfolio.tables[name].num_rows for name in portfolio.instruments}
    return {name: code[first[name] : first[name] + sizes[name]] for name in portfolio.instruments}


def starts(portfolio: Portfolio) -> dict[str, int]:
    """The place of each instrument's first trade."""
    sizes = [portfolio.tables[name].num_rows for name in portfolio.instruments]
    return dict(zip(portfolio.instruments, np.cumsum([0, *sizes]).tolist(), strict=False))
