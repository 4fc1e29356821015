"""Pricers of one's own: on quantities, on numbers, with branches and loops, in other files and other processes."""

import dataclasses
import importlib
import sys
import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS, instrument
from riskgrid.reporting import report
from riskgrid.running import run
from riskgrid.scenarios.set import shifts
from riskgrid.schema import Status
from riskgrid.terms import Currency, Equity, Float
from tests.contract import checks
from tests.run import made

pytestmark = pytest.mark.usefixtures("_registry")


@dataclass(frozen=True)
class Knock:
    """A share that pays twice its price above a barrier."""

    underlying: Equity
    currency: Currency
    barrier: Float


EXAMPLE = Knock("AAPL", "USD", 95.0)
BARRIERS = np.linspace(70.0, 120.0, 40)


def branchless(terms, market):
    """Twice the spot above the barrier."""
    spot = market.spot(terms.underlying)
    return np.where(spot > terms.barrier, 2.0 * spot, spot)


def branching(terms, market):
    """Asks a quantity for its truth."""
    spot = market.spot(terms.underlying)
    return 2.0 * spot if spot > terms.barrier else spot


def looping(terms, market):
    """Trade by trade and state by state, as a path loop would."""
    spot = market.spot(terms.underlying)
    value = np.empty((len(terms.barrier), spot.shape[1]))
    for trade in range(len(value)):
        for state in range(spot.shape[1]):
            level = spot[trade % len(spot), state]
            value[trade, state] = 2.0 * level if level > terms.barrier[trade, 0] else level
    return value


def fleeing(terms, market):
    """Reads another underlying only in states where the own one has fallen below its barrier."""
    spot = market.spot(terms.underlying)
    spot = np.broadcast_to(spot, (len(terms.barrier), spot.shape[1]))
    fallen = spot < terms.barrier
    if not fallen.any():
        return spot
    other = dataclasses.replace(terms, underlying=terms.underlying[:])
    other.underlying.names = tuple("SPX" for _ in terms.underlying.names)
    return np.where(fallen, market.spot(other.underlying), spot)


def table(name="AAPL", barriers=BARRIERS, **columns):
    """One trade a barrier."""
    made_up = {"underlying": name, "currency": "USD", "barrier": barriers, "trade_date": "2016-06-01", **columns}
    return pd.DataFrame({"trade_id": [f"{name}-{row:02d}" for row in range(len(barriers))], **made_up})


def register(price, name="knock", **options):
    """A portfolio of the new instrument."""
    instrument(name, value_in="currency", example=EXAMPLE, **options)(price)
    return Portfolio.from_tables({name: table()})


def spots(*moves):
    """Scenarios in which AAPL moves by so much."""
    scale = np.array([[1.0 + move] for move in moves])
    return shifts([f"{move:+}" for move in moves], ["equity:AAPL"], scale, 0.0, name="s", kind="test", provenance={})


def expected(moves):
    """P&L (trade, scenario) of the branch."""
    level = 95.0 * (1.0 + np.array([0.0, *moves]))
    value = np.where(level > BARRIERS[:, None], 2.0 * level, level)
    return value[:, 1:] - value[:, :1]


MOVES = (-0.3, -0.1, 0.0, 0.05, 0.2)


@pytest.mark.parametrize(("price", "eager"), [(branchless, False), (branchless, True), (looping, True)])
def test_a_choice_by_spot_gives_the_right_numbers(price, eager, market, tmp_path):
    book = register(price, eager=eager)
    done = run(book, market, spots(*MOVES), store=tmp_path, cluster="threads:1", bits=20)
    pnl = done.cube.trade_pnl(np.arange(40))
    assert np.abs(pnl - expected(MOVES)).max() <= 2.0**-21
    assert (done.trade_table().status == Status.PRICED).all()


def test_an_if_on_a_quantity_fails_its_trades_with_a_sentence_and_the_run_goes_on(market, tmp_path):
    book = register(branching) + made.portfolio(20, only=("equity",))
    done = run(book, market, spots(*MOVES), store=tmp_path, cluster="threads:1")
    failed = done.trade_table({"instrument": "knock"})
    assert (failed.status == Status.FAILED).all()
    assert set(failed.problem.values.tolist()) == {
        "a pricer used a market quantity as the condition of an 'if', but it has no numbers while steps are recorded; "
        "write np.where(condition, a, b), or register the instrument with eager=True"
    }
    others = done.trade_table({"instrument": "equity"})
    assert (others.status == Status.PRICED).all()
    assert int(done.aggregate().unpriced[0]) == 40
    assert int(done.aggregate("instrument").unpriced[1]) == 0


