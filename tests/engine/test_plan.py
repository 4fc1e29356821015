import numpy as np
import pytest

from riskgrid.engine import plan
from riskgrid.engine.eager import EagerMarket
from riskgrid.engine.plan import Pricing, extend_block, plan_instrument
from riskgrid.errors import MissingMarketData
from riskgrid.market.states import MarketStates
from riskgrid.market.view import Market
from riskgrid.registry import INSTRUMENTS
from riskgrid.terms import Names
from tests.run import made

MARKET = made.market()
PRICING = Pricing("USD", cut=16)
BOOK = made.portfolio(120, only=("equity", "equity_option", "fx_forward", "fixed_rate_bond"))


def states(scenarios=None):
    return MarketStates(MARKET, made.scenarios(MARKET, 5) if scenarios is None else scenarios)


def planned(name="equity_option", columns=None, over=None, pricing=PRICING, instrument=None):
    table = BOOK.columns(name) if columns is None else columns
    return list(plan_instrument(instrument or INSTRUMENTS[name], table, over or states(), pricing))


def keys(pieces):
    return {block.key for piece in pieces for block in piece.blocks}


@pytest.mark.parametrize("name", ["equity", "equity_option", "fx_forward", "fixed_rate_bond"])
def test_plan__puts_every_trade_into_one_block(name):
    pieces = planned(name)
    rows = np.concatenate([piece.rows[block.start : block.stop] for piece in pieces for block in piece.blocks])
    assert sorted(rows.tolist()) == list(range(120))
    assert len(keys(pieces)) == sum(len(piece.blocks) for piece in pieces)


def test_plan__does_not_depend_on_the_order_of_the_table():
    columns = BOOK.columns("equity_option")
    order = np.random.default_rng(1).permutation(120)
    assert keys(planned(columns={name: column[order] for name, column in columns.items()})) == keys(planned())


def test_plan__of_a_table_in_pieces_cuts_no_trade_out(monkeypatch):
    monkeypatch.setattr(plan, "PIECE", 50)
    pieces = planned()
    assert len(pieces) > 1
    assert sorted(np.concatenate([piece.rows for piece in pieces]).tolist()) == list(range(120))


def test_key__changes_with_what_the_block_reads_and_with_nothing_else():
    equity, option = keys(planned("equity")), keys(planned())
    up = states(made.one_factor("vol:SPX:1Y:1.00", 1.1))
    down = states(made.one_factor("vol:SPX:1Y:1.00", 0.9))
    assert keys(planned("equity", over=up)) == keys(planned("equity", over=down))
    assert keys(planned(over=up)) - keys(planned(over=down))
    assert keys(planned(over=up)) & keys(planned(over=down))  # options on another share
    assert not equity & option


@pytest.mark.parametrize(
    "other", [Pricing("EUR", cut=16), Pricing("USD", 20, 16), Pricing("USD", 10, 16, wide=True), Pricing("USD", 10, 32)]
)
def test_key__changes_with_how_values_are_counted(other):
    assert keys(planned(pricing=other)) != keys(planned())


def test_key__changes_with_the_pricers_code_and_is_kept_in_the_process_where_it_is_unknown(instrument, columns):
    table = columns([1.0], underlying="SPX")
    one, other = (keys(planned(columns=table, instrument=instrument(code=code))) for code in (b"1", b"2"))
    unknown = keys(planned(columns=table, instrument=instrument(code=None)))
    assert len(one | other | unknown) == 3
    assert keys(planned(columns=table, instrument=instrument(code=None))) == unknown


def test_plan__keeps_only_the_states_that_move_a_block():
    scenarios = made.scenarios(MARKET, 5)
    scenarios["scale"][1:4] = 1.0
    scenarios["offset"][1:4] = 0.0
    for piece in planned(over=states(scenarios)):
        assert {tuple(block.states.tolist()) for block in piece.blocks} == {(0, 1, 5)}


