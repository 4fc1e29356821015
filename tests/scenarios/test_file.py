"""Scenario sets in files."""

import pandas as pd
import pytest
import xarray as xr

from riskgrid.errors import BadScenarios
from riskgrid.scenarios.file import read, write
from riskgrid.scenarios.ladder import ladder
from riskgrid.scenarios.set import digest, shifts


def test_read__returns_the_same_bits_flags_and_coordinates(tmp_path):
    whole = shifts(
        ["a", "b"],
        ["equity:ACME", "fx:EUR"],
        [[0.1 + 0.2, 1.0], [1.0, 1 / 3]],
        1e-17,
        name="mine",
        kind="stress",
        provenance={"by": "hand"},
        weight=[0.1, 0.9],
        date=["2016-07-01", "NaT"],
        stale=[[True, False], [False, False]],
        unshocked=[False, True],
    ).assign_coords(note=("scenario", ["", "why"]))
    write(whole, tmp_path / "set.parquet")
    back = read(tmp_path / "set.parquet")
    xr.testing.assert_identical(back, whole)
    assert digest(back) == digest(whole)


def test_read__returns_a_ladder_with_what_each_row_bumps(tmp_path, market):
    bumps = ladder(market)
    write(bumps, tmp_path / "ladder.parquet")
    xr.testing.assert_identical(read(tmp_path / "ladder.parquet"), bumps)


def test_read__returns_an_empty_set(tmp_path):
    empty = shifts([], [], 1.0, 0.0, name="none", kind="stress", provenance={})
    write(empty, tmp_path / "empty.parquet")
    assert read(tmp_path / "empty.parquet").sizes == {"scenario": 0, "factor": 0}


def test_read__names_a_file_that_is_no_scenario_set(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(BadScenarios, match=r"other\.parquet is not a scenario set"):
        read(tmp_path / "other.parquet")


def test_read__names_a_file_that_is_no_parquet_or_is_absent(tmp_path):
    with pytest.raises(BadScenarios, match=r"there is no file .*none\.parquet"):
        read(tmp_path / "none.parquet")
    with pytest.raises(BadScenarios, match="there is no file"):
        read(str(tmp_path))
    for content in (b"scenario,factor", b""):
        (tmp_path / "set.csv").write_bytes(content)
        with pytest.raises(BadScenarios, match=r"set\.csv is not a Parquet file, or a damaged one"):
            read(tmp_path / "set.csv")


def test_read__names_a_file_that_was_cut_short(tmp_path, market):
    path = tmp_path / "ladder.parquet"
    write(ladder(market), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadScenarios, match=r"ladder\.parquet is not a Parquet file, or a damaged one"):
        read(path)
