"""An object as it comes out of the store: verified where it was opened, and row by row where it is large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.errors import DamagedObject
from riskgrid.formulas import row_checksums

__all__ = ["Stored"]


@dataclass(frozen=True)
class Stored:
    """A stored object: plain values and read-only arrays, all verified but those of which rows are asked for.

    meta, arrays : what was verified when it was opened.
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    _by_row: Mapping[str, tuple[NDArray[Any], NDArray[np.uint64]]] = field(default_factory=dict, repr=False)
    _damaged: Callable[[str], DamagedObject] = field(default=DamagedObject, repr=False)

    def whole(self, name: str) -> NDArray[Any]:
        """An array, every row of it verified. DamagedObject where one is not what was written."""
        return self.verified(name, None)

    def rows(self, name: str, index: NDArray[np.int64]) -> NDArray[Any]:
        """These rows of an array, verified. DamagedObject where one is not what was written."""
        array, checksums = self._by_row[name]
        taken = array[index]
        self._compare(name, row_checksums(taken), checksums[index], index)
        return taken

    def verified(self, name: str, index: NDArray[np.int64] | None) -> NDArray[Any]:
        """The array where it lies, of which these rows alone are verified. DamagedObject as for :meth:`rows`."""
        array, checksums = self._by_row[name]
        if index is None:
            index = np.arange(len(array))
        self._compare(name, row_checksums(array, index), checksums[index], index)
        return array

    def held(self) -> Stored:
        """The same to be kept: what was verified when it was opened is copied out of its file."""
        return replace(self, arrays={name: np.array(array) for name, array in self.arrays.items()})

    def check(self) -> None:
        """Verify everything. DamagedObject."""
        for name in self._by_row:
            self.whole(name)

    def _compare(
        self, name: str, found: NDArray[np.uint64], written: NDArray[np.uint64], index: NDArray[np.int64]
    ) -> None:
        if (found == written).all():
            return
        wrong = index[found != written]
        more = f" and {len(wrong) - 1:,} more are" if len(wrong) > 1 else " is"
        raise self._damaged(f"row {int(wrong[0])} of '{name}'{more} not what was written")
