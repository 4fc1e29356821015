"""What every instrument keeps to, as checks by name: for the registered ones and for anybody's own."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd

from riskgrid.engine import block as engine_block
from riskgrid.engine.block import price_block, sum_block
from riskgrid.engine.plan import Pricing, plan_instrument
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.running import run
from riskgrid.scenarios.ladder import ladder
from riskgrid.schema import Status
from tests.run import made

ROWS = 50
TWINS = {"AAPL": "SPX", "EUR": "GBP", "WTI": "BRENT", "USD-3M": "USD-6M", "": "ACME"}
PRICING = Pricing("USD", 20, 4096, wide=True)


def variations(name, count=ROWS, seed=11, **fixed):
    """A frame of trades around the instrument's example: the first expired, the second expiring today.

    Numbers are halved to doubled, choices and twins of names drawn, the dates of a trade moved together.
    """
    instrument = INSTRUMENTS[name]
    rng = np.random.default_rng(seed)
    moved = rng.integers(-300, 300, count).astype("timedelta64[D]")
    if instrument.ends is not None:
        end = np.datetime64(getattr(instrument.example, instrument.ends), "D")
        moved[: min(2, count)] = np.array([made.TODAY - 5 * DAY - end, made.TODAY - end])[:count]
    columns = {"trade_id": [f"T-{row}" for row in range(count)], "trade_date": np.datetime64("2016-06-01")}
    columns["quantity"] = rng.choice([-3.0, 1.0, 2.0], count)
    for term in instrument.columns:
        value = getattr(instrument.example, term.name)
        if value == term.default and term.default_from is not None:
            continue
        columns[term.name] = _varied(term, value, moved, rng, count)
    return pd.DataFrame(columns | fixed)


DAY = np.timedelta64(1, "D")


def _varied(term, value, moved, rng, count):
    if term.choices:
        return rng.choice(term.choices, count)
    if term.kind.storage == "date" and isinstance(value, (str, datetime.date)):
        return np.datetime64(value, "D") + moved
    if term.kind.storage == "float":
        return float(value) * rng.uniform(0.5, 2.0, count)
    if term.kind.storage == "name" and term.kind.family and value in TWINS:
        return rng.choice([value, TWINS[value]], count)
    return np.repeat(value, count)


def book_of(name, frame):
    """A portfolio of one table."""
    return Portfolio.from_tables({name: frame})


def blocks_of(name, frame, states, pricing=PRICING):
    """``(rows, columns, block)`` of each block; no trade may be left out."""
    columns = book_of(name, frame).columns(name)
    found = []
    for piece in plan_instrument(INSTRUMENTS[name], columns, states, pricing):
        assert not piece.problems, piece.problems
        for block in piece.blocks:
            part = {key: column[block.start : block.stop] for key, column in piece.columns.items()}
            found.append((piece.rows[block.start : block.stop], part, block))
    assert sum(len(rows) for rows, _, _ in found) == len(frame)
    return found


def priced(name, columns, roles, states, objects=None, pricing=PRICING):
    """A block in all states."""
    held = {role: states[role] for role in roles} | (objects or {})
    return price_block(INSTRUMENTS[name], columns, held, states.dates, pricing, "USD")


def base_values(name, market):
    """Base values (trade,) of the variations."""
    found = np.full(ROWS, np.nan)
    states = MarketStates(market, made.scenarios(market, count=0))
    for rows, columns, block in blocks_of(name, variations(name), states):
        found[rows] = priced(name, columns, block.roles, states).base_value
    return found


def fingerprints(result, rows):
    """Row of the table to the bytes of everything a block says of it."""
    wide = dict(zip(result.wide.tolist(), result.wide_ticks, strict=True))
    return {
        int(row): (wide.get(at, result.ticks[at]).tobytes(), result.base_value[at].tobytes(), int(result.status[at]))
        for at, row in enumerate(rows)
    }


def blocking_and_tiling_change_no_bit(name, folder, monkeypatch):
    """The cut, the shape of tiles, the size of a cache and the rows of an eager call are no part of an answer."""
    book, states = book_of(name, variations(name)), made.scenarios(count=70)
    plain = run(book, made.market(), states, store=folder / "plain", cluster="threads:1")
    whole = made.bits_by_trade(plain)
    assert plain.aggregate().unpriced[0] == 0, plain.trade_table().problem.values
    for number, (cut, shape, rows) in enumerate(
        [(16, (3, 32), 7), (16, None, 1), (4096, (8, 16), 50), (32, (1, 71), 2)]
    ):
        with monkeypatch.context() as patch:
            patch.setattr(engine_block, "_EAGER_ROWS", rows)
            patch.setattr(engine_block, "cache_bytes", lambda: 1 << 12)
            if shape is not None:
                patch.setattr(engine_block, "tile_shape", lambda *_, shape=shape, **__: shape)
            done = run(book, made.market(), states, store=folder / str(number), cluster="threads:1", cut=cut)
        assert done.manifest["blocks"]["priced"] > 0
        assert made.bits_by_trade(done) == whole
        assert done.pnl().values.tobytes() == plain.pnl().values.tobytes()


def a_portfolio_is_the_sum_of_its_trades(name, folder, monkeypatch):
    """Ticks of single trades, priced one by one, add up to the ticks of the block."""
    states, frame = MarketStates(made.market(), made.scenarios(count=20)), variations(name)
    total, base, alone, alone_base = 0, 0, 0, 0
    for _, columns, block in blocks_of(name, frame, states):
        sums = sum_block(priced(name, columns, block.roles, states), np.zeros(len(columns["quantity"]), np.int64), 1)
        total, base = total + sums["pnl"][0], base + sums["base"][0]
    for row in range(ROWS):
        for _, columns, block in blocks_of(name, frame.iloc[[row]], states):
            sums = sum_block(priced(name, columns, block.roles, states), np.zeros(1, np.int64), 1)
            alone, alone_base = alone + sums["pnl"][0], alone_base + sums["base"][0]
    assert (total == alone).all()
    assert base == alone_base
    assert np.any(total != 0)


def a_zero_shift_gives_the_base_value(name, folder, monkeypatch):
    """A state that is the base counts no tick, beside states that move."""
    still = made.scenarios(count=3)
    still.scale[1], still.offset[1] = 1.0, 0.0
    states = MarketStates(made.market(), still)
    for _, columns, block in blocks_of(name, variations(name), states):
        result = priced(name, columns, block.roles, states)
        assert (result.ticks[:, 1] == 0).all()
        assert np.isfinite(result.base_value).all()


def a_nan_in_a_term_stays_in_its_trade(name, folder, monkeypatch):
    """One trade's NaN changes no bit of another's result, and leaves its own out."""
    states = MarketStates(made.market(), made.scenarios(count=20))
    numbers = ["quantity", *(term.name for term in INSTRUMENTS[name].columns if term.kind.storage == "float")]
    for rows, columns, block in blocks_of(name, variations(name), states):
        clean = fingerprints(priced(name, columns, block.roles, states), rows)
        at = len(rows) // 2
        for number in numbers:
            spoilt = {**columns, number: np.where(np.arange(len(rows)) == at, np.nan, columns[number])}
            result = priced(name, spoilt, block.roles, states)
            found = fingerprints(result, rows)
            own = int(rows[at])
            assert {row for row in found if found[row] != clean[row]} <= {own}
            if number == "quantity":
                assert result.status[at] in (Status.NO_NUMBER, Status.FAILED)


def a_nan_in_a_quote_stays_with_its_readers(name, folder, monkeypatch):
    """A market object full of NaN changes no bit of a trade that did not read it."""
    states, frame = MarketStates(made.market(), made.scenarios(count=20)), variations(name)
    roles_of = {}
    for row in range(len(frame)):
        for _, _, block in blocks_of(name, frame.iloc[[row]], states):
            roles_of[row] = set(block.roles)
    for rows, columns, block in blocks_of(name, frame, states):
        clean = fingerprints(priced(name, columns, block.roles, states), rows)
        for role in block.roles:
            found = states[role]
            if found is None or found.moving is None:
                continue
            spoilt = {role: type(found)(**{**vars(found), "panel": np.full_like(found.panel, np.nan)})}
            result = fingerprints(priced(name, columns, block.roles, states, spoilt), rows)
            assert {row for row in result if result[row] != clean[row]} <= {
                row for row in roles_of if role in roles_of[row]
            }, role


def every_factor_the_value_moves_with_was_recorded(name, folder, monkeypatch):
    """Bumping any factor of the market moves trades in kept states only."""
    market = made.market()
    bumps = ladder(market, kind="up", sizes={"vol:*": (1.0, "vol")})
    states = MarketStates(market, bumps)
    factors = [str(factor) for factor in bumps.bumped.values]
    moving = set()
    for _, columns, block in blocks_of(name, variations(name), states):
        full = priced(name, columns, block.roles, states)
        moved = np.flatnonzero((full.ticks != 0).any(axis=0)) + 1
        assert set(moved.tolist()) <= set(block.states.tolist())
        moving |= {factors[state - 1] for state in moved.tolist()}
    assert moving
    before = base_values(name, market)
    for factor in factors:  # a fresh market, without any scenario, says which factors count at all
        shift = 1e-4 if factor.startswith(("par", "zero", "spread", "dividend")) else 0.02 * market.level(factor)
        after = base_values(name, market.replace({factor: market.level(factor) + shift}))
        if np.abs(after - before).max() > 1e-3:
            assert factor in moving, f"{factor} moves a value, and no block was recorded to read it"


def quantity_scales(name, folder, monkeypatch):
    """Twice the quantity is twice the value to the last bit, and twice the P&L but for the rounding of both."""
    states = MarketStates(made.market(), made.scenarios(count=20))
    frame = variations(name)
    results = {}
    for factor in (1.0, 2.0):
        found = {}
        for rows, columns, block in blocks_of(name, frame.assign(quantity=factor), states):
            result = priced(name, columns, block.roles, states)
            found |= {int(row): (result.base_value[at], result.ticks[at]) for at, row in enumerate(rows)}
        results[factor] = found
    for row, (base, ticks) in results[1.0].items():
        assert results[2.0][row][0] == 2.0 * base
        assert np.abs(results[2.0][row][1] - 2 * ticks).max() <= 1


def long_and_short_cancel(name, folder, monkeypatch):
    """A book and its mirror count nothing, in ticks and in base values, at every node."""
    frame = variations(name)
    mirror = frame.assign(quantity=-frame.quantity, trade_id=[f"M-{row}" for row in range(ROWS)])
    both = book_of(name, pd.concat([frame, mirror], ignore_index=True))
    done = run(both, made.market(), made.scenarios(count=20), store=folder, cluster="threads:1", cut=16)
    nodes = done.aggregate(["instrument", "currency"])
    assert (nodes.pnl.values == 0.0).all()
    assert (nodes.base_value.values == 0.0).all()
    assert int(nodes.trades[0]) == 2 * ROWS
    assert (done.cube.trade_pnl(np.arange(2 * ROWS)) != 0.0).any()


def what_has_ended_is_worth_nothing(name, folder, monkeypatch):
    """A trade that expired, or expires today, is priced at zero in every state and says that it expired."""
    ends = INSTRUMENTS[name].ends
    frame = variations(name)
    done = run(book_of(name, frame), made.market(), made.scenarios(count=5), store=folder, cluster="threads:1")
    table = done.trade_table()
    ended = np.zeros(ROWS, bool) if ends is None else frame[ends].to_numpy() <= made.TODAY
    assert ends is None or ended[:2].all()
    assert (table.status.values == np.where(ended, Status.EXPIRED, Status.PRICED)).all()
    assert (table.base_value.values[ended] == 0.0).all()
    assert (done.cube.trade_pnl(np.flatnonzero(ended)) == 0.0).all()


def one_row_and_no_rows_run(name, folder, monkeypatch):
    """One trade has the bits it has among many; no trades make an empty cube."""
    frame = variations(name)
    many = run(book_of(name, frame), made.market(), made.scenarios(count=5), store=folder / "many", bits=10)
    one = run(book_of(name, frame.iloc[[7]]), made.market(), made.scenarios(count=5), store=folder / "one", bits=10)
    assert made.bits_by_trade(one)["T-7"] == made.bits_by_trade(many)["T-7"]
    none = run(book_of(name, frame.iloc[:0]), made.market(), made.scenarios(count=5), store=folder / "none")
    assert none.pnl().values.tolist() == [0.0] * 5
    assert none.trades.sizes["trade"] == int(none.aggregate("desk").trades[0]) == 0
    assert none.cells.sizes["cell"] == 0


CHECKS = (
    blocking_and_tiling_change_no_bit,
    a_portfolio_is_the_sum_of_its_trades,
    a_zero_shift_gives_the_base_value,
    a_nan_in_a_term_stays_in_its_trade,
    a_nan_in_a_quote_stays_with_its_readers,
    every_factor_the_value_moves_with_was_recorded,
    quantity_scales,
    long_and_short_cancel,
    what_has_ended_is_worth_nothing,
    one_row_and_no_rows_run,
)
