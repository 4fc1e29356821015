"""Trade detail for other programs: a Zarr group, or one Parquet file, written block by block."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from riskgrid.errors import BadSpec

__all__ = ["to_parquet", "to_zarr"]

#: Bytes of a Zarr chunk, about.
_CHUNK = 8 << 20


def to_zarr(trades: xr.Dataset, path: Path | str) -> None:
    """Write a run's trades (lazy) as a Zarr group of even chunks, labels as text.

    BadSpec where the extra ``export`` is not installed, or something is at ``path`` already.
    """
    try:
        import zarr  # noqa: F401 (asked for here, to say which extra lacks)
    except ImportError as error:
        raise BadSpec("Zarr is an extra; pip install 'riskgrid[export]' installs it") from error
    if Path(path).exists():
        raise BadSpec(f"{path} exists; a new path is right")
    rows = max(1, _CHUNK // (8 * max(trades.sizes["scenario"], 1)))
    texts = {
        name: column.astype(np.dtypes.StringDType()) for name, column in trades.coords.items() if column.dtype == object
    }
    made = trades.assign_coords(texts).chunk({"trade": rows, "scenario": -1})
    made.to_zarr(path, mode="w-", consolidated=False)


def to_parquet(trades: xr.Dataset, path: Path | str) -> None:
    """Write a run's trades as one Parquet file: labels, base value, status, ``pnl`` as a list in scenario order.

    A row group holds a block. The scenario labels and the run's attributes are metadata, ``riskgrid``, as JSON.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    scenarios = [str(label) for label in trades["scenario"].values]
    meta = {"riskgrid": json.dumps({"scenarios": scenarios, **trades.attrs})}
    blocks: tuple[int, ...] = trades["pnl"].data.chunks[0]
    writer: Any = None
    for start, stop in itertools.pairwise(np.cumsum([0, *blocks])):
        part = trades.isel(trade=slice(start, stop)).compute()
        columns: dict[str, Any] = {
            str(name): pa.array(column.values) for name, column in part.variables.items() if column.dims == ("trade",)
        }
        flat = pa.array(np.ascontiguousarray(part["pnl"].values).ravel())
        columns["pnl"] = pa.FixedSizeListArray.from_arrays(flat, len(scenarios))
        table = pa.table(columns).replace_schema_metadata(meta)
        writer = writer or pq.ParquetWriter(str(path), table.schema)
        writer.write_table(table, row_group_size=max(stop - start, 1))
    if writer is not None:
        writer.close()
