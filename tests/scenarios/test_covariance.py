"""Covariance of factors' returns: estimates against NumPy and loops, repair against Higham's figures, components."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.scenarios.component import principal_components, root_of
from riskgrid.scenarios.compose import concatenate, select, weighted
from riskgrid.scenarios.covariance import correlation, covariance, factor_returns
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.nearest import REPAIRS, repaired
from riskgrid.scenarios.set import shifts

REFERENCES = Path(__file__).parents[1] / "references"
DATES = ["2016-06-27", "2016-06-28", "2016-06-29", "2016-06-30", "2016-07-01"]
SERIES = {
    "equity:ACME": [80.0, 100.0, 50.0, 60.0, 66.0],
    "fx:EUR": [1.0, 1.1, 1.1, 1.21, 1.0],
    "par:USD-TREASURY:10Y": [0.01, 0.012, 0.011, 0.02, 0.015],
    "vol:ACME:1Y:1.00": [0.2, 0.3, 0.15, 0.15, 0.18],
}
TODAY = {"equity:ACME": 100.0, "fx:EUR": 1.25, "par:USD-TREASURY:10Y": 0.02, "vol:ACME:1Y:1.00": 0.2}


@pytest.fixture
def days(history_of, market_of):
    return historical(history_of(SERIES, DATES), market_of(TODAY))


def labelled(values, kind="fx"):
    names = [f"{kind}:F{number:03d}" for number in range(len(values))]
    return xr.DataArray(np.array(values, float), {"factor": names, "factor_": names}, ("factor", "factor_"))


def random_covariance(seed, count, draws=None):
    random = np.random.default_rng(seed)
    rows = random.standard_normal((draws or 2 * count, count)) * random.uniform(1e-4, 2.0, count)
    return labelled(rows.T @ rows / len(rows))


def expected_returns():
    levels = np.array([SERIES[name] for name in sorted(SERIES)]).T
    before, after = levels[:-1], levels[1:]
    log, change, ratio = np.log(after / before), after - before, after / before - 1.0
    return np.column_stack([log[:, 0], log[:, 1], change[:, 2], ratio[:, 3]])


def test_factor_returns__are_those_of_the_history_in_each_factors_kind(days):
    found = factor_returns(days)
    np.testing.assert_allclose(found.values, expected_returns(), rtol=1e-12, atol=1e-16)
    assert found["returns"].values.tolist() == ["log", "log", "absolute", "relative"]


def test_factor_returns__follow_the_rules_the_history_was_read_by(history_of, market_of):
    rules = {"equity:*": "relative", "vol:*": "log"}
    asked = historical(history_of(SERIES, DATES), market_of(TODAY), returns=rules)
    for one in (asked, select(asked, DATES[1:]), weighted(asked, [1, 2, 3, 4]), concatenate([asked])):
        assert factor_returns(one)["returns"].values.tolist() == ["relative", "log", "absolute", "log"]


@pytest.mark.parametrize(
    ("factor", "scale", "offset", "sentence"),
    [
        ("fx:EUR", 0.0, 1.1, "moves 'fx:EUR' by scale 0 and offset 1.1, which is no log return"),
        ("fx:EUR", -1.0, 0.0, "scale -1 and offset 0, which is no log return"),
        ("spread:ACME", 1.5, 0.0, "which is no absolute return"),
    ],
)
def test_factor_returns__refuse_shifts_that_are_no_returns(factor, scale, offset, sentence):
    stress = shifts(["a"], [factor], scale, offset, name="s", kind="stress", provenance={})
    with pytest.raises(BadScenarios, match=sentence):
        factor_returns(stress)


def test_covariance__about_zero_is_the_mean_product(days):
    returns = expected_returns()
    expected = sum(np.outer(row, row) for row in returns) / len(returns)
    np.testing.assert_allclose(covariance(days).values, expected, rtol=1e-13)


def test_covariance__about_the_mean_is_numpys(days):
    found = covariance(days, mean="historical")
    np.testing.assert_allclose(found.values, np.cov(expected_returns().T), rtol=1e-12)
    np.testing.assert_allclose(found["mean"].values, expected_returns().mean(axis=0), rtol=1e-12)


def test_covariance__fades_with_age(days):
    returns, decay = expected_returns(), 0.9
    weight = np.array([decay**3, decay**2, decay, 1.0])
    weight /= weight.sum()
    expected = np.einsum("s,sf,sg->fg", weight, returns, returns)
    found = covariance(days, decay=decay)
    np.testing.assert_allclose(found.values, expected, rtol=1e-13)
    np.testing.assert_allclose(found.values, covariance(weighted(days, weight)).values, rtol=1e-13)
    about = np.cov(returns.T, aweights=weight)
    np.testing.assert_allclose(covariance(days, decay=decay, mean="historical").values, about, rtol=1e-12)
    np.testing.assert_allclose(covariance(days, decay=1.0).values, covariance(days).values, rtol=1e-13)


def test_covariance__leaves_out_what_never_moves_and_says_so(history_of, market_of):
    still = {**SERIES, "fx:EUR": [1.0] * 5}
    found = covariance(historical(history_of(still, DATES), market_of(TODAY)))
    assert "fx:EUR" not in found["factor"].values
    assert found.attrs["still"] == "fx:EUR"
    assert found.sizes["factor"] == 3


@pytest.mark.parametrize("decay", [0.0, 1.1, -0.5, float("nan"), "0.9", True])
def test_covariance__refuses_a_decay_outside_its_range(days, decay):
    with pytest.raises(BadScenarios, match=r"decay is .* a number above 0 and at most 1 is right"):
        covariance(days, decay=decay)


def test_covariance__refuses_what_it_cannot_take(days):
    with pytest.raises(UnknownName, match="unknown mean 'zeros'; did you mean 'zero'"):
        covariance(days, mean="zeros")
    with pytest.raises(BadScenarios, match="weights of its own"):
        covariance(weighted(days, [1, 1, 1, 1]), decay=0.9)
    with pytest.raises(BadScenarios, match="needs 2 scenarios or more"):
        covariance(select(days, DATES[1:2]), mean="historical")
    with pytest.raises(BadScenarios, match="has no scenarios"):
        covariance(days.isel(scenario=[]))


def test_correlation__is_numpys(days):
    found = correlation(covariance(days, mean="historical"))
    np.testing.assert_allclose(found.values, np.corrcoef(expected_returns().T), rtol=1e-12)
    assert np.diagonal(found.values).tolist() == [1.0] * 4


def broken(change):
    matrix = labelled([[1.0, 0.5], [0.5, 1.0]])
    return change(matrix)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.values, "a covariance is a DataArray with labels on the dims"),
        (lambda m: m.rename(factor_="other"), "on the dims"),
        (lambda m: m.drop_vars("factor_"), "with labels on the dims"),
        (lambda m: m.isel(factor=[1, 0]), "stand in the same order"),
        (lambda m: m.isel(factor=[], factor_=[]), "one or more"),
        (lambda m: m.isel(factor=[0, 0], factor_=[0, 0]), "'fx:F000' stands twice"),
        (lambda m: m * [[1.0, np.nan], [1.0, 1.0]], "of 'fx:F000' and 'fx:F001' is nan, which is not finite"),
        (lambda m: m * [[1.0, 1.0], [1.0, -1.0]], "of 'fx:F001' and 'fx:F001' is -1, which is no variance"),
        (lambda m: m * [[0.0, 1.0], [1.0, 1.0]], "is 0, which is no variance; above 0 is right"),
        (lambda m: m * [[1.0, 1.1], [1.0, 1.0]], "is 0.55, which is not what stands across the diagonal"),
    ],
)
def test_covariance__given_says_what_is_wrong_with_it(change, sentence):
    for answer in (correlation, repaired, root_of, principal_components):
        with pytest.raises(BadScenarios, match=sentence):
            answer(broken(change))


def triangle(text):
    numbers = [float(number) for number in text.split(";")]
    size = int(np.sqrt(2 * len(numbers)))
    made = np.zeros((size, size))
    made[np.triu_indices(size)] = numbers
    return made + np.triu(made, 1).T


def published():
    lines = (REFERENCES / "nearest_correlation.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("case", published(), ids=lambda case: case["name"])
def test_nearest__is_highams(case):
    given_, nearest = triangle(case["given"]), triangle(case["nearest"])
    found = REPAIRS["nearest"](given_)
    np.testing.assert_allclose(found, nearest, atol=float(case["tolerance"]))
    assert np.linalg.norm(found - given_) == pytest.approx(
        float(case["distance"]), abs=float(case["distance_tolerance"])
    )


def indefinite(seed, size=5):
    random = np.random.default_rng(seed)
    made = np.triu(random.uniform(-1.0, 1.0, (size, size)), 1)
    return made + made.T + np.eye(size)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nearest__is_as_near_as_a_search_over_all_correlations_finds(seed):
    target = indefinite(seed)

    def distance(angles):
        rows = angles.reshape(5, 5) / np.linalg.norm(angles.reshape(5, 5), axis=1)[:, None]
        return np.sum((rows @ rows.T - target) ** 2)

    starts = np.random.default_rng(seed).standard_normal((4, 25))
    best = min(optimize.minimize(distance, start, tol=1e-14).fun for start in starts)
    found = repaired(labelled(target))
    assert found.attrs["moved"] == pytest.approx(np.sqrt(best), rel=1e-6)
    assert found.attrs["smallest_eigenvalue"] == pytest.approx(np.linalg.eigvalsh(target)[0], rel=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 8))
@settings(max_examples=25, deadline=None)
def test_repair__gives_a_correlation_and_the_nearest_is_nearer_than_the_clipped(seed, size):
    variance = np.random.default_rng(seed).uniform(1e-8, 100.0, size)
    matrix = labelled(indefinite(seed, size) * np.sqrt(np.outer(variance, variance)))
    nearest, clipped = repaired(matrix), repaired(matrix, "clip")
    for one in (nearest, clipped):
        np.testing.assert_allclose(np.diagonal(one.values), variance, rtol=1e-14)
        assert np.linalg.eigvalsh(correlation(one).values)[0] > -1e-12
        assert len(root_of(one)) <= size
    assert nearest.attrs["moved"] <= clipped.attrs["moved"] + 1e-7


def test_repair__leaves_alone_what_is_semi_definite():
    for matrix in (random_covariance(1, 6), random_covariance(2, 30, draws=4), labelled(np.ones((3, 3)))):
        found = repaired(matrix)
        np.testing.assert_allclose(found.values, matrix.values, rtol=1e-15)
        assert (found.attrs["repair"], found.attrs["moved"]) == ("none", 0.0)
    with pytest.raises(UnknownName, match="unknown repair 'near'"):
        repaired(random_covariance(1, 2), "near")


@pytest.mark.parametrize(("count", "draws"), [(1, 5), (2, 50), (7, 50), (40, 90), (40, 11)])
def test_root__multiplies_back_to_the_covariance_at_its_rank(count, draws):
    matrix = random_covariance(count, count, draws)
    root = root_of(matrix)
    assert root.shape == (min(count, draws), count)
    size = np.sqrt(np.diagonal(matrix.values))
    np.testing.assert_allclose(root.T @ root / np.outer(size, size), matrix.values / np.outer(size, size), atol=1e-13)


def test_root__refuses_what_is_not_semi_definite():
    with pytest.raises(BadScenarios, match=r"not positive semi-definite: .* repaired\(covariance\) is right"):
        root_of(labelled([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]]))


@pytest.mark.parametrize(("count", "draws"), [(1, 5), (2, 50), (9, 50), (40, 90), (41, 11)])
def test_principal_components__are_lapacks(count, draws):
    matrix = random_covariance(count, count, draws)
    found = principal_components(matrix)
    expected = np.linalg.eigvalsh(correlation(matrix).values)[::-1][: min(count, draws)] / count
    np.testing.assert_allclose(found["variance"].values, expected, rtol=1e-10, atol=1e-15)
    size = np.sqrt(np.diagonal(matrix.values))
    loadings = found["loadings"].values / size
    np.testing.assert_allclose(loadings.T @ loadings, correlation(matrix).values, atol=1e-12)
    crossed = loadings @ loadings.T
    np.testing.assert_allclose(crossed, np.diag(np.diagonal(crossed)), atol=1e-12)
    assert (loadings.max(axis=1) >= -loadings.min(axis=1)).all()


def test_principal_components__of_equal_correlations_are_known_in_closed_form():
    rho, size = 0.3, 6
    matrix = labelled(np.full((size, size), rho) + (1 - rho) * np.eye(size))
    found = principal_components(matrix)["variance"].values * size
    np.testing.assert_allclose(found, [1 + (size - 1) * rho] + [1 - rho] * (size - 1), rtol=1e-13)


def test_principal_components__share_is_of_every_kind_of_factor():
    # nine nodes of a surface that move as one, and an index that moves alone: 90 % of all variance are one component
    values = np.zeros((10, 10))
    values[:9, :9], values[9, 9] = 1.0, 1.0
    names = [f"vol:ACME:{month}M:1.00" for month in range(1, 10)] + ["equity:ACME"]
    matrix = xr.DataArray(values, {"factor": names, "factor_": names}, ("factor", "factor_"))
    found = principal_components(matrix, 0.85)
    assert found.sizes["component"] == 2
    assert found["explained"].values == pytest.approx([1.0, 1.0])
    assert principal_components(matrix, 1)["explained"].values == pytest.approx([0.0, 1.0])
    assert principal_components(matrix, 50).sizes["component"] == found.attrs["rank"] == 2


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.99])
def test_principal_components__are_the_fewest_that_explain_the_share(share):
    matrix = random_covariance(5, 12)
    every = np.cumsum(principal_components(matrix)["variance"].values)
    found = principal_components(matrix, share)
    assert every[found.sizes["component"] - 1] >= share
    assert found.sizes["component"] == 1 or every[found.sizes["component"] - 2] < share
    assert float(found["explained"][0]) == pytest.approx(every[found.sizes["component"] - 1], rel=1e-12)


@pytest.mark.parametrize("components", [0, -1, 1.0, 0.0, 1.5, True, "all", float("nan")])
def test_principal_components__refuses_neither_count_nor_share(components):
    with pytest.raises(BadScenarios, match=r"components is .* a whole number of at least 1, or a share"):
        principal_components(random_covariance(1, 3), components)


def test_covariance__keeps_json_provenance_readable(days):
    assert json.loads(days.attrs["provenance"])["kind"] == "historical"
    assert covariance(days).attrs["scenario_set"] == days.attrs["name"]
