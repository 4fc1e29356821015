"""Backtests of value at risk against published tables, plain loops and their own limits."""

import csv
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from riskgrid.errors import BadSpec
from riskgrid.measures.backtest import christoffersen, counted, exceptions, joint, kupiec, traffic_light
from riskgrid.registry import MEASURES

REFERENCES = Path(__file__).parents[1] / "references" / "backtest.csv"


def references(source):
    with REFERENCES.open() as lines:
        return [row for row in csv.DictReader(line for line in lines if line[0] != "#") if row["source"] == source]


def flags(values, **attrs):
    return xr.DataArray(np.asarray(values, dtype=bool), dims="date", attrs=attrs)


def first(count, days):
    return flags(np.arange(days) < count)


def spread(stay, rise, fall, again):
    """A series with so many transitions of each kind; rise and fall are equal, and it starts without an exception."""
    assert rise == fall
    made = [0]
    for number in range(rise):
        made += [1] * (1 + (again if number == 0 else 0)) + [0]
    return flags([0] * stay + made)


def series(values, start="2016-01-04"):
    days = np.datetime64(start, "s") + np.arange(len(values)) * np.timedelta64(86400, "s")
    return xr.DataArray(np.asarray(values, dtype=float), {"date": days}, "date")


# -- an independent count and likelihood, day by day -------------------------------------------------------------------


def loop_likelihood(hits, misses, share):
    total = 0.0
    for count, probability in ((hits, share), (misses, 1.0 - share)):
        if count:
            total += count * math.log(probability)
    return total


def loop_kupiec(values, share):
    hits = sum(values)
    misses = len(values) - hits
    alone = loop_likelihood(hits, misses, hits / len(values))
    return 2.0 * (alone - loop_likelihood(hits, misses, share))


def loop_transitions(values):
    found = {(a, b): 0 for a in (0, 1) for b in (0, 1)}
    for before, after in itertools.pairwise(values):
        found[int(before), int(after)] += 1
    return found


def loop_markov(values):
    moves, total = loop_transitions(values), 0.0
    for before in (0, 1):
        whole = moves[before, 0] + moves[before, 1]
        if whole:
            total += loop_likelihood(moves[before, 1], moves[before, 0], moves[before, 1] / whole)
    return total


def loop_christoffersen(values):
    moves = loop_transitions(values)
    hits, misses = moves[0, 1] + moves[1, 1], moves[0, 0] + moves[1, 0]
    if not hits + misses:
        return 0.0
    return 2.0 * (loop_markov(values) - loop_likelihood(hits, misses, hits / (hits + misses)))


# -- exceptions --------------------------------------------------------------------------------------------------------


def test_exceptions__are_losses_greater_than_var_and_not_equal_ones():
    found = exceptions(series([-101.0, -100.0, -99.0, 300.0]), series([100.0] * 4))
    assert found.values.tolist() == [True, False, False, False]


def test_exceptions__count_a_missing_number_of_either_as_one():
    found = exceptions(series([np.nan, 5.0, 5.0]), series([1.0, np.nan, 1.0]))
    assert found.values.tolist() == [True, True, False]
    assert found.attrs["missing"] == 2


def test_exceptions__of_a_negative_var_are_gains_that_are_too_small():
    assert exceptions(series([5.0, 15.0]), series([-10.0, -10.0])).values.tolist() == [True, False]


def test_exceptions__keep_the_other_dims_and_carry_the_level():
    pnl = series([-2.0, 2.0]).expand_dims(node=3)
    found = exceptions(pnl, series([1.0, 1.0]).assign_attrs(level="0.975"))
    assert dict(found.sizes) == {"node": 3, "date": 2}
    assert kupiec(found).attrs["level"] == "0.975"


def test_exceptions__of_other_dates_are_refused():
    with pytest.raises(BadSpec, match="not of the same labels; both on the day of the P&L"):
        exceptions(series([1.0]), series([1.0], "2016-01-05"))
    with pytest.raises(BadSpec, match="VaR has no dim 'date'; its dims are none"):
        exceptions(series([1.0]), xr.DataArray(1.0))


def test_counted__is_the_greater_of_actual_and_hypothetical():
    assert int(counted(first(3, 9))) == 3
    assert int(counted(first(3, 9), first(4, 9))) == 4
    assert int(counted(first(3, 9), first(2, 9))) == 3


# -- Kupiec ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", references("kupiec"), ids=lambda case: f"{case['days']} at {case['level']}")
def test_kupiec__rejects_outside_the_region_of_the_table(case):
    days, low, high = int(case["days"]), int(case["exceptions"]), int(case["high"])
    accepted = [
        count for count in range(high + 30) if float(kupiec(first(count, days), case["level"])["p_value"]) > 0.05
    ]
    assert accepted == list(range(low + 1, high))


