"""The P&L attribution test against SciPy, at its limits, and where nothing can be said."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from riskgrid.errors import BadSpec
from riskgrid.measures.attribution import attribution_test


def series(values, dims=("date",)):
    return xr.DataArray(np.asarray(values, dtype=float), dims=dims)


rows = hnp.arrays(np.float64, st.integers(2, 40), elements=st.integers(-4, 4).map(float))


@given(rows, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_attribution__is_that_of_scipy_with_ties(first, random):
    second = np.array([value + random.choice([0.0, 1.0, -3.0]) for value in first])
    found = attribution_test(series(first), series(second))
    assert float(found["distance"]) == pytest.approx(stats.ks_2samp(first, second, method="asymp").statistic)
    if len(set(first)) > 1 and len(set(second)) > 1:
        assert float(found["correlation"]) == pytest.approx(stats.spearmanr(first, second).statistic)
    else:
        assert np.isnan(float(found["correlation"]))
        assert str(found["zone"].values) == ""


def test_attribution__of_many_series_is_that_of_each_alone():
    random = np.random.default_rng(5)
    first = series(random.normal(size=(250, 3)), ("date", "node"))
    second = first + series(random.normal(size=(250, 3)), ("date", "node")) * series([0.01, 0.6, 2.0], ("node",))
    whole = attribution_test(first, second)
    for node in range(3):
        xr.testing.assert_allclose(whole.isel(node=node), attribution_test(first[:, node], second[:, node]))
    assert whole["zone"].values[[0, 2]].tolist() == ["green", "red"]
    assert whole.attrs["flags"] == []


def ranks_with(correlation_above):
    """250 days whose two series have the same values, so no distance, in an order that spoils the correlation."""
    first = np.arange(250.0)
    random = np.random.default_rng(1)
    second = first.copy()
    while stats.spearmanr(first, second).statistic > correlation_above:
        a, b = random.integers(0, 250, 2)
        second[a], second[b] = second[b], second[a]
    return first, second


@pytest.mark.parametrize(("bound", "zone"), [(0.86, "green"), (0.80, "amber"), (0.70, "red")])
def test_zone__follows_the_correlation(bound, zone):
    found = attribution_test(*map(series, ranks_with(bound)))
    assert float(found["distance"]) == 0.0
    assert str(found["zone"].values) == zone


@pytest.mark.parametrize(("days", "zone"), [(22, "green"), (23, "amber"), (30, "amber"), (31, "red")])
def test_zone__follows_the_distance(days, zone):
    first = np.arange(250.0)
    second = first + days  # moved up by so many places, ranks stay
    found = attribution_test(series(first), series(second))
    assert float(found["distance"]) == pytest.approx(days / 250)
    assert str(found["zone"].values) == zone


def test_missing_number__leaves_its_own_series_without_a_zone():
    first = series(np.tile(np.arange(250.0)[:, None], 2), ("date", "node"))
    first[3, 0] = np.nan
    found = attribution_test(first, first)
    assert found["zone"].values.tolist() == ["", "green"]
    assert np.isnan(found["correlation"].values[0])


def test_short_series__is_flagged():
    assert attribution_test(series([1.0, 2.0]), series([1.0, 2.0])).attrs["flags"] == ["2 days; the test is of 250"]


def test_attribution__of_no_day_or_of_other_days_is_refused():
    with pytest.raises(BadSpec, match="there is no day to test"):
        attribution_test(series([]), series([]))
    with pytest.raises(BadSpec, match="not of the same days"):
        attribution_test(series([1.0, 2.0]), series([1.0]))