def test_plan__has_one_list_of_states_for_all_blocks_that_keep_the_same():
    blocks = [block for piece in planned() for block in piece.blocks]
    assert len(blocks) > 5
    assert len({id(block.states) for block in blocks}) == len({tuple(block.states) for block in blocks})


def test_plan__says_why_a_trade_cannot_be_priced_and_plans_the_rest():
    columns = BOOK.columns("equity")
    names = columns["underlying"]
    columns["underlying"] = Names(np.where(np.arange(120) == 7, 2, names.codes), (*names.names, "NOBODY"))
    (piece,) = planned("equity", columns)
    assert list(piece.problems) == [7]
    assert piece.problems[7].startswith("no equity price 'equity:NOBODY'; known: 'equity:AAPL', 'equity:SPX'")
    assert 7 not in piece.rows
    assert len(piece.rows) == 119


def test_plan__of_trades_that_all_fail_has_no_block(instrument, columns):
    def fails(terms, market):
        raise ValueError("never")

    (piece,) = planned(columns=columns([1.0, 2.0]), instrument=instrument(fails))
    assert piece.blocks == []
    assert piece.problems == {0: "ValueError: never", 1: "ValueError: never"}


def test_plan__of_a_pricer_that_reads_nothing_has_blocks_of_the_base_alone(instrument, columns):
    (piece,) = planned(columns=columns([1.0]), instrument=instrument(lambda terms, market: terms.strike))
    assert [block.states.tolist() for block in piece.blocks] == [[0]]
    assert piece.blocks[0].roles == ()


def test_extend_block__has_further_reads_and_another_key():
    over = states()
    (piece,) = planned("equity", over=over)
    block = piece.blocks[0]
    more = extend_block(piece, block, ("vol:SPX",), over, PRICING)
    assert more.roles == tuple(sorted({*block.roles, "vol:SPX"}))
    assert (more.start, more.stop) == (block.start, block.stop)
    assert more.key != block.key
    assert extend_block(piece, block, (), over, PRICING).key == block.key


def test_plan__counts_reads_without_history_and_with_filled_quotes():
    scenarios = made.scenarios(MARKET, 5)
    stale = np.zeros((5, scenarios.sizes["factor"]), bool)
    stale[:2, list(scenarios.factor.values).index("equity:AAPL")] = True
    unshocked = scenarios.factor.values == "equity:SPX"
    flagged = scenarios.assign(stale=(("scenario", "factor"), stale)).assign_coords(unshocked=("factor", unshocked))
    (piece,) = planned("equity", over=states(flagged))
    codes = piece.columns["underlying"]
    assert (piece.unshocked == (codes == "SPX")).all()
    assert piece.stale.tolist() == np.where(codes == "AAPL", 2, 0).tolist()


def test_eager_plan__records_what_the_pricer_asked(instrument, columns):
    def price(terms, market):
        spot = market.spot(terms.underlying)
        assert spot.shape == (1, 1)  # the numbers of the base
        assert market.date == made.TODAY
        return terms.strike * spot

    (piece,) = planned(columns=columns([1.0], underlying="SPX"), instrument=instrument(price, eager=True))
    assert piece.problems == {}
    assert piece.blocks[0].roles == ("equity:SPX",)


def test_eager_plan__says_what_is_missing(instrument, columns):
    price = instrument(lambda terms, market: market.spot(terms.underlying), eager=True)
    (piece,) = planned(columns=columns([1.0], underlying="NOBODY"), instrument=price)
    assert piece.problems[0].startswith("no equity price 'equity:NOBODY'")


def test_eager_market__answers_the_numbers_of_its_states():
    over = states()
    names = Names(np.zeros((2, 1), np.int32), ("SPX",))
    market = EagerMarket(Market(over, 2, base_date=made.TODAY), 3)
    assert market.spot(names).tolist() == [over["equity:SPX"].panel[0, :3].tolist()] * 2
    assert market.trades == 2
    with pytest.raises(MissingMarketData):
        market.spot(Names(np.zeros((2, 1), np.int32), ("NOBODY",)))
    assert isinstance(market.time_to(np.full((2, 1), made.TODAY)), (float, np.ndarray))
