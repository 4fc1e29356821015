"""Labelled data on its way over HTTP and back, digit by digit: as JSON, and as Arrow tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import InputError

__all__ = ["ERROR_TYPE", "from_arrow", "from_json", "to_arrow", "to_json"]

#: Before the name of the kind of error, in the type of a problem: clients raise that error again.
ERROR_TYPE = "urn:riskgrid:error:"

#: Schema metadata of an Arrow table that holds what a table of rows cannot.
_KEY = b"riskgrid"


def to_json(dataset: xr.Dataset) -> dict[str, Any]:
    """A dataset as plain values: ``attrs``, ``coords`` and ``variables``, each with its dims, dtype and nested values.

    A float that is no number becomes None, one without bound the text ``Infinity`` or ``-Infinity``; dates become text.

    >>> to_json(xr.Dataset({"pnl": ("scenario", [1.5, np.nan])}))["variables"]
    {'pnl': {'dims': ['scenario'], 'dtype': 'float64', 'values': [1.5, None]}}
    """
    return {
        "sizes": {str(name): int(size) for name, size in dataset.sizes.items()},
        "coords": {str(name): _plain(dataset[name].variable) for name in dataset.coords},
        "variables": {str(name): _plain(dataset[name].variable) for name in dataset.data_vars},
        "attrs": _attrs(dataset.attrs),
    }


def from_json(form: Mapping[str, Any]) -> xr.Dataset:
    """The dataset that :func:`to_json` wrote."""
    sizes = form["sizes"]
    return xr.Dataset(
        {name: _variable(each, sizes) for name, each in form["variables"].items()},
        {name: _variable(each, sizes) for name, each in form["coords"].items()},
        form["attrs"],
    )


def to_arrow(dataset: xr.Dataset) -> pa.Table:
    """A row for each place of the dimension that most variables have; what has more dimensions is a column of lists.

    What has no row, e.g. the names of the scenarios, and the attributes are schema metadata.
    """
    rows = _rows(dataset)
    columns: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name in (*dataset.coords, *dataset.data_vars):
        variable = dataset[name].variable
        kind = "coords" if name in dataset.coords else "variables"
        if rows in variable.dims and variable.size:
            columns[str(name)] = _column(variable.transpose(rows, ...))
            told = {"kind": kind, "dims": list(map(str, variable.dims)), "dtype": _dtype(variable)}
            fields[str(name)] = told | {"attrs": _attrs(variable.attrs)}
        else:
            rest[str(name)] = {"kind": kind, **_plain(variable)}
    sizes = {str(name): int(size) for name, size in dataset.sizes.items()}
    head = {"rows": rows, "sizes": sizes, "fields": fields, "rest": rest, "attrs": _attrs(dataset.attrs)}
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(head, allow_nan=False)})


def from_arrow(table: pa.Table) -> xr.Dataset:
    """The dataset that :func:`to_arrow` wrote. InputError for another table."""
    raw = (table.schema.metadata or {}).get(_KEY)
    if raw is None:
        raise InputError("the table has no metadata 'riskgrid'; one that riskgrid wrote is right")
    head = json.loads(raw)
    made: dict[str, dict[str, Any]] = {"coords": {}, "variables": {}}
    for name, told in head["fields"].items():
        made[told["kind"]][name] = _read_column(table[name], told, head)
    for name, told in head["rest"].items():
        made[told["kind"]][name] = _variable(told, head["sizes"])
    return xr.Dataset(made["variables"], made["coords"], head["attrs"])


def _rows(dataset: xr.Dataset) -> str:
    """The dimension whose places are the rows of a table: the one that most variables have, of several the first."""
    counts = {str(dim): sum(dim in one.dims for one in dataset.variables.values()) for dim in dataset.sizes}
    return max(counts, key=counts.__getitem__, default="")


def _plain(variable: xr.Variable) -> dict[str, Any]:
    told = {"dims": list(map(str, variable.dims)), "dtype": _dtype(variable), "values": _values(variable)}
    return told | ({"attrs": _attrs(variable.attrs)} if variable.attrs else {})


def _variable(told: Mapping[str, Any], sizes: Mapping[str, int]) -> tuple[Any, ...]:
    dtype = np.dtype(told["dtype"])
    shape = tuple(sizes[dim] for dim in told["dims"])
    flat = _flat(told["values"], len(shape))
    if dtype.kind == "f":
        flat = [np.nan if value is None else float(value) for value in flat]
    values = np.empty(len(flat), object)
    values[:] = flat
    return told["dims"], values.astype(dtype).reshape(shape), told.get("attrs", {})


def _flat(values: Any, depth: int) -> list[Any]:
    """The values of nested lists, in order."""
    found = [values]
    for _ in range(depth):
        found = [each for nested in found for each in nested]
    return found


def _dtype(variable: xr.Variable) -> str:
    kind = variable.dtype.kind
    if kind in "OUT":
        return "object"
    return str(_dated(variable.values).dtype) if kind == "M" else str(variable.dtype)


def _dated(values: NDArray[Any]) -> NDArray[Any]:
    """Days where all of them are days, else what they are."""
    days = values.astype("datetime64[D]")
    return days if bool(((days == values) | np.isnat(values)).all()) else values


def _values(variable: xr.Variable) -> Any:
    values = variable.values
    if values.dtype.kind == "M":
        return _dated(values).astype(str).tolist()
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        return values.tolist() if finite.all() else _told(values, finite).tolist()
    return _texts(values).tolist() if values.dtype.kind in "OUT" else values.tolist()


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """Texts as objects; of a missing one None, whatever pandas made of it."""
    made = values.astype(object)
    made[made != made] = None  # noqa: PLR0124  # what is no number is not itself
    return made


def _told(values: NDArray[Any], finite: NDArray[np.bool_]) -> NDArray[Any]:
    made = values.astype(object)
    made[~finite] = None
    made[np.isposinf(values)] = "Infinity"
    made[np.isneginf(values)] = "-Infinity"
    return made


def _column(variable: xr.Variable) -> Any:
    """An Arrow column. variable : its first dimension is that of the rows."""
    values = np.asarray(variable.values)
    if values.dtype.kind == "M":
        values = _dated(values)
    text = values.dtype.kind in "OUT"
    flat = np.ascontiguousarray(values).ravel()
    made = pa.array(_texts(flat) if text else flat, pa.string() if text else None)
    return made if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(made, values[0].size)


def _read_column(column: Any, told: Mapping[str, Any], head: Mapping[str, Any]) -> tuple[Any, ...]:
    dims, sizes, rows = told["dims"], head["sizes"], head["rows"]
    held = column.combine_chunks()
    values = (held.flatten() if len(dims) > 1 else held).to_numpy(zero_copy_only=False).astype(told["dtype"])
    stored = [rows, *(dim for dim in dims if dim != rows)]
    shaped = values.reshape([sizes[dim] for dim in stored])
    return dims, np.ascontiguousarray(shaped.transpose([stored.index(dim) for dim in dims])), told["attrs"]


def _attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _attribute(value) for name, value in attrs.items()}


def _attribute(value: Any) -> Any:
    """As JSON has it: tuples are lists, what is no number is None."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist() if value.dtype.kind not in "mM" else value.astype(str).tolist()
    if isinstance(value, Mapping):
        return _attrs(value)
    if isinstance(value, (list, tuple)):
        return [_attribute(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)
