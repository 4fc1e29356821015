"""Monte Carlo through a run: a linear book against its closed form, and what an interval may be told of."""

import numpy as np
import pytest
from scipy import stats

import riskgrid as rg
from riskgrid import sample
from riskgrid.errors import BadSpec
from riskgrid.measures.interval import expected_shortfall_interval, value_at_risk_interval
from riskgrid.portfolio import Portfolio
from riskgrid.running import run
from riskgrid.scenarios.covariance import covariance
from riskgrid.scenarios.historical import historical
from riskgrid.scenarios.monte_carlo import monte_carlo

pytestmark = pytest.mark.slow

RULES = {"proxies": sample.proxies(), "returns": {"equity:*": "relative"}}
DRAWS = 4_096


@pytest.fixture(scope="module")
def market():
    return sample.market("2016-07-01")


@pytest.fixture(scope="module")
def book():
    return Portfolio.from_tables({"equity": sample.portfolio(2_000).to_pandas("equity")})


@pytest.fixture(scope="module")
def pnl_of(book, market, tmp_path_factory):
    def make(**options):
        scenarios = monte_carlo(sample.history(), market, count=DRAWS, window=500, **RULES, **options)
        return run(book, market, scenarios, store=tmp_path_factory.mktemp("store"), cluster="threads:1")

    return make


@pytest.fixture(scope="module")
def deviation(book, market):
    """Standard deviation of the book's P&L: the root of d' S d, exactly, since shares move with relative returns."""
    matrix = covariance(historical(sample.history(), market, count=500, **RULES))
    table = book.to_pandas("equity")
    spot = dict(zip(market.factors, market.levels, strict=True))
    names = [f"equity:{name}" for name in table["underlying"]]
    value = table["quantity"].to_numpy() * table["multiplier"].to_numpy() * [spot[name] for name in names]
    assert set(table["currency"]) == {"USD"}
    delta = np.zeros(matrix.sizes["factor"])
    np.add.at(delta, [matrix["factor"].values.tolist().index(name) for name in names], value)
    return np.sqrt(delta @ matrix.values @ delta)


def test_gaussian__of_a_linear_book_is_the_closed_form(pnl_of, deviation):
    pnl = pnl_of(seed=2).pnl()
    assert float(pnl.std()) == pytest.approx(deviation, rel=4 / np.sqrt(2 * DRAWS))
    assert stats.kstest(pnl.values / deviation, "norm").pvalue > 1e-3
    lower, upper = value_at_risk_interval(pnl, 0.99, confidence=0.999).values
    assert lower < stats.norm.ppf(0.99) * deviation < upper
    lower, upper = expected_shortfall_interval(pnl, 0.975, confidence=0.999).values
    assert lower < stats.norm.pdf(stats.norm.ppf(0.975)) / 0.025 * deviation < upper


def test_student_t__of_a_linear_book_is_the_closed_form(pnl_of, deviation):
    pnl = pnl_of(seed=3, model="student_t", degrees=6).pnl()
    scaled = pnl.values / deviation * np.sqrt(6 / 4)
    assert stats.kstest(scaled, stats.t(6).cdf).pvalue > 1e-3
    lower, upper = value_at_risk_interval(pnl, 0.99, confidence=0.999).values
    assert lower < stats.t(6).ppf(0.99) * np.sqrt(4 / 6) * deviation < upper


def test_sobol__tells_by_its_replicates_how_near_it_is_to_the_closed_form(pnl_of, deviation):
    made = pnl_of(seed=4, random="sobol", replicates=16)
    pnl, batch = made.pnl(), made.scenarios["batch"]
    lower, upper = value_at_risk_interval(pnl, 0.95, confidence=0.999, batch=batch).values
    assert lower < stats.norm.ppf(0.95) * deviation < upper
    lower, upper = expected_shortfall_interval(pnl, 0.9, confidence=0.999, batch=batch).values
    assert lower < stats.norm.pdf(stats.norm.ppf(0.9)) / 0.1 * deviation < upper
    for interval in (value_at_risk_interval, expected_shortfall_interval):
        np.testing.assert_array_equal(interval(pnl), interval(pnl, batch=batch))  # P&L brings them along
        with pytest.raises(BadSpec, match="are not independent"):
            interval(pnl.drop_vars("batch"))


def test_report__of_drawn_scenarios_says_how_far_its_measures_may_be_off(tmp_path):
    market, book = rg.sample.market("2016-06-24"), rg.sample.portfolio(60)
    options = {"count": 512, "seed": 1, "window": 120, "proxies": rg.sample.proxies()}
    sets = {
        "independent": rg.monte_carlo(rg.sample.history(), market, **options),
        "batches": rg.monte_carlo(rg.sample.history(), market, random="sobol", replicates=8, **options),
        "mirrored": rg.monte_carlo(rg.sample.history(), market, antithetic=True, **options),
    }
    told = {}
    for name, scenarios in sets.items():
        made = rg.run(book, market, scenarios, store=tmp_path, progress=None)
        told[name] = rg.report(made, "desk")
        if name == "batches":
            bounds = rg.value_at_risk_interval(made.pnl(), batch=scenarios["batch"])
            assert told[name].conventions["interval"]["value_at_risk"] == bounds.values.tolist()
    low, high = told["independent"].conventions["interval"]["value_at_risk"]
    assert low < float(told["independent"].table["value_at_risk"][0]) < high
    assert "With 95 % confidence VaR of the total lies between" in str(told["independent"])
    assert any("No interval of VaR and ES" in sentence for sentence in told["mirrored"].sentences())
    history = rg.run(book, market, rg.sample.scenarios("2016-06-24", count=20), store=tmp_path, progress=None)
    assert rg.report(history).conventions["interval"] == {}