def test_reads_that_depend_on_numbers_are_recorded_when_they_happen(market, tmp_path):
    register(fleeing, eager=True)
    asked = {"store": tmp_path, "cluster": "threads:1", "bits": 10, "cut": 16}
    barriers = np.linspace(60.0, 94.0, 40)
    book = Portfolio.from_tables({"knock": table(barriers=barriers)})
    first = run(book, market, spots(-0.2, 0.1), **asked)
    fallen = barriers > 95.0 * 0.8
    pnl = first.cube.trade_pnl(np.arange(40))
    assert np.allclose(pnl[:, 0], np.where(fallen, 2100.0, 76.0) - 95.0, atol=2.0**-10)
    assert np.allclose(pnl[:, 1], 9.5, atol=2.0**-10)
    assert (first.trade_table().status == Status.PRICED).all()
    assert list((tmp_path / "reads").glob("*/*")), "no read was recorded late"

    both = run(book, market.with_factors({"equity:MSFT": 50.0}, "synthetic: made up"), spots(-0.2, 0.1), **asked)
    assert both.manifest["blocks"]["priced"] == 0
    other = run(book, market.replace({"equity:SPX": 2000.0}), spots(-0.2, 0.1), **asked)
    assert 0 < other.manifest["blocks"]["priced"] <= first.manifest["blocks"]["priced"]
    moved = other.cube.trade_pnl(np.arange(40))
    assert np.allclose(moved[:, 0], np.where(fallen, 2000.0, 76.0) - 95.0, atol=2.0**-10)


def test_a_volatility_outside_its_base_bracket_is_that_of_a_fresh_look_up(market, tmp_path):
    book = made.portfolio(60, only=("equity_option",))
    fallen = run(book, market, made.one_factor("equity:SPX", 0.5), store=tmp_path / "one", bits=20)
    base = run(book, market.replace({"equity:SPX": 1050.0}), made.one_factor("fx:EUR", 1.1), store=tmp_path / "two")
    change = base.trade_table().base_value.values - fallen.trade_table().base_value.values
    assert np.abs(fallen.cube.trade_pnl(np.arange(60))[:, 0] - change).max() <= 2.0**-21 + 1e-9
    assert np.abs(change).max() > 100.0


@pytest.mark.parametrize("interpolation", ["linear_zero", "log_linear_discount", "monotone_cubic"])
def test_a_shift_of_a_curve_with_a_pillar_more_is_that_of_a_fresh_market(interpolation, tmp_path):
    curves = {**made.CONVENTIONS["curves"]}
    curves["USD-TREASURY"] = {"quotes": "par", "interpolation": interpolation}
    market = made.market({"par:USD-TREASURY:3Y": 0.012}, curves=curves)
    book = made.portfolio(40, only=("fixed_rate_bond", "interest_rate_swap"))
    shock = made.one_factor("par:USD-TREASURY:3Y", offset=0.002)
    shifted = run(book, market, shock, store=tmp_path / "one", bits=20)
    fresh = run(book, market.replace({"par:USD-TREASURY:3Y": 0.014}), shock, store=tmp_path / "two")
    change = fresh.trade_table().base_value.values - shifted.trade_table().base_value.values
    assert np.abs(shifted.cube.trade_pnl(np.arange(80))[:, 0] - change).max() <= 2.0**-21 + 1e-8
    without = run(book, made.market(curves=curves), made.one_factor("fx:EUR", 1.1), store=tmp_path / "three")
    assert (without.trade_table().base_value.values != shifted.trade_table().base_value.values).any()


# -- a new instrument: one file ---------------------------------------------------------------------------------------

DIVIDEND_SWAP = '''
    """A file of one's own, outside the package."""
    from dataclasses import dataclass
    from typing import Annotated
    import numpy as np
    from riskgrid.registry import instrument
    from riskgrid.terms import Currency, Date, Equity, Float, Positive, Unit

    SPREAD = 0.5

    @dataclass(frozen=True)
    class Accumulator:
        underlying: Equity
        currency: Currency
        shares: Annotated[Float, Unit("shares"), Positive]
        level: Annotated[Float, Unit("currency per share")]
        maturity: Date

    def payoff(forward, level):
        return np.maximum(forward - level, 0.0) - SPREAD * np.maximum(level - forward, 0.0)

    @instrument("accumulator", value_in="currency", ends="maturity", size=("shares", "underlying"),
                example=Accumulator("AAPL", "USD", 100.0, 90.0, "2017-06-30"))
    def price(terms, market):
        """Shares bought at a level, twice as hurtful below it."""
        forward = market.forward(terms.underlying, terms.maturity, terms.currency)
        return terms.shares * payoff(forward, terms.level) * market.discount(terms.currency, terms.maturity)
'''
CSV = """trade_id,desk,trade_date,quantity,underlying,currency,shares,level,maturity
A-1,Macro,2016-06-01,1,AAPL,USD,100,90,2017-06-30
A-2,Macro,2016-06-01,-2,SPX,USD,10,2200,2016-12-30
A-3,Flow,2016-06-01,1,SPX,USD,10,2000,2016-06-30
"""


