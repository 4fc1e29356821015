"""Labelled data on its way over HTTP and back, digit by digit: as JSON, and as Arrow tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import xarray as xr

from riskgrid.errors import InputError

__all__ = ["from_arrow", "from_json", "to_arrow", "to_json"]

#: Schema metadata of an Arrow table that holds what a table of rows cannot.
_KEY = b"riskgrid"


def to_json(dataset: xr.Dataset) -> dict[str, Any]:
    """A dataset as plain values: ``attrs``, ``coords`` and ``variables``, each with its dims, dtype and nested values.

    A float that is not finite becomes None; dates become text.

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
    return xr.Dataset(
        {name: _variable(each) for name, each in form["variables"].items()},
        {name: _variable(each) for name, each in form["coords"].items()},
        form["attrs"],
    )


def to_arrow(dataset: xr.Dataset) -> pa.Table:
    """A row for each place of the dataset's first dimension; a variable with a second one is a column of lists.

    What has no row, e.g. the names of the scenarios, and the attributes are schema metadata.
    """
    rows = str(next(iter(dataset.sizes), ""))
    columns: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name in (*dataset.coords, *dataset.data_vars):
        variable = dataset[name].variable
        kind = "coords" if name in dataset.coords else "variables"
        if rows and variable.dims[:1] == (rows,) and variable.ndim <= 2:
            columns[str(name)] = _column(variable)
            told = {"kind": kind, "dims": list(map(str, variable.dims)), "dtype": _dtype(variable)}
            fields[str(name)] = told | {"attrs": _attrs(variable.attrs)}
        else:
            rest[str(name)] = {"kind": kind, **_plain(variable)}
    head = {"rows": str(rows), "fields": fields, "rest": rest, "attrs": _attrs(dataset.attrs)}
    return pa.table(columns).replace_schema_metadata({_KEY: json.dumps(head, allow_nan=False)})


def from_arrow(table: pa.Table) -> xr.Dataset:
    """The dataset that :func:`to_arrow` wrote. InputError for another table."""
    raw = (table.schema.metadata or {}).get(_KEY)
    if raw is None:
        raise InputError("the table has no metadata 'riskgrid'; one that riskgrid wrote is right")
    head = json.loads(raw)
    made: dict[str, dict[str, Any]] = {"coords": {}, "variables": {}}
    for name, told in head["fields"].items():
        column = table[name].combine_chunks()
        if len(told["dims"]) == 2:
            width = column.type.list_size
            values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), width)
        else:
            values = column.to_numpy(zero_copy_only=False)
        made[told["kind"]][name] = (told["dims"], values.astype(told["dtype"]), told["attrs"])
    for name, told in head["rest"].items():
        made[told["kind"]][name] = _variable(told)
    return xr.Dataset(made["variables"], made["coords"], head["attrs"])


def _plain(variable: xr.Variable) -> dict[str, Any]:
    told = {"dims": list(map(str, variable.dims)), "dtype": _dtype(variable), "values": _values(variable)}
    return told | ({"attrs": _attrs(variable.attrs)} if variable.attrs else {})


def _variable(told: Mapping[str, Any]) -> tuple[Any, ...]:
    dtype = np.dtype(told["dtype"])
    values: Any = told["values"]
    if dtype.kind == "f":
        values = np.array(values, dtype=object)
        values[values == None] = np.nan  # noqa: E711  # elementwise
    return told["dims"], np.array(values, dtype=dtype), told.get("attrs", {})


def _dtype(variable: xr.Variable) -> str:
    kind = variable.dtype.kind
    if kind in "OUT":
        return "object"
    return "datetime64[D]" if kind == "M" else str(variable.dtype)


def _values(variable: xr.Variable) -> Any:
    values = variable.values
    if values.dtype.kind == "M":
        return values.astype("datetime64[D]").astype(str).tolist()
    if values.dtype.kind == "f":
        finite = np.isfinite(values)
        return values.tolist() if finite.all() else _nulled(values, finite).tolist()
    return values.astype(object).tolist() if values.dtype.kind in "OUT" else values.tolist()


def _nulled(values: Any, finite: Any) -> Any:
    made = values.astype(object)
    made[~finite] = None
    return made


def _column(variable: xr.Variable) -> Any:
    values = variable.values
    if values.dtype.kind == "M":
        values = values.astype("datetime64[D]")
    if variable.ndim == 1:
        text = values.dtype.kind in "OUT"
        return pa.array(values.astype(object) if text else values, pa.string() if text else None)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def _attrs(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in attrs.items():
        plain = value.item() if isinstance(value, np.generic) else value
        made[str(name)] = list(plain) if isinstance(plain, tuple) else plain
    return made
