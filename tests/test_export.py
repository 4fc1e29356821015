"""Trade detail in Zarr and Parquet is the trade detail of the run."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr

from riskgrid import sample
from riskgrid.errors import BadSpec
from riskgrid.result import Run
from riskgrid.running import run


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Run:
    scenarios = sample.scenarios("2016-07-01", count=12)
    return run(
        sample.portfolio(150, faulty=True),
        sample.market("2016-07-01"),
        scenarios,
        store=tmp_path_factory.mktemp("store"),
        cut=16,
        progress=None,
    )


def test_to_zarr__reads_back_equal(done: Run, tmp_path: Path) -> None:
    done.to_zarr(tmp_path / "run.zarr")
    found = xr.open_zarr(tmp_path / "run.zarr", consolidated=False)
    trades = done.trades.compute()
    np.testing.assert_array_equal(found["pnl"].values, trades["pnl"].values)
    np.testing.assert_array_equal(found["base_value"].values, trades["base_value"].values)
    assert found["trade_id"].values.tolist() == trades["trade_id"].values.tolist()
    assert found.attrs == trades.attrs


def test_to_zarr__never_overwrites(done: Run, tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="exists; a new path is right"):
        done.to_zarr(tmp_path)


def test_to_zarr__without_the_extra_says_how_to_install_it(
    done: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "zarr":
            raise ImportError(name)
        return whole(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadSpec, match=r"pip install 'riskgrid\[export\]'"):
        done.to_zarr(tmp_path / "run.zarr")


def test_to_parquet__holds_a_row_a_trade_and_a_row_group_a_block(done: Run, tmp_path: Path) -> None:
    done.to_parquet(tmp_path / "run.parquet")
    file = pq.ParquetFile(tmp_path / "run.parquet")
    trades = done.trades.compute()
    assert file.num_row_groups == len(done.trades["pnl"].chunks[0])
    table = file.read()
    pnl = table["pnl"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(trades["pnl"].shape)
    np.testing.assert_array_equal(pnl, trades["pnl"].values)
    assert table["desk"].to_pylist() == trades["desk"].values.tolist()
    meta = json.loads(table.schema.metadata[b"riskgrid"])
    assert meta["scenarios"] == trades["scenario"].values.tolist()
    assert meta["currency"] == "USD"


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_trades__work_with_dasks_own_schedulers(done: Run, scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler):
        desk = done.trades["pnl"].groupby("desk").sum().compute()
        one = done.trades["pnl"].sel(scenario="2016-06-24").isel(trade=[3, 1]).to_dataframe()
    ours = done.pnl(by="desk")
    assert desk["desk"].values.tolist() == ours["desk"].values.tolist()
    np.testing.assert_array_equal(desk.values, ours.values)
    assert one.shape[0] == 2