def test_kupiec__rejects_no_exception_in_255_days_where_the_table_prints_no_lower_bound():
    assert float(kupiec(first(0, 255), 0.99)["statistic"]) == pytest.approx(-2 * 255 * math.log(0.99))
    assert float(kupiec(first(0, 255), 0.99)["p_value"]) < 0.05


@pytest.mark.parametrize("case", references("mathworks"), ids=lambda case: case["name"])
def test_test__is_the_printed_number_of_mathworks(case):
    found = spread(932, 53, 53, 4)
    assert (found.sizes["date"], int(found.sum())) == (1043, 57)
    test, _, part = case["name"].partition(" ")
    if test == "cumulative":
        value = 100 * float(traffic_light(found, case["level"])["cumulative"])
    else:
        value = float((kupiec(found, case["level"]) if test == "kupiec" else christoffersen(found))[part])
    assert abs(value - float(case["value"])) <= float(case["tolerance"])


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.sampled_from(["0.9", "0.95", "0.99"]))
@settings(max_examples=60, deadline=None)
def test_tests__are_those_of_a_plain_loop(values, level):
    share = float(1 - np.longdouble(level))
    pof, independent, both = kupiec(flags(values), level), christoffersen(flags(values)), joint(flags(values), level)
    assert float(pof["statistic"]) == pytest.approx(max(loop_kupiec(values, share), 0.0), abs=1e-9)
    assert float(pof["p_value"]) == pytest.approx(stats.chi2.sf(float(pof["statistic"]), 1))
    assert float(independent["statistic"]) == pytest.approx(max(loop_christoffersen(values), 0.0), abs=1e-9)
    assert int(independent["clusters"]) == loop_transitions(values)[1, 1]
    later = values[1:]
    conditional = loop_christoffersen(values) + (loop_kupiec(later, share) if later else 0.0)
    assert float(both["statistic"]) == pytest.approx(max(conditional, 0.0), abs=1e-9)
    assert float(both["p_value"]) == pytest.approx(stats.chi2.sf(float(both["statistic"]), 2))


def test_kupiec__of_the_expected_number_is_zero():
    tested = kupiec(first(10, 1000), 0.99)
    assert (float(tested["statistic"]), float(tested["p_value"]), float(tested["expected"])) == (0.0, 1.0, 10.0)


def test_kupiec__has_a_number_without_and_with_only_exceptions():
    none, every = kupiec(first(0, 250), 0.99), kupiec(first(250, 250), 0.99)
    assert float(none["statistic"]) == pytest.approx(-2 * 250 * math.log(0.99))
    assert float(every["statistic"]) == pytest.approx(-2 * 250 * math.log(0.01))
    assert float(every["p_value"]) == 0.0


def test_tests__of_one_day_have_numbers_and_nothing_to_follow():
    one = first(1, 1)
    assert float(kupiec(one, 0.99)["statistic"]) == pytest.approx(-2 * math.log(0.01))
    tested = christoffersen(one)
    assert (float(tested["statistic"]), float(tested["p_value"]), tested.attrs["observations"]) == (0.0, 1.0, 0)
    assert tested.attrs["flags"] == ["no exception is followed by a day in some series"]
    assert float(joint(one, 0.99)["statistic"]) == 0.0


def test_christoffersen__tells_clusters_from_the_same_number_apart():
    apart, together = flags(np.arange(250) % 50 == 10), first(5, 250)
    assert float(christoffersen(together)["p_value"]) < 1e-6
    assert float(christoffersen(apart)["p_value"]) > 0.5
    assert float(kupiec(apart, 0.99)["p_value"]) == float(kupiec(together, 0.99)["p_value"])


def test_tests__of_many_series_are_those_of_each_alone():
    random = np.random.default_rng(3).random((250, 4, 2)) < 0.02
    stacked = xr.DataArray(random, dims=("date", "node", "time"))
    for test in (lambda one: kupiec(one, 0.99), christoffersen, lambda one: joint(one, 0.99)):
        whole = test(stacked)
        for node in range(4):
            xr.testing.assert_allclose(whole.isel(node=node, time=1), test(stacked.isel(node=node, time=1)))


# -- the traffic light -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", references("basel"), ids=lambda case: case["exceptions"])
def test_traffic_light__is_the_basel_table(case):
    lit = traffic_light(first(int(case["exceptions"]), 250), 0.99)
    assert str(lit["zone"].values) == case["zone"]
    assert float(lit["multiplier"]) == float(case["multiplier"])
    assert abs(100 * float(lit["cumulative"]) - float(case["value"])) <= float(case["tolerance"])
    assert lit.attrs["flags"] == []


