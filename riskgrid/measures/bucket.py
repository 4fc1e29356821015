"""Sums of sensitivities by bucket: by curve and tenor, by expiry and moneyness, by issuer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.conventions import tenor_years
from riskgrid.errors import BadSpec, UnknownName

__all__ = ["BUCKETS", "bucket"]

#: Coordinates of ``factor`` that sensitivities can be added up by.
BUCKETS = ("kind", "name", "tenor", "moneyness", "unit", "space")

type Values = NDArray[np.float64]
type Places = NDArray[np.intp]


def bucket(sensitivities: xr.DataArray, by: Sequence[str] = ("name", "tenor")) -> xr.DataArray:
    """Sums of sensitivities over ``factor``, (..., bucket), by some of :data:`BUCKETS`; in order of tenor, moneyness.

    Bumps of several units in one bucket have no sum, nor have those of one curve in par and in zero space, which move
    it twice: BadSpec names them; ``by`` a kind or the space, or a choice before, is right.
    The buckets say their ``unit``. Sums of gammas leave the cross gammas out.
    """
    for name in by:
        if name not in BUCKETS:
            raise UnknownName("bucket", name, BUCKETS)
    if not by:
        raise BadSpec(f"a bucket is by one coordinate or more; known: {', '.join(BUCKETS)}")
    columns = {name: sensitivities[name].values.astype(str) for name in BUCKETS}
    if not sensitivities.sizes["factor"]:
        empty = np.zeros((*sensitivities.transpose(..., "factor").shape[:-1], 0))
        return _bucketed(sensitivities, empty, {name: columns[name] for name in by})
    keys = np.stack([_ranks(name, columns[name]) for name in by])
    order = np.lexsort(keys[::-1])
    change = (np.diff(keys[:, order], axis=1) != 0).any(axis=0)
    starts = np.append(0, 1 + np.flatnonzero(change))
    _refuse_mixed(columns, sensitivities["bump"].values, order, starts, by)
    _refuse_twice(columns, order, starts, by)
    values = sensitivities.transpose(..., "factor").values[..., order]
    added: Values = np.add.reduceat(values, starts, axis=-1)
    kept = {name: columns[name][order[starts]] for name in BUCKETS if name in (*by, "unit")}
    return _bucketed(sensitivities, added, kept)


def _ranks(name: str, column: NDArray[Any]) -> Places:
    """Numbers in the order in which the texts of a coordinate are to stand."""
    texts, first, code = np.unique(column, return_index=True, return_inverse=True)
    if name == "tenor":
        value = np.array([tenor_years(text) if text else -1.0 for text in texts.tolist()])
    elif name == "moneyness":
        value = np.array([float(text) if text else -1.0 for text in texts.tolist()])
    else:
        value = first.astype(np.float64)
    # two texts of one value (12M, 1Y) are one bucket: their factors are neighbours on the axis
    ranks: Places = np.unique(value, return_inverse=True)[1][code]
    return ranks


def _refuse_mixed(
    columns: Mapping[str, NDArray[Any]], bump: Values, order: Places, starts: Places, by: Sequence[str]
) -> None:
    """BadSpec where a bucket would add what one bump of different sizes or units does."""
    sizes = np.char.add(np.char.add(np.char.mod("%g", bump), " "), columns["unit"])[order]
    ends = np.append(starts[1:], len(order))
    begun = np.repeat(starts, ends - starts)
    mixed = np.flatnonzero(sizes != sizes[begun])
    if len(mixed):
        at = int(mixed[0])
        where = ", ".join(f"{name} '{columns[name][order[at]]}'" for name in by)
        raise BadSpec(
            f"the bucket {where} would add P&L per {sizes[begun[at]]} and per {sizes[at]}; by 'kind' too, or of one "
            "kind chosen before, is right"
        )


def _refuse_twice(columns: Mapping[str, NDArray[Any]], order: Places, starts: Places, by: Sequence[str]) -> None:
    """BadSpec where a bucket would add the bumps of one curve in both spaces."""
    number = np.zeros(len(order), np.intp)
    number[starts[1:]] = 1
    number = np.cumsum(number)
    rates = np.flatnonzero(columns["space"][order] != "")
    found: dict[tuple[int, str], str] = {}
    for at in rates.tolist():
        curve, space = str(columns["name"][order[at]]), str(columns["space"][order[at]])
        if found.setdefault((int(number[at]), curve), space) != space:
            where = ", ".join(f"{name} '{columns[name][order[at]]}'" for name in by)
            raise BadSpec(
                f"the bucket {where} would add bumps of '{curve}' in par and in zero space; by 'space' too, or of one "
                "space chosen before, is right"
            )


def _bucketed(sensitivities: xr.DataArray, values: Values, columns: dict[str, NDArray[Any]]) -> xr.DataArray:
    rest = sensitivities.transpose(..., "factor")
    coords: dict[str, Any] = {str(key): held.variable for key, held in rest.coords.items() if "factor" not in held.dims}
    coords |= {key: ("bucket", column) for key, column in columns.items()}
    return xr.DataArray(values, coords, (*rest.dims[:-1], "bucket"), name=sensitivities.name, attrs=sensitivities.attrs)
