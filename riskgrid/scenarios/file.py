"""Scenario sets in Parquet files, read back to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
from numpy.typing import NDArray

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.set import check

__all__ = ["read", "write"]


def write(scenarios: xr.Dataset, path: Path | str) -> None:
    """Keep a set in a Parquet file, one row per scenario; every panel is a column of lists along ``factor``."""
    check(scenarios)
    columns: dict[str, Any] = {}
    meta: dict[str, Any] = {"attrs": scenarios.attrs, "coords": [str(key) for key in scenarios.coords], "factor": {}}
    for key, variable in scenarios.variables.items():
        values = variable.values.astype("datetime64[D]") if variable.dtype.kind == "M" else variable.values
        if variable.dims == ("factor",):
            meta["factor"][str(key)] = values.tolist()
        elif variable.dims == ("scenario",):
            columns[str(key)] = pa.array(values.astype(object) if values.dtype.kind in "TU" else values)
        else:
            ends = np.arange(len(values) + 1, dtype=np.int32) * values.shape[1]
            columns[str(key)] = pa.ListArray.from_arrays(ends, values.ravel())
    table = pa.table(columns).replace_schema_metadata({"riskgrid": json.dumps(meta)})
    pq.write_table(table, str(path), use_dictionary=False)  # no two shifts are alike


def read(path: Path | str) -> xr.Dataset:
    """A set that :func:`write` kept, checked again.  BadScenarios where there is no such file or it is none."""
    if not Path(path).is_file():
        raise BadScenarios(f"there is no file {path}; right is one made by riskgrid.scenarios.file.write")
    try:
        table = pq.read_table(str(path))
    except (pa.ArrowException, OSError) as error:
        raise BadScenarios(f"{path} is not a Parquet file, or a damaged one: {str(error).splitlines()[0]}") from None
    if b"riskgrid" not in (table.schema.metadata or {}):
        raise BadScenarios(f"{path} is not a scenario set; right is a file made by riskgrid.scenarios.file.write")
    try:
        return check(_dataset(table, json.loads(table.schema.metadata[b"riskgrid"])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # somebody else wrote it
        told = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise BadScenarios(f"{path} is not a scenario set as riskgrid.scenarios.file.write makes it: {told}") from None


def _dataset(table: Any, meta: dict[str, Any]) -> xr.Dataset:
    found: dict[str, Any] = {key: ("factor", _column(values)) for key, values in meta["factor"].items()}
    shape = (table.num_rows, len(meta["factor"]["factor"]))
    for key in table.column_names:
        column = table[key].combine_chunks()
        if pa.types.is_list(column.type):
            found[key] = (("scenario", "factor"), column.values.to_numpy(zero_copy_only=False).reshape(shape))
        else:
            found[key] = ("scenario", _column(column.to_numpy(zero_copy_only=False)))
    coords = {key: found.pop(key) for key in meta["coords"]}
    return xr.Dataset(found, coords, meta["attrs"])


def _column(values: Any) -> NDArray[Any]:
    column = np.asarray(values)
    return column.astype(str) if column.dtype.kind in "OU" or not column.size else column
