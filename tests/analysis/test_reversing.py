"""Reverse stress against the closed form, a fine grid of full revaluations and SciPy's optimiser on the same book."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2, norm

from riskgrid import run, sample, what_if
from riskgrid.analysis.reversing import reverse_stress
from riskgrid.analysis.searching import Losses
from riskgrid.cluster import Here
from riskgrid.errors import BadScenarios, BadSpec, UnknownName
from riskgrid.market.factor import match
from riskgrid.scenarios.compose import select
from riskgrid.scenarios.covariance import factor_returns
from riskgrid.scenarios.group import restrict
from riskgrid.scenarios.mixture import Mixture
from riskgrid.store import Store

DAY = "2016-06-24"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    scenarios = sample.scenarios(DAY, count=60)
    return run(sample.portfolio(200, faulty=True), sample.market(DAY), scenarios, store=store, progress=None)


@pytest.fixture(scope="module")
def found(base):
    return reverse_stress(base, 1e6)


@pytest.fixture(scope="module")
def short_options(tmp_path_factory):
    """Short options on four names, whose losses bend upwards both ways; only the names and their volatilities move."""
    book = sample.portfolio(300)
    table = book.tables["equity_option"].to_pandas()
    names = ["SPX", "AAPL", "AMD", "GE"]
    book = book.select(table["trade_id"][table["underlying"].isin(names)])
    count = len(book)
    book = book.with_columns({"equity_option": {"quantity": [-100.0] * count}})
    scenarios = sample.scenarios(DAY, count=60)
    factors = [str(factor) for factor in scenarios["factor"].values]
    moving = [factor for name in names for factor in match(f"*:{name}*", factors)]
    part = restrict(scenarios, moving, "names")
    return run(book, sample.market(DAY), part, store=tmp_path_factory.mktemp("store"), progress=None)


def shares(days):
    """Trades in shares, quantity times spot in USD, and a history whose returns are absolute: exactly linear."""
    names = sample.portfolio(300).tables["equity"]["trade_id"].to_pylist()
    return sample.portfolio(300).select(names), sample.scenarios(DAY, count=days, returns={"equity:*": "absolute"})


def test_a_linear_book__has_the_closed_form(tmp_path):
    """d = L / sqrt(q'Sq) at x = -L S q / (q'Sq), by Lagrange; S and q from the files, not from the run."""
    book, scenarios = shares(80)
    base = run(book, sample.market(DAY), scenarios, store=tmp_path, progress=None)
    made = reverse_stress(base, 5e5)
    table = book.tables["equity"].to_pandas()
    held = (table["quantity"] * table["multiplier"]).groupby(table["underlying"]).sum()
    past = sample.history()
    last = int(np.flatnonzero(past.dates == np.datetime64(DAY))[0])
    at = [past.factors.index(f"equity:{name}") for name in held.index]
    changes = np.diff(past.values[last - 80 : last + 1, at], axis=0)
    stale = past.stale[last - 80 : last + 1, at]
    changes[stale[1:] | stale[:-1]] = 0.0
    matrix = changes.T @ changes / 80
    variance = held.values @ matrix @ held.values
    # half a tick (at most 2^-11) a trade is 1.5e-8 of the loss, and the search stops at 1e-7 of it
    assert made.distance == pytest.approx(5e5 / np.sqrt(variance), rel=2e-7)
    # the same ticks, of bumps of a tenth of a standard deviation each
    assert made.search["linear"] == pytest.approx(made.distance, rel=1e-5)
    moves = made.moves.sel(factor=[f"equity:{name}" for name in held.index])
    np.testing.assert_allclose(
        moves["factor_return"], -5e5 / variance * (matrix @ held.values), rtol=1e-3, atol=1e-4
    )  # a cosine of 1 - 1e-6 leaves 1.4e-3 of the place across
    assert made.loss == pytest.approx(5e5, rel=2e-7)


def test_horizon__brings_a_linear_loss_nearer_by_its_root(tmp_path):
    book, scenarios = shares(80)
    base = run(book, sample.market(DAY), scenarios, store=tmp_path, progress=None)
    one, ten = reverse_stress(base, 5e5), reverse_stress(base, 5e5, horizon=10)
    assert ten.distance == pytest.approx(one.distance / np.sqrt(10.0), rel=1e-6)
    np.testing.assert_allclose(ten.moves["factor_return"], one.moves["factor_return"], rtol=1e-2, atol=1e-3)
    assert "10-day (root of time)" in str(ten)


def test_gamma__is_the_nearest_of_a_fine_grid_of_revaluations(short_options, tmp_path):
    factors = [str(factor) for factor in short_options.scenarios["factor"].values]
    two = restrict(short_options.scenarios, match("*:SPX*", factors), "SPX")
    made = reverse_stress(short_options, 4e5, scenarios=two)
    assert made.search["components"] == 2
    mixture = Mixture.of(two)
    losses = Losses(short_options, None, mixture, Store(tmp_path), Here())
    angle, radii = np.linspace(0.0, 2.0 * np.pi, 120, endpoint=False), np.linspace(0.0, 8.0, 41)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    table = losses((rays[:, None, :] * radii[:, None]).reshape(-1, 2)).reshape(len(rays), -1)
    crossed = np.flatnonzero((table >= 4e5).any(axis=1))
    first = np.argmax(table[crossed] >= 4e5, axis=1)
    above, below = table[crossed, first], table[crossed, first - 1]
    reached = radii[first] - (above - 4e5) / (above - below) * 0.2
    # rays are 3 degrees apart, which costs 3.4e-4; the chord of a convex loss reaches it early, by h^2/8 of curvature
    assert made.distance == pytest.approx(reached.min(), rel=5e-3)
    assert len(crossed) > 60  # it loses both ways
    assert made.search["settled"]


def test_gamma__in_several_dimensions_is_what_slsqp_finds(short_options, tmp_path):
    made = reverse_stress(short_options, 5e5)
    mixture = Mixture.of(short_options.scenarios)
    losses = Losses(short_options, None, mixture, Store(tmp_path), Here())
    count = len(mixture.loadings)
    assert count == made.search["components"] <= 6
    bumps = np.concatenate([np.zeros((1, count)), np.eye(count), -np.eye(count)]) * 0.05

    def around(place):
        found = losses(place + bumps) / 5e5
        return found[0] - 1.0, (found[1 : count + 1] - found[count + 1 :]) / 0.1

    kept = {}

    def of(place):
        return kept.setdefault(place.tobytes(), around(place))

    bound = {"type": "eq", "fun": lambda z: of(z)[0], "jac": lambda z: of(z)[1]}
    ends = []
    for start in (np.full(count, 1.0), np.full(count, -1.0)):
        done = minimize(lambda z: 0.5 * z @ z, start, jac=lambda z: z, constraints=[bound], method="SLSQP",
                        options={"ftol": 1e-10})  # fmt: skip
        ends.append(np.sqrt(done.x @ done.x))
    assert made.distance <= min(ends) * (1.0 + 1e-4)
    assert made.distance == pytest.approx(min(ends), rel=1e-4)  # slopes by bumps of 0.1 and 0.05
    assert made.search["linear"] > made.distance  # what delta alone does not see


def test_loss__is_exact_by_a_run_of_the_scenario(base, found):
    again = run(base.portfolio, base.market, found.scenarios, store=base.store, bits=base.manifest["bits"],
                progress=None)  # fmt: skip
    assert -float(again.pnl()[0]) == found.loss
    assert found.loss == pytest.approx(1e6, rel=2e-7)


def test_the_scenario__overlays_a_what_if(base, found):
    shifted = what_if(base, {"scenarios": found.scenarios})
    assert -float(shifted.pnl()[0]) == found.loss


def test_distance__is_mahalanobis_by_the_covariance_of_the_run(base, found):
    past = factor_returns(base.scenarios)
    moving = found.moves["factor"].values
    values, size = past.sel(factor=moving).values, found.moves["factor_return"].values / found.moves["sigmas"].values
    # x = X'w / sqrt(n) with the shortest w: the root of the covariance that the scenarios themselves are
    root = (values / size).T / np.sqrt(60.0)
    shortest = np.linalg.lstsq(root, found.moves["sigmas"].values, rcond=1e-10)[0]
    assert np.sqrt(shortest @ shortest) == pytest.approx(found.distance, rel=1e-6)


def test_probabilities__are_the_tails_of_normal_and_chi_square(found):
    assert found.probability == norm.sf(found.distance)
    assert found.probability_of_distance == chi2.sf(found.distance**2, found.search["components"])
    assert found.probability < found.probability_of_distance


def test_market_objects__are_alone_and_add_up_with_the_cross(base, found):
    table = found.objects
    assert float(table["pnl"].sum()) + table.attrs["cross"] == pytest.approx(-found.loss, rel=1e-12)
    alone = restrict(found.scenarios, ["fx:EUR"], "euro")
    euro = run(base.portfolio, base.market, alone, store=base.store, bits=base.manifest["bits"], progress=None)
    at = table["group"].values.tolist().index("fx:EUR")
    assert float(table["pnl"][at]) == float(euro.pnl()[0])
    moves = found.moves.sel(factor="fx:EUR")
    assert float(table["sigmas"][at]) == float(moves["sigmas"])
    size = np.abs(found.objects["pnl"].values)
    assert (np.diff(size) <= 0.0).all()


def test_moves__of_an_object_are_those_of_its_factor_that_moves_most(found):
    at = found.objects["group"].values.tolist().index("par:USD-TREASURY")
    of_curve = found.moves.isel(factor=[str(name).startswith("par:") for name in found.moves["factor"].values])
    largest = int(np.argmax(np.abs(of_curve["sigmas"].values)))
    assert str(found.objects["factor"].values[at]) == str(of_curve["factor"].values[largest])


def test_principal_components__alone_are_never_nearer(base, found):
    few = reverse_stress(base, 1e6, components=5)
    assert few.search["components"] == 5
    assert few.distance >= found.distance * (1.0 - 1e-6)
    assert few.loss == pytest.approx(1e6, rel=2e-7)


def test_where__is_the_part_that_loses(base):
    made = reverse_stress(base, 2e5, where={"desk": "FX Options"}, by="book")
    again = run(base.portfolio, base.market, made.scenarios, store=base.store, bits=base.manifest["bits"],
                progress=None)  # fmt: skip
    assert -float(again.pnl(where={"desk": "FX Options"})[0]) == made.loss
    assert made.loss == pytest.approx(2e5, rel=1e-6)


def test_the_same_question__has_the_same_answer_and_leaves_nothing_behind(base, found):
    before = sorted(path.name for path in base.store.root.iterdir())
    again = reverse_stress(base, 1e6, cluster="threads:1")
    assert again.scenarios.identical(found.scenarios)
    assert again.stress.run_id == found.stress.run_id
    assert sorted(path.name for path in base.store.root.iterdir()) == before
    names = [row.name for row in base.store.catalogue.list(100)]
    assert not [name for name in names if name.startswith("state")]


@pytest.mark.usefixtures("forked")
def test_a_what_if__and_other_workers_are_reversed_alike(base):
    hedged = what_if(base, {"drop": ["EO-000001"], "shift": {"equity:*": "-5%"}})
    here = reverse_stress(hedged, 5e5)
    assert -float(here.stress.table["pnl"][0, 0]) == pytest.approx(5e5, rel=1e-6)
    there = reverse_stress(hedged, 5e5, cluster="processes:1")
    assert there.scenarios.identical(here.scenarios)


def test_provenance__says_how_it_was_found(base, found):
    facts = json.loads(found.scenarios.attrs["provenance"])
    assert facts["kind"] == "reverse_stress"
    assert (facts["run"], facts["loss"], facts["limit"]) == (base.content_id, 1e6, 8.0)
    unshocked = base.scenarios["factor"].values[base.scenarios["unshocked"].values].tolist()
    assert found.scenarios["factor"].values[found.scenarios["unshocked"].values].tolist() == unshocked


def test_text_and_page__tell_moves_distance_and_loss(found):
    text = str(found)
    assert f"{found.distance:.2f} standard deviations away" in text
    assert "Reverse stress: a loss of 1,000,000 USD" in text
    assert "trades are in no sum" in text
    assert "history= adds" not in text
    assert "P&amp;L of each market object alone" in found.to_html()


@pytest.mark.parametrize(
    ("distance", "horizon", "said"),
    [
        (0.0, 1, "on 50.00 % of days"),
        (2.0, 10, "in 2.28 % of periods of 10 days"),
        (3.0, 1, "once in 741 days"),
        (5.0, 1, "once in 3.49 million days"),
        (7.0, 1, "once in 781 billion days"),
        (40.0, 10, "less than once in 1,000 trillion periods of 10 days"),
    ],
)
def test_a_probability__is_said_as_how_often_a_loss_comes(found, distance, horizon, said):
    far = dataclasses.replace(found, distance=distance, search={**found.search, "horizon": horizon})
    assert f"such a loss or a larger one comes {said}, to first order" in str(far)


@pytest.mark.parametrize(("share", "said"), [(0.5, True), (1.5, False), (0.0, False)])
def test_a_loss__that_ticks_keep_from_the_amount_asked_for_says_so(found, share, said):
    rounding = 0.25 * int(found.stress.table["trades"][0])
    near = dataclasses.replace(found, asked=found.loss + share * rounding, search={**found.search, "rounding": 0.25})
    assert ("but for ticks: a trade is rounded by up to 0.25." in str(near)) == said


def test_rounding__is_half_a_tick_of_the_run(base, found):
    assert found.search["rounding"] == 0.5 * 2.0 ** -base.manifest["bits"]


def test_an_unsettled_search__is_said(found):
    loose = dataclasses.replace(found, search={**found.search, "settled": False, "cosine": 0.98})
    assert "* The search has not settled: the cosine of move and slope is 0.980000" in str(loose)


def test_a_loss__out_of_reach_names_the_largest_one_found(base):
    with pytest.raises(
        BadSpec, match=r"no market move within 3 standard deviations .* lose 1,000,000,000 USD; the larg"
    ):
        reverse_stress(base, 1e9, limit=3)


def test_bad_questions__are_refused_with_a_sentence(base):
    for loss in (0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(BadSpec, match="an amount above 0 is right"):
            reverse_stress(base, loss)
    one = select(base.scenarios, [DAY])
    with pytest.raises(BadScenarios, match="has 1 scenario, which says no covariance"):
        reverse_stress(base, 1e6, scenarios=one)
    with pytest.raises(UnknownName, match="unknown option 'level'"):
        reverse_stress(base, 1e6, level=3)
    with pytest.raises(BadSpec, match="horizon is 0; a whole number of days"):
        reverse_stress(base, 1e6, horizon=0)
    with pytest.raises(BadSpec, match="limit is -1; a distance above 0"):
        reverse_stress(base, 1e6, limit=-1)
    with pytest.raises(BadScenarios, match="components is 0"):
        reverse_stress(base, 1e6, components=0)
    with pytest.raises(UnknownName, match="unknown label 'team'"):
        reverse_stress(base, 1e6, by="team")
    with pytest.raises(UnknownName, match="unknown desk 'Equities'"):
        reverse_stress(base, 1e6, where={"desk": "Equities"})
    with pytest.raises(BadScenarios, match="is of the risk classes 'money' and 'euro'"):
        reverse_stress(base, 1e6, classes={"money": ["fx:*"], "euro": ["fx:EUR"]})


def test_a_book__without_a_number_or_that_loses_its_number_is_named(base, tmp_path):
    faulty = run(sample.portfolio(300, faulty=True).select(["FAULTY-1"]), base.market, base.scenarios, store=tmp_path,
                 progress=None)  # fmt: skip
    with pytest.raises(BadSpec, match=r"no trade of run '.*' has a number here"):
        reverse_stress(faulty, 1e6)
    oil = sample.scenarios(DAY, count=30, returns={"commodity:*": "absolute"})
    fragile = run(sample.portfolio(300), base.market, oil, store=tmp_path, progress=None)
    with pytest.raises(BadSpec, match=r"have a number in the run and none .* standard deviations away"):
        reverse_stress(fragile, 1e9, limit=60)
