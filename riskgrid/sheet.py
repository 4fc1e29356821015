"""Labelled data as tables for people and their tools: a row for each combination of its labels."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr

from riskgrid import wire

__all__ = ["to_csv", "to_parquet", "to_tsv"]

#: With what a text begins that a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_parquet(dataset: xr.Dataset) -> bytes:
    """With its attributes in the schema; the dataset itself, as it is, is Arrow's (:mod:`riskgrid.wire`)."""
    table = pa.Table.from_pandas(_long(dataset), preserve_index=False)
    facts = json.dumps(wire.to_json(dataset.drop_vars(list(dataset.variables)))["attrs"])
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"riskgrid.attrs": facts}), sink, compression="zstd")
    return sink.getvalue()


def to_csv(dataset: xr.Dataset) -> bytes:
    """Texts that a spreadsheet would take for formulas begin with '."""
    return bytes(_safe(dataset).to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\r\n").encode())


def to_tsv(dataset: xr.Dataset) -> str:
    """Separated by tabs, to be pasted into a spreadsheet; texts as in :func:`to_csv`.

    >>> table = xr.Dataset({"pnl": ("desk", [1.5, -2.0])}, {"desk": ["=Rates", "FX"]})
    >>> to_tsv(table).splitlines()
    ['desk\\tpnl', "'=Rates\\t1.5", 'FX\\t-2.0']
    """
    return str(_safe(dataset).to_csv(index=False, sep="\t", date_format="%Y-%m-%d", lineterminator="\n"))


def _long(dataset: xr.Dataset) -> pd.DataFrame:
    """A row for each combination of the dimensions, labels before what is said of them."""
    table = dataset.reset_coords()
    table = table if table.sizes else table.expand_dims("row")
    named = table.to_dataframe().reset_index()
    named = named.drop(columns=[name for name in named if name in table.sizes and name not in dataset.coords])
    return named[sorted(named, key=lambda name: name not in dataset.coords)]


def _safe(dataset: xr.Dataset) -> pd.DataFrame:
    named = _long(dataset)
    for name in named:
        if named[name].dtype.kind == "O" or str(named[name].dtype) in ("str", "string"):
            named[name] = [_harmless(each) for each in named[name]]
    named.columns = [_harmless(str(name)) for name in named]
    return named


def _harmless(text: Any) -> Any:
    return f"'{text}" if isinstance(text, str) and text.startswith(_FORMULA) else text
