"""Datasets go over the wire and come back the same, in every form."""

import io
import json

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from pydantic_core import to_json as json_bytes

from riskgrid import wire
from riskgrid.errors import InputError


def by_json(dataset):
    return wire.from_json(json.loads(json_bytes(wire.to_json(dataset), inf_nan_mode="null")))


def by_arrow(dataset):
    table, sink = wire.to_arrow(dataset), io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return wire.from_arrow(pa.ipc.open_stream(sink.getvalue()).read_all())


def by_parquet(dataset):
    sink = io.BytesIO()
    pq.write_table(wire.to_arrow(dataset), sink)
    return wire.from_arrow(pq.read_table(io.BytesIO(sink.getvalue())))


FORMS = [by_json, by_arrow, by_parquet]


def assert_same(found, expected):
    xr.testing.assert_identical(found, expected)
    assert dict(found.sizes) == dict(expected.sizes)
    for name, variable in expected.variables.items():
        kind = variable.dtype.kind
        assert found[name].dtype.kind == ("O" if kind in "OUT" else kind), name
        if kind in "iufb":
            assert found[name].dtype == variable.dtype
            assert found[name].values.tobytes() == np.ascontiguousarray(variable.values).tobytes()


@pytest.mark.parametrize("over", FORMS)
def test_dataset__of_every_kind_comes_back_the_same(over):
    dataset = xr.Dataset(
        {
            "pnl": (("node", "scenario"), np.array([[1.5, np.nan], [np.inf, -np.inf], [-0.0, 0.1]]), {"units": "USD"}),
            "count": ("node", np.array([2**63 - 1, 2**53 + 1, -(2**63)], np.int64)),
            "status": ("node", np.array([0, 4, 255], np.uint8)),
            "known": (("scenario", "node"), np.array([[True, False, True], [False, False, True]])),
            "problem": ("node", np.array(["", "no curve 'x'", None], object)),
            "deep": (("klass", "scenario", "node"), np.arange(12.0).reshape(2, 2, 3)),
            "zone": (("klass", "node"), np.array([["a", "", "é"], ["b", "c", None]], object)),
            "total": ((), 3.25),
            "name": ((), "whole"),
        },
        {
            "scenario": np.array(["2016-06-24", "+1%"], object),
            "klass": np.array(["fx", "all"], object),
            "date": ("node", np.array(["2016-06-24", "NaT", "1999-01-01"], "datetime64[s]")),
            "at": ("node", np.array(["2016-06-24T10:00:01", "NaT", "1999-01-01"], "datetime64[s]")),
        },
        {"by": ["region", "desk"], "levels": {"var": "0.99", "flags": []}, "level": 0.1, "none": None},
    )
    assert_same(over(dataset), dataset)


@pytest.mark.parametrize("over", FORMS)
@pytest.mark.parametrize("nodes", [0, 3])
@pytest.mark.parametrize("scenarios", [0, 2])
def test_dataset__of_nothing_comes_back_with_its_dimensions(over, nodes, scenarios):
    dataset = xr.Dataset(
        {"pnl": (("node", "scenario"), np.ones((nodes, scenarios))), "trades": ("node", np.ones(nodes, np.int64))},
        {"desk": ("node", np.full(nodes, "FX", object)), "scenario": np.array(["a", "b"][:scenarios], object)},
    )
    assert_same(over(dataset), dataset)


@pytest.mark.parametrize("over", FORMS)
def test_attributes__that_are_no_numbers_are_nothing_and_tuples_are_lists(over):
    dataset = xr.Dataset(attrs={"share": np.float64("nan"), "by": ("a", "b"), "n": np.int64(3), "ok": np.True_})
    assert over(dataset).attrs == {"share": None, "by": ["a", "b"], "n": 3, "ok": True}


def test_table__of_another_program_is_refused():
    with pytest.raises(InputError, match="metadata 'riskgrid'"):
        wire.from_arrow(pa.table({"a": [1]}))


_DTYPES = st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_, "datetime64[s]"])


@st.composite
def datasets(draw):
    sizes = {dim: draw(st.integers(0, 3)) for dim in ("node", "scenario", "klass")}
    made = {}
    for at in range(draw(st.integers(1, 5))):
        dims = draw(st.permutations(list(sizes)))[: draw(st.integers(0, 3))]
        shape = tuple(sizes[dim] for dim in dims)
        if draw(st.booleans()):
            texts = draw(st.lists(st.text() | st.none(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
            values = np.empty(len(texts), object)
            values[:] = texts
            values = values.reshape(shape)
        else:
            dtype = np.dtype(draw(_DTYPES))
            days = {"elements": st.integers(0, 4 * 10**9).map(lambda at: np.datetime64(at, "s"))}
            values = draw(arrays.arrays(dtype, shape, **(days if dtype.kind == "M" else {})))
            if dtype.kind == "f":
                values = np.where(np.isnan(values), np.nan, values).astype(
                    dtype
                )  # one bit pattern of what is no number
        made[f"v{at}"] = (dims, values)
    return xr.Dataset(made)


@pytest.mark.parametrize("over", FORMS)
@given(dataset=datasets())
@settings(max_examples=60, deadline=None)
def test_dataset__whatever_it_holds_comes_back_the_same(over, dataset):
    assert_same(over(dataset), dataset)
