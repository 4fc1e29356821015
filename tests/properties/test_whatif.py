"""A what-if of any mixture of changes, and of a what-if, is a full run of the changed inputs, to the last bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import riskgrid as rg
from riskgrid.change import Changes
from tests.run import made

KINDS = ("equity", "equity_option", "fx_forward", "fixed_rate_bond")
BOOK = made.portfolio(6, seed=11, only=KINDS)
EVERY = sorted(BOOK.places())
MARKET = made.market()
OTHER = made.market({"equity:SPX": 2050.0, "par:USD-TREASURY:5Y": 0.0123})
DAYS = MARKET.date - np.arange(2, -1, -1)
ROWS = np.stack([MARKET.levels, OTHER.levels, MARKET.levels])
HISTORY = rg.MarketHistory(
    DAYS, MARKET.factors, ROWS, np.zeros(ROWS.shape, bool), "USD", MARKET.conventions, MARKET.fixings
)
FACTORS = ("equity:SPX", "fx:EUR", "par:USD-TREASURY:5Y", "vol:AAPL:1Y:*", "fx:*", "spread:ACME", "commodity:*")
LABELS = {
    "region": ("EMEA", "AMER", "APAC"),
    "desk": ("Flow", "Exotic", "Macro"),
    "book": ("Flow A", "Macro B", "Exotic A", "Flow B"),
    "counterparty": ("North", "South", ""),
    "strategy": ("carry", "hedge"),
    "instrument": KINDS,
    "currency": ("USD",),
}


def scenarios(seed):
    unshocked = [factor in ("vol:AAPL:1Y:1.00", "spread:ACME", "equity:AAPL") for factor in MARKET.factors]
    return made.scenarios(count=6, seed=seed, unshocked=np.array(unshocked))


def sides(names):
    """Some labels, each with one value or several."""
    values = {name: st.lists(st.sampled_from(LABELS[name]), min_size=1, max_size=2) for name in names}
    return st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).flatmap(
        lambda some: st.fixed_dictionaries({name: values[name] for name in some})
    )


TARGETS = sides(("region", "desk", "book", "counterparty", "strategy")).map(
    lambda side: {name: values[0] for name, values in side.items()}
)
SHOCKS = st.sampled_from(["x1.01", "-10%", "x1.5"])
SHIFTS = st.dictionaries(st.sampled_from(FACTORS), SHOCKS, max_size=2)
STRESSES = {
    "one": {"crash": [{"equity:*": "-20%"}, {"equity:SPX": "-25%"}]},
    "two": {"up": {"fx:EUR": "+5%"}, "rates": {"par:USD-TREASURY:*": "+25bp"}},
}


@st.composite
def trade_changes(draw):
    """What happens to trades: each is dropped, resized, amended or left alone."""
    touched = draw(st.lists(st.sampled_from(EVERY), unique=True, max_size=6))
    form = {"drop": [], "resize": {}, "amend": {}, "add": {}}
    for trade in touched:
        kind = draw(st.sampled_from(["drop", "resize", "label", "term", "both", "copy"]))
        if kind == "drop":
            form["drop"].append(trade)
        elif kind == "resize":
            form["resize"][trade] = draw(st.sampled_from([-3.0, 0.0, 1.0, 1e6]))
        elif kind == "copy":
            row = {**BOOK.trade(trade), "trade_id": f"N-{trade}", "book": draw(st.sampled_from(LABELS["book"]))}
            form["add"].setdefault(row.pop("instrument"), []).append(row)
        else:
            columns = {"trade_date": "2016-05-02"} if kind != "label" else {}
            form["amend"][trade] = columns | ({"desk": "Macro"} if kind != "term" else {})
    return form


@st.composite
def mixtures(draw):
    form = draw(trade_changes())
    rules = st.builds(lambda where, to: {"where": where, "to": to}, sides(tuple(LABELS)), TARGETS)
    form["rehang"] = draw(st.lists(rules, max_size=3))
    form["shift"] = draw(SHIFTS)
    market = draw(st.sampled_from([{}] * 4 + [{"snapshot": OTHER}, {"date": DAYS[1], "history": HISTORY}]))
    form |= market
    if draw(st.integers(0, 4)) == 0:
        form["scenarios"] = scenarios(draw(st.integers(20, 23)))
    if draw(st.integers(0, 4)) == 0:
        form["overlay"] = STRESSES[draw(st.sampled_from(sorted(STRESSES)))]
    return form


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return tmp_path_factory.mktemp("parent"), tmp_path_factory.mktemp("full")


@pytest.fixture(scope="module")
def parent(stores):
    labels = ["region", "desk", "book", "strategy"]
    return rg.run(BOOK, MARKET, scenarios(5), store=stores[0], cell_labels=labels, cut=16, progress=None)


def full(run, changes, store):
    """A run of the changed inputs from nothing, with blocks of another cut."""
    market = changes.market(run.market)
    return rg.run(
        changes.portfolio(run.portfolio),
        market,
        changes.scenario_set(run.scenarios, run.market, market),
        store=store,
        bits=run.manifest["bits"],
        cell_labels=run.manifest["cell_labels"],
        cut=32,
        cluster="threads:1",
        progress=None,
    )


def sentence_of(ask):
    """Why something cannot be asked, empty where it can."""
    try:
        ask()
    except rg.RiskgridError as refused:
        return str(refused)
    return ""


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(first=mixtures(), second=mixtures(), again=st.booleans())
def test_what_if__of_any_mixture_of_changes_is_a_full_run(parent, stores, first, second, again):
    step = parent
    for form in (first, second)[: 1 + again]:
        changes = Changes(**form)
        refused = sentence_of(lambda step=step, changes=changes: full(step, changes, stores[1]))
        if refused:
            before = len(step.store.catalogue.list())
            told = sentence_of(lambda step=step, form=form: rg.what_if(step, form))
            assert told == refused or "has gone by an earlier what-if" in told
            assert len(step.store.catalogue.list()) == before
            return
        expected = full(step, changes, stores[1])
        step = rg.what_if(step, form, cluster="threads:1")
        assert made.same_bits(step, expected)
        assert step.manifest["unshocked"] == expected.manifest["unshocked"]
        cold = rg.open_run(step.run_id, store=step.store)
        assert cold.portfolio.digest == expected.portfolio.digest
        assert made.same_bits(cold, expected)