def test_traffic_light__of_other_samples_follows_the_binomial_and_says_so():
    counts = [0, 5, 8, 9, 15, 20, 500]
    found = [traffic_light(first(count, 500), 0.99) for count in counts]
    for count, lit in zip(counts, found, strict=True):
        below = stats.binom.cdf(count, 500, 0.01)
        zone = "green" if below < 0.95 else "amber" if below < 0.9999 else "red"
        assert str(lit["zone"].values) == zone
        assert "not of the Basel table" in lit.attrs["flags"][0]
    assert float(found[0]["multiplier"]) == 1.5
    assert float(found[-1]["multiplier"]) == 2.0
    amber = float(found[3]["multiplier"])
    assert amber == pytest.approx(1.5 * stats.norm.ppf(0.99) / stats.norm.ppf(1 - 9 / 500))


def test_traffic_light__of_another_level_is_amber_where_a_vendor_says_so():
    # MathWorks, reference page of risk.validation.trafficLightVaRTest: 40 exceptions in 250 days at 90 %
    assert str(traffic_light(first(40, 250), 0.9)["zone"].values) == "amber"


@pytest.mark.parametrize("count", [5, 6, 7, 8])
def test_multiplier__of_other_samples_rounds_to_the_basel_table_at_its_own_frequencies(count):
    lit = traffic_light(first(4 * count, 1000), 0.99)
    table = float(traffic_light(first(count, 250), 0.99)["multiplier"])
    scaled = 1.5 * stats.norm.ppf(0.99) / stats.norm.ppf(1 - count / 250)
    assert scaled == pytest.approx(table, abs=0.0075)
    assert 1.5 <= float(lit["multiplier"]) <= 2.0


@pytest.mark.parametrize("days", [1, 3, 4, 5, 250])
def test_traffic_light__is_green_without_an_exception_however_few_the_days(days):
    lit = traffic_light(first(0, days), 0.99)
    assert (str(lit["zone"].values), float(lit["multiplier"])) == ("green", 1.5)
    assert str(traffic_light(first(days, days), 0.99)["zone"].values) == "red"


def test_traffic_light__judges_the_greater_count():
    lit = traffic_light(first(2, 250), 0.99, actual=first(10, 250))
    assert (int(lit["exceptions"]), str(lit["zone"].values)) == (10, "red")


@given(st.integers(1, 400), st.sampled_from(["0.95", "0.975", "0.99"]))
@settings(max_examples=30, deadline=None)
def test_multiplier__never_falls_with_more_exceptions(days, level):
    stacked = xr.DataArray(np.arange(days)[:, None] < np.arange(days + 1), dims=("date", "node"))
    lit = traffic_light(stacked, level)
    assert (np.diff(lit["multiplier"].values) >= 0.0).all()
    assert set(np.unique(lit["zone"].values)) <= {"green", "amber", "red"}


# -- what cannot be tested ---------------------------------------------------------------------------------------------

TESTS = (kupiec, joint, traffic_light)


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("level", [0.0, 1.0, 99, -0.5, "often", float("nan")])
def test_level__outside_of_0_and_1_is_refused(test, level):
    with pytest.raises(BadSpec, match=r"is not between 0 and 1; 0.99 is right"):
        test(first(1, 10), level)


@pytest.mark.parametrize("test", TESTS)
def test_level__is_asked_for_where_the_flags_do_not_carry_it_and_cannot_contradict_them(test):
    with pytest.raises(BadSpec, match=r"carry no level of their VaR; level=0.99 says it"):
        test(first(1, 10))
    with pytest.raises(BadSpec, match=r"level is 0.95, but the exceptions are of a VaR at 0.99"):
        test(flags([True], level="0.99"), 0.95)
    assert test(flags([True], level="0.99"), 0.990).attrs["level"] == "0.99"


@pytest.mark.parametrize("test", [*(lambda one, test=test: test(one, 0.99) for test in TESTS), christoffersen])
def test_exceptions__of_no_day_or_no_flags_are_refused(test):
    with pytest.raises(BadSpec, match="there is no day to test"):
        test(first(0, 0))
    with pytest.raises(BadSpec, match="there is no day to test"):
        test(xr.DataArray(True))
    with pytest.raises(BadSpec, match="are float64, not flags"):
        test(series([1.0, np.nan]))


def test_backtests__are_measures():
    assert {"kupiec", "christoffersen", "joint", "traffic_light"} <= set(MEASURES)
