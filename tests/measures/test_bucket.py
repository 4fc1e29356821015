"""Sums of sensitivities by curve, tenor, expiry and moneyness."""

import numpy as np
import pytest
import xarray as xr

from riskgrid.errors import BadSpec, UnknownName
from riskgrid.measures.bucket import bucket
from riskgrid.measures.sensitivity import delta


def deltas(factors, values=None, units=None, sizes=None):
    """Deltas of these factors, bumped up alone, 1 bp each unless said."""
    count = len(factors)
    told = {"bumped": factors, "bump": sizes or [1.0] * count, "unit": units or ["bp"] * count}
    pnl = np.ones(count) if values is None else np.asarray(values)
    coords = {key: ("scenario", column) for key, column in told.items()}
    return delta(xr.DataArray(pnl, coords, ("node", "scenario")[2 - pnl.ndim :]))


def test_bucket__adds_by_coordinates_in_order_of_tenor():
    names = ["par:USD:10Y", "par:USD:6M", "par:EUR:10Y", "par:USD:2Y"]
    made = deltas(names, [1.0, 2.0, 4.0, 8.0])
    found = bucket(made, by=["tenor"])
    assert found["tenor"].values.tolist() == ["6M", "2Y", "10Y"]
    assert found.values.tolist() == [2.0, 8.0, 5.0]
    both = bucket(made)
    assert list(zip(both["name"].values, both["tenor"].values, strict=True)) == [
        ("USD", "6M"),
        ("USD", "2Y"),
        ("USD", "10Y"),
        ("EUR", "10Y"),
    ]
    assert set(both["unit"].values) == {"bp"}


def test_bucket__refuses_to_add_bumps_of_two_units_or_sizes():
    made = deltas(["equity:ACME", "vol:ACME:1Y:0.90", "par:USD:2Y"], units=["%", "vol", "bp"])
    with pytest.raises(BadSpec, match="the bucket name 'ACME' would add P&L per 1 % and per 1 vol"):
        bucket(made, by=["name"])
    uneven = deltas(["par:USD:2Y", "par:USD:10Y"], sizes=[1.0, 5.0])
    with pytest.raises(BadSpec, match="the bucket name 'USD' would add P&L per 1 bp and per 5 bp"):
        bucket(uneven, by=["name"])
    with pytest.raises(UnknownName, match="unknown bucket 'desk'; known: 'kind'"):
        bucket(made, by=["desk"])
    with pytest.raises(BadSpec, match="a bucket is by one coordinate or more"):
        bucket(made, by=[])


def test_bucket__refuses_to_add_both_spaces_of_a_curve():
    made = deltas(["par:USD:2Y", "par:USD:5Y", "zero:EUR:5Y", "zero:USD:5Y"], [1.0, 2.0, 4.0, 8.0])
    sentence = "the bucket {} would add bumps of 'USD' in par and in zero space; by 'space' too, or of one space"
    for by, named in ((["name"], "name 'USD'"), (["tenor"], "tenor '5Y'"), (["unit"], "unit 'bp'")):
        with pytest.raises(BadSpec, match=sentence.format(named)):
            bucket(made, by=by)
    found = bucket(made, by=["name", "tenor", "space"])
    at = list(zip(found["name"].values, found["tenor"].values, found["space"].values, found.values, strict=True))
    assert sorted(at) == [
        ("EUR", "5Y", "zero", 4.0), ("USD", "2Y", "par", 1.0), ("USD", "5Y", "par", 2.0), ("USD", "5Y", "zero", 8.0),
    ]  # fmt: skip
    # a curve in quotes and another in zero rates are two moves
    assert bucket(made.isel(factor=[1, 2]), by=["tenor"]).values.tolist() == [6.0]


def test_bucket__orders_a_surface_by_expiry_and_moneyness_as_numbers():
    names = ["vol:SPX:1Y:1.00", "vol:SPX:1Y:0.90", "vol:SPX:3M:1.10", "vol:SPX:10Y:0.90", "vol:NDX:1Y:0.90"]
    found = bucket(deltas(names, [[1.0, 2.0, 4.0, 8.0, 16.0]], ["vol"] * 5), by=["tenor", "moneyness"])
    at = list(zip(found["tenor"].values.tolist(), found["moneyness"].values.tolist(), strict=True))
    assert at == [("3M", "1.10"), ("1Y", "0.90"), ("1Y", "1.00"), ("10Y", "0.90")]
    assert found.dims == ("node", "bucket")
    assert found.values.tolist() == [[4.0, 18.0, 1.0, 8.0]]


def test_bucket__is_the_sum_that_a_loop_makes():
    rng = np.random.default_rng(4)
    names = [f"par:{name}:{tenor}Y" for name in ("USD", "EUR", "GBP") for tenor in (1, 2, 5, 10, 30)]
    shuffled = [names[at] for at in rng.permutation(len(names))]
    values = rng.integers(-1000, 1000, (4, len(names))).astype(float)
    found = bucket(deltas(shuffled, values), by=["name"])
    for at, name in enumerate(found["name"].values.tolist()):
        own = [place for place, factor in enumerate(shuffled) if factor.split(":")[1] == name]
        assert found.values[:, at].tolist() == values[:, own].sum(axis=1).tolist()


def test_bucket__of_nothing_is_nothing():
    made = deltas(["par:USD:1Y"]).isel(factor=slice(0, 0))
    assert bucket(made).sizes["bucket"] == 0