@pytest.fixture
def own_file(tmp_path, monkeypatch):
    """``own_file(source)`` writes and imports a module outside the package, under a new name each time."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = []

    def load(source=DIVIDEND_SWAP):
        name = f"own_file_{len(names)}"
        names.append(name)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        importlib.import_module(name)
        return INSTRUMENTS["accumulator"]

    yield load
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture
def own_book(own_file, tmp_path):
    own_file()
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "accumulator.csv").write_text(CSV)
    return Portfolio.read(tmp_path / "book")


def test_a_new_instrument_goes_from_file_to_report(own_book, market, scenarios, tmp_path):
    done = run(own_book, market, scenarios, store=tmp_path / "store", cluster="threads:1")
    assert done.trade_table().status.values.tolist() == [Status.PRICED, Status.PRICED, Status.EXPIRED]
    assert set(report(done, by="desk").table.desk.values.tolist()) == {"", "Flow", "Macro"}
    assert float(done.aggregate().coverage[0]) == 1.0
    again = run(own_book, market, scenarios, store=tmp_path / "store", cluster="threads:1", cell_labels=["instrument"])
    assert again.manifest["blocks"]["priced"] == 0


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_new_instrument_keeps_the_contract(own_file, check, tmp_path, monkeypatch):
    own_file()
    check("accumulator", tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_new_instrument_runs_in_other_processes(own_book, market, scenarios, tmp_path):
    # the one class can be imported by a worker, the other, of a notebook, travels by value
    notebook = {"__name__": "__main__"}
    exec(textwrap.dedent(DIVIDEND_SWAP).replace('"accumulator"', '"from_notebook"'), notebook)
    assert INSTRUMENTS["from_notebook"].code is None
    frame = own_book.to_pandas("accumulator")
    renamed = frame.assign(trade_id=[f"N-{row}" for row in range(3)])
    both = own_book + Portfolio.from_tables({"from_notebook": renamed})
    here = run(both, market, scenarios, store=tmp_path / "here", cluster="threads:1")
    there = run(both, market, scenarios, store=tmp_path / "there", cluster="processes:2")
    assert there.manifest["blocks"] == here.manifest["blocks"]
    assert there.manifest["blocks"]["failed"] == 0
    assert made.same_bits(here, there)
    pnl = there.pnl(by="instrument")
    assert (pnl.sel(instrument="accumulator").values == pnl.sel(instrument="from_notebook").values).all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SPREAD = 0.5", "SPREAD = 0.75"),
        ("np.maximum(forward - level, 0.0) -", "np.maximum(forward - level, 0.0) - 2.0 *"),
        ("terms.shares * payoff", "2.0 * terms.shares * payoff"),
        ('Unit("shares"), Positive', 'Unit("shares")'),
    ],
)
def test_an_edited_instrument_has_another_key(own_file, old, new):
    first = own_file().code
    assert own_file(DIVIDEND_SWAP).code == first
    assert DIVIDEND_SWAP.count(old) == 1
    assert own_file(DIVIDEND_SWAP.replace(old, new)).code not in (first, None)


def test_an_edited_instrument_is_priced_again(own_file, own_book, market, scenarios, tmp_path):
    asked = (own_book, market, scenarios)
    first = run(*asked, store=tmp_path / "store", cluster="threads:1")
    own_file(DIVIDEND_SWAP.replace("SPREAD = 0.5", "SPREAD = 0.75"))
    second = run(*asked, store=tmp_path / "store", cluster="threads:1")
    assert not second.found
    assert second.manifest["blocks"]["found"] == 0
    assert second.result_id != first.result_id


WITHOUT_SOURCE = """
    import sys
    from riskgrid.portfolio import Portfolio
    from riskgrid.registry import INSTRUMENTS
    from riskgrid.running import run
    from tests.run import made, test_pricers
    import textwrap
    exec(textwrap.dedent(test_pricers.DIVIDEND_SWAP), {{"__name__": "__main__"}})
    assert INSTRUMENTS["accumulator"].code is None
    book = Portfolio.read({folder!r})
    for expected in {expected}:
        done = run(book, made.market(), made.scenarios(), store={store!r}, cluster="threads:1")
        assert (done.manifest["blocks"]["priced"] > 0) is expected, done.manifest["blocks"]
"""


@pytest.mark.slow
def test_a_pricer_without_source_is_never_found_by_another_process(own_book, tmp_path):
    import subprocess
    from pathlib import Path

    for _ in range(2):
        script = WITHOUT_SOURCE.format(folder=str(tmp_path / "book"), store=str(tmp_path / "s"), expected=[True, True])
        root = Path(__file__).parents[2]
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=root, check=True, timeout=120)


def test_a_pricer_without_source_keeps_its_answer_under_a_version(tmp_path, market, scenarios):
    book = register(eval("lambda terms, market: market.spot(terms.underlying)"), version="2016.1")
    first = run(book, market, scenarios, store=tmp_path, cluster="threads:1")
    code = INSTRUMENTS["knock"].code
    register(eval("lambda terms, market: market.spot(terms.underlying)"), version="2016.1")
    assert INSTRUMENTS["knock"].code == code
    assert run(book, market, scenarios, store=tmp_path, cluster="threads:1").run_id == first.run_id
    register(eval("lambda terms, market: market.spot(terms.underlying)"), version="2016.2")
    assert INSTRUMENTS["knock"].code != code
