"""P&L between two runs: every piece by hand or by another way, and nothing left over."""

import dataclasses
import itertools

import numpy as np
import pytest
from click.testing import CliRunner

import riskgrid as rg
from riskgrid.analysis import account
from riskgrid.analysis.explaining import explain
from riskgrid.cli import cli
from riskgrid.errors import BadScenarios, BadSpec, UnknownName
from riskgrid.market.objects import Fixings
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.explain import PIECES
from riskgrid.scenarios import steps
from riskgrid.scenarios.set import shifts
from tests.run import made

FIRST, SECOND = "2016-06-23", "2016-06-30"
BASE = shifts(["base"], [], 1.0, 0.0, name="base", kind="none", provenance={})
LABELS = {"region": "EMEA", "desk": "Macro", "book": "A", "counterparty": "North", "netting_set": "N"}
USD = {"currency": "USD"}
BOND = {**USD, "notional": 1e6, "payments_per_year": 2, "day_count": "30/360", "calendar": "US"}
SWAP = {
    **USD,
    "side": "receive",
    "notional": 1e7,
    "fixed_rate": 0.015,
    "index": "USD-3M",
    "fixed_payments_per_year": 2,
    "fixed_day_count": "30/360",
    "floating_payments_per_year": 4,
    "floating_day_count": "ACT/360",
    "calendar": "US",
}
OPTION = {"underlying": "SPX", **USD, "option_type": "call", "strike": 2000.0, "multiplier": 100.0}
TRADES = {
    "coupon": ("fixed_rate_bond", {**BOND, "coupon": 0.04, "issue": "2014-06-27", "maturity": "2024-06-27"}),
    "redeemed": ("fixed_rate_bond", {**BOND, "coupon": 0.02, "issue": "2014-06-28", "maturity": "2016-06-28"}),
    "exercised": ("equity_option", {**OPTION, "expiry": "2016-06-27"}),
    "worthless": ("equity_option", {**OPTION, "strike": 2150.0, "expiry": "2016-06-27"}),
    "option": ("equity_option", {**OPTION, "expiry": "2017-06-16"}),
    "fixed": ("interest_rate_swap", {**SWAP, "start": "2016-03-29", "maturity": "2021-03-29"}),
    "ahead": ("interest_rate_swap", {**SWAP, "start": "2016-09-30", "maturity": "2021-09-30"}),
    "share": ("equity", {"underlying": "SPX", "currency": "EUR"}),
    "forward": ("fx_forward", {"bought": "GBP", "sold": "EUR", "notional": 1e6, "rate": 1.3, "maturity": "2017-03-31"}),
    "barrel": ("commodity_forward", {**USD, "commodity": "WTI", "lot": 1e3, "price": 48.0, "delivery": "2017-06-19"}),
}


def book(trades=TRADES, **amended):
    """The trades; ``amended`` : trade_id to further terms and labels."""
    tables = {}
    for trade, (instrument, terms) in trades.items():
        row = {"trade_id": trade, **LABELS, "trade_date": "2016-01-04", **terms, **amended.get(trade, {})}
        for name, value in row.items():
            tables.setdefault(instrument, {}).setdefault(name, []).append(value)
    return rg.Portfolio.from_tables(tables)


def ask(portfolio, market, store, scenarios=BASE, **spec):
    return rg.run(portfolio, market, scenarios, store=store, progress=None, **spec)


def worth(portfolio, market, **options):
    """trade_id to value, each priced on its own in a snapshot."""
    table = rg.price(portfolio, market, **options)
    return dict(zip(table["trade_id"].values, table["base_value"].values, strict=True))


def pieces(explained):
    """trade_id to piece to P&L."""
    table = explained.pnl
    rows = zip(table["trade_id"].values, table["pnl"].values, strict=True)
    return {trade: dict(zip(explained.pieces, row.tolist(), strict=True)) for trade, row in rows}


def restated(market, levels=None, *, date=SECOND, fixings=None):
    """The market's own levels, then some, on another date."""
    one = steps.restated(market, np.datetime64(date), fixings or rg.sample.market(date).fixings)
    return one.replace(levels or {})


def check(explained):
    """The pieces add to the total exactly, which is the change of value plus cash."""
    table, a, b = explained.pnl, explained.frames.a, explained.frames.b
    ticks, tick = explained.attribution.ticks, 2.0**-explained.attribution.bits
    assert (table["total"].values == ticks.sum(axis=1) * tick).all()
    assert (table["settled"] + table["value_change"] == table["total"]).all()
    values = []
    for run in (a, b):
        found = run.trade_table()
        values.append(dict(zip(found["trade_id"].values, found["base_value"].values, strict=True)))
    change = [values[1].get(trade, 0.0) - values[0].get(trade, 0.0) for trade in table["trade_id"].values]
    np.testing.assert_allclose(table["value_change"].values, change, rtol=0, atol=2 * tick)
    return explained


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("explain")


@pytest.fixture(scope="module")
def before(store):
    return ask(book(), rg.sample.market(FIRST), store, bits=16)


@pytest.fixture(scope="module")
def after(store):
    return ask(book(), rg.sample.market(SECOND), store, bits=16)


@pytest.fixture(scope="module")
def week(before, after):
    return check(explain(before, after))


def test_explain__leaves_nothing_unexplained(week):
    assert not week.attribution.ticks[:, week.pieces.index("unexplained")].any()
    assert not week.left_out
    assert week.pieces == (
        *("cash and carry", "fixings", "theta", "spot", "rates", "volatility", "credit", "FX translation", "other"),
        *("cross", "new", "amended", "dropped", "expired", "unexplained"),
    )


def test_bridge__is_change_of_value_plus_settled_cash_at_every_node(week):
    bridge, whole = week.bridge("instrument"), week.by("instrument")
    assert bridge["piece"].values.tolist() == ["change of value", "settled cash"]
    assert (bridge["pnl"].sum("piece") == bridge["total"]).all()
    assert bridge["total"].values.tolist() == whole["total"].values.tolist()
    assert bridge["pnl"].values[0].tolist() == [float(week.pnl[name].sum()) for name in ("value_change", "settled")]
    assert bridge["pnl"].values[0, 1]
    coupon = week.bridge((), {"trade_id": "coupon"})["pnl"].values[0]
    assert coupon[1] == pieces(week)["coupon"]["cash and carry"]


def test_cash__is_the_coupon_by_hand_carried_at_the_earlier_curve(week):
    """2 % of 1,000,000, paid on Monday 27 June and carried for three days at about a quarter of a per cent."""
    curve = {days: rg.sample.market(FIRST).level(f"par:USD-TREASURY:{days}") for days in ("1M", "3M")}
    carried = 20_000.0 * (1.0 + curve["1M"] * 3 / 365)
    found = pieces(week)["coupon"]
    assert found["cash and carry"] == pytest.approx(carried, abs=0.02)
    assert float(week.pnl["settled"].values[week.pnl["trade_id"].values == "coupon"][0]) == found["cash and carry"]
    alive = [
        trade for trade in ("option", "ahead", "share", "forward", "barrel") if pieces(week)[trade]["cash and carry"]
    ]
    assert alive == []


def test_cash__of_a_swap_is_what_both_legs_pay(week):
    """On 29 June the period since 29 March pays its own fixing; the fixed leg pays half-yearly, on 29 September."""
    fixings = rg.sample.market(FIRST).fixings["USD-3M"]
    published = fixings.values[fixings.dates == np.datetime64("2016-03-24")]  # two business days before, less Easter
    found = pieces(week)["fixed"]
    (rate,) = published
    assert found["cash and carry"] == pytest.approx(-1e7 * rate * 92 / 360, rel=2e-5)


def test_expired__is_the_settlement_less_the_last_value(week, before):
    """Nothing of it is spread over the steps; an option pays by the later spot."""
    value, found = worth(book(), before.market), pieces(week)
    spot = rg.sample.market(SECOND).level("equity:SPX")
    payoffs = {"redeemed": 1_010_000.0, "exercised": 100.0 * (spot - 2000.0), "worthless": 0.0}
    assert payoffs["exercised"] > 0.0
    rate = before.market.level("par:USD-TREASURY:1M")
    for trade, payoff in payoffs.items():
        carried = payoff * (1.0 + rate * (2 if trade == "redeemed" else 3) / 365)
        assert found[trade]["expired"] == pytest.approx(carried - value[trade], abs=0.05)
        assert {name for name, pnl in found[trade].items() if pnl} == {"expired"}
    settled = dict(zip(week.pnl["trade_id"].values, week.pnl["settled"].values, strict=True))
    assert settled["redeemed"] == pytest.approx(1_010_000.0, rel=1e-4)
    assert settled["worthless"] == 0.0


def test_fixings__are_what_the_published_rate_brings_over_the_projected_one(week, before, after):
    """The period of 29 June to 29 September fixes on 27 June; before, its rate was the forward of the earlier curve."""
    first, second = before.market, after.market
    zero = {**BOND, "coupon": 0.0, "issue": "2016-06-01"}
    ends = ("2016-06-29", "2016-09-29")
    bonds = {end: ("fixed_rate_bond", {**zero, "maturity": end, "notional": 1.0}) for end in ends}
    discount = worth(book(bonds), first)
    forward = (discount[ends[0]] / discount[ends[1]] - 1.0) / (92 / 360)
    known = second.fixings["USD-3M"]
    assumed = np.where(known.dates == np.datetime64("2016-06-27"), forward, known.values)
    one = worth(book(), restated(first))["fixed"]
    other = worth(book(), restated(first, fixings={"USD-3M": Fixings(known.dates, assumed)}))["fixed"]
    found = pieces(week)
    assert found["fixed"]["fixings"] == pytest.approx(one - other, abs=1e-3)
    assert abs(one - other) > 10.0
    assert [trade for trade, parts in found.items() if parts["fixings"]] == ["fixed"]


def thinned(market, keep):
    """The market with the fixings of some dates alone."""
    series = market.fixings["USD-3M"]
    use = keep(series.dates)
    return dataclasses.replace(market, fixings={"USD-3M": Fixings(series.dates[use], series.values[use])})


def test_fixings__of_the_earlier_date_itself_may_come_later(store, after):
    """Asked in the morning, the earlier run projects a rate that fixes on its own date, Thursday 23 June."""
    trades = {"morning": ("interest_rate_swap", {**SWAP, "start": "2015-06-27", "maturity": "2020-06-27"})}
    markets = []
    for market in (rg.sample.market(FIRST), after.market):  # whose fixings are the curve's own forwards
        known = market.fixings["USD-3M"]
        raised = known.values + np.where(known.dates == np.datetime64(FIRST), 1e-3, 0.0)
        markets.append(dataclasses.replace(market, fixings={"USD-3M": Fixings(known.dates, raised)}))
    whole, later = markets
    morning = thinned(whole, lambda dates: dates < np.datetime64(FIRST))
    one, other, last = (ask(book(trades), market, store, bits=16) for market in (morning, whole, later))
    found, without = check(explain(one, last)), check(explain(other, last))
    gain = worth(book(trades), whole)["morning"] - worth(book(trades), morning)["morning"]
    assert gain == pytest.approx(-1e7 * 1e-3 * 92 / 360, rel=1e-2)
    assert pieces(found)["morning"]["fixings"] == pytest.approx(gain, rel=1e-4)
    assert pieces(without)["morning"]["fixings"] == 0.0
    same = {name: pytest.approx(value, abs=0.05) for name, value in pieces(without)["morning"].items()}
    assert pieces(found)["morning"] == same | {
        "fixings": pieces(found)["morning"]["fixings"],
        "theta": pieces(found)["morning"]["theta"],
    }
    assert pieces(found)["morning"]["unexplained"] == 0.0


def test_fixings__that_the_later_market_has_forgotten_still_pay_what_they_fixed(week, before, after, store):
    """The rate of 24 March is paid on 29 June: the later run needs it no more, the cash does."""
    recent = thinned(after.market, lambda dates: dates > np.datetime64("2016-06-20"))
    found = check(explain(before, ask(book(), recent, store, bits=16)))
    assert not found.left_out
    assert pieces(found) == pieces(week)


def test_groups__are_differences_of_values_in_snapshots_of_the_later_date(week, before, after):
    """The same by another way: whole base valuations in markets that are put together by hand."""
    first, second = before.market, after.market
    levels = dict(zip(second.factors, second.levels.tolist(), strict=True))
    start = worth(book(), restated(first))
    value = worth(book(), first)
    kinds = {"spot": ("equity", "commodity", "fx", "index"), "rates": ("par", "zero"), "volatility": ("vol",)}
    alive = {trade: one for trade, one in pieces(week).items() if not one["expired"] and trade != "worthless"}
    assert len(alive) == 7
    for group, names in kinds.items():
        new = {name: x for name, x in levels.items() if name.split(":")[0] in names and name in first.factors}
        moved = worth(book(), restated(first, new))
        for trade, found in alive.items():
            own = found[group] + (found["FX translation"] if group == "spot" else 0.0)
            assert own == pytest.approx(moved[trade] - start[trade], abs=0.05 if trade == "coupon" else 2.0**-15)
    for trade, found in alive.items():
        assert found["fixings"] + found["theta"] + found["cash and carry"] == pytest.approx(
            start[trade] - value[trade] + found["cash and carry"], abs=2.0**-14
        )


def test_fx_translation__is_the_value_converted_at_the_later_rate_and_the_rest_is_spot(week, before, after):
    first, second = before.market, after.market
    rate = second.level("fx:EUR") / first.level("fx:EUR") - 1.0
    start, found = worth(book(), restated(first)), pieces(week)
    for trade in ("share", "forward"):
        assert found[trade]["FX translation"] == pytest.approx(start[trade] * rate, abs=2.0**-16)
    moved = second.level("equity:SPX") - first.level("equity:SPX")
    assert found["share"]["spot"] == pytest.approx(second.level("fx:EUR") * moved, abs=2.0**-15)
    assert found["forward"]["spot"] != 0.0  # the pound against the euro
    dollars = [trade for trade in found if trade not in ("share", "forward")]
    assert not any(found[trade]["FX translation"] for trade in dollars)


def test_in_sequence__has_no_cross_and_the_same_total(week, before, after):
    found = check(explain(before, after, order="in_sequence"))
    assert "cross" not in found.pieces
    assert (found.pnl["total"].values == week.pnl["total"].values).all()
    same = ["cash and carry", "fixings", "theta", "spot", "FX translation", "new", "expired", "unexplained"]
    for name in same:  # the first group stands on theta in both orders
        np.testing.assert_array_equal(found.pnl["pnl"].sel(piece=name), week.pnl["pnl"].sel(piece=name))
    assert any(
        sentence.startswith("Moved in sequence, without a cross: spot, rates, volatility, credit, other.")
        for sentence in found.sentences()
    )


def test_groups__are_data(week, before, after):
    found = check(explain(before, after, groups={"oil": ["commodity:*"], "stocks": ["equity:*"]}))
    assert found.pieces[3:7] == ("oil", "stocks", "FX translation", "other")
    assert pieces(found)["barrel"]["oil"] == pieces(week)["barrel"]["spot"]
    assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()


def test_groups__refuse_patterns_and_names_that_cannot_be(before, after):
    with pytest.raises(UnknownName, match="unknown factor in group 'gas': 'commodity:GAS:"):
        explain(before, after, groups={"gas": ["commodity:GAS:*"]})
    with pytest.raises(BadSpec, match="a group of factors is called 'new', as a piece of every explain is"):
        explain(before, after, groups={"new": ["fx:*"]})
    with pytest.raises(BadScenarios, match="is of the risk classes 'a' and 'b'"):
        explain(before, after, groups={"a": ["fx:*"], "b": ["fx:EUR"]})


CHANGED = {
    "barrel": {"quantity": 3.0},
    "option": {"strike": 2100.0},
    "share": {"desk": "Treasury"},
    "exercised": {"expiry": "2017-06-16"},
}


def test_trades_that_change__are_pieces_of_their_own(store, before, week, after):
    gone = {trade: row for trade, row in TRADES.items() if trade not in ("ahead", "redeemed")}
    every = {**gone, "arrived": ("equity", {"underlying": "SPX", **USD})}
    second = ask(book(every, **CHANGED), after.market, store, bits=16)
    changed = check(explain(before, second))
    found, same, value = pieces(changed), pieces(week), worth(book(), after.market)
    later = worth(book(every, **CHANGED), after.market)
    assert found["arrived"] == dict.fromkeys(found["arrived"], 0.0) | {"new": found["arrived"]["new"]}
    assert found["arrived"]["new"] == pytest.approx(later["arrived"], abs=2.0**-16)
    assert found["ahead"]["dropped"] == pytest.approx(-value["ahead"], abs=2.0**-15)
    assert found["redeemed"] == same["redeemed"]  # it has expired: that it is gone is no news
    assert found["barrel"]["amended"] == pytest.approx(2.0 * value["barrel"], abs=2.0**-15)
    assert found["option"]["amended"] == pytest.approx(later["option"] - value["option"], abs=2.0**-15)
    assert found["exercised"]["expired"] == same["exercised"]["expired"]
    assert found["exercised"]["amended"] == pytest.approx(later["exercised"], abs=2.0**-15)
    for trade in set(same) - {"ahead"}:
        assert found[trade] == same[trade] | {"amended": found[trade]["amended"]}
    assert {name for name, x in found["ahead"].items() if x} == {*(n for n, x in same["ahead"].items() if x), "dropped"}
    desks = changed.by("desk")
    assert desks["desk"].values.tolist() == ["", "Macro"]  # the share earned its P&L where it was held
    said = "\n".join(changed.sentences())
    assert "2 trades dropped: ahead, redeemed." in said
    assert "3 trades amended: barrel, exercised, option." in said
    assert "1 trade re-hung: share." in said


def test_left_out__is_a_trade_without_a_number_in_any_of_the_runs(store):
    trades = {
        **TRADES,
        "lost": ("equity", {"underlying": "NOPE", **USD}),
        "unfixed": ("interest_rate_swap", {**SWAP, "start": "2016-03-29", "maturity": "2021-03-29"}),
    }
    first, second = (rg.sample.market(date) for date in (FIRST, SECOND))
    second = dataclasses.replace(second, fixings={})
    one = ask(book(trades), first, store)
    other = ask(book({**trades, "late": ("equity", {"underlying": "NOPE", **USD})}), second, store)
    found = explain(one, other)
    assert set(found.left_out) == {"lost", "unfixed", "fixed", "late"}
    assert "NOPE" in found.left_out["lost"]
    assert "no fixing of index 'USD-3M' on 2016-06-27" in found.left_out["unfixed"]
    assert not set(found.left_out) & set(found.pnl["trade_id"].values)
    assert any("4 trades left out, without a number on the way: " in sentence for sentence in found.sentences())
    assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()


def test_unexplained__is_what_neither_time_nor_levels_say(store, before, after):
    """Another interpolation of the later market's curve, and a factor of its own, are no move of a level."""
    how = {name: dict(how) for name, how in after.market.conventions["curves"].items()}
    how["USD-TREASURY"]["interpolation"] = "log_linear_discount"
    conventions = {**after.market.conventions, "curves": how}
    market = dataclasses.replace(after.market, conventions=conventions).with_factors({"equity:NEW": 1.0}, "synthetic")
    other = ask(book(), market, store, bits=16)
    found = pieces(check(explain(before, other)))
    value, changed = worth(book(), after.market), worth(book(), market)
    assert found["coupon"]["unexplained"] == pytest.approx(changed["coupon"] - value["coupon"], abs=2.0**-15)
    assert found["coupon"]["unexplained"] != 0.0
    assert found["share"]["unexplained"] == 0.0
    said = "\n".join(explain(before, other).sentences())
    assert "* The markets' conventions differ: unexplained has their effect." in said
    assert f"* The market of run {other.run_id} alone has equity:NEW: unexplained has their effect." in said


def test_unexplained__is_nothing_where_volatility_is_read_at_its_strike(store):
    """Between two dates a surface moves by moneyness, whatever a market says of its scenarios."""
    sticky = {"surfaces": {"default": {"sticky": "sticky_strike"}}}
    one, other = (
        dataclasses.replace(rg.sample.market(date), conventions={**rg.sample.market(date).conventions, **sticky})
        for date in (FIRST, "2016-06-24")
    )
    found = check(explain(ask(book(), one, store), ask(book(), other, store)))
    assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()
    assert pieces(found)["option"]["volatility"] != 0.0


def test_explain__of_one_date_has_no_theta_and_may_be_of_what_ifs(before):
    shifted = rg.what_if(before, {"shift": {"equity:*": "-5%"}, "drop": ["barrel"]})
    found = check(explain(before, shifted, sensitivities=True))
    table = found.by(())["pnl"].to_series().droplevel(0)
    assert {name for name, value in table.items() if value} == {"spot", "dropped"}
    assert (found.estimated.by().pnl.sel(piece="theta") == 0.0).all()
    other = rg.what_if(shifted, {"shift": {"vol:*": "+1%"}})
    again = check(explain(shifted, other))
    assert not again.attribution.ticks[:, again.pieces.index("unexplained")].any()
    assert "barrel" not in again.pnl["trade_id"].values


def test_explain__of_a_run_and_itself_is_nothing(before):
    found = explain(before, before)
    assert not found.attribution.ticks.any()
    assert len(found.pnl["trade_id"]) == len(TRADES)


def test_explain__of_no_trade_is_nothing(store, before, after):
    empty = rg.what_if(before, {"drop": sorted(TRADES)})
    assert explain(empty, empty).pnl.sizes["trade"] == 0
    found = explain(empty, after).by(())
    assert found["total"].values[0] == found["pnl"].sel(piece="new").values[0] != 0.0


def test_explain__refuses_runs_that_have_nothing_in_common(store, before, after):
    with pytest.raises(BadSpec, match=rf"run '{before.run_id}' is as of 2016-06-23, before run '{after.run_id}' as of"):
        explain(after, before)
    euros = ask(book(), after.market, store, reporting="EUR")
    with pytest.raises(BadSpec, match=f"run '{before.run_id}' reports in USD, run '{euros.run_id}' in EUR; "):
        explain(before, euros)
    levels = {"fx:USD": 0.9, "equity:SPX": 2000.0}
    other = MarketSnapshot(np.datetime64(SECOND), "EUR", tuple(levels), [*levels.values()])
    share = {"share": ("equity", {"underlying": "SPX", **USD})}
    with pytest.raises(BadSpec, match=r"counts in USD, that of run '.*' in EUR; .* with one numeraire"):
        explain(before, ask(book(share), other, store, reporting="USD"))


def test_by__sums_ticks_exactly_at_every_node_and_where_asked(store):
    small = rg.sample.portfolio(200)
    one, other = (ask(small, rg.sample.market(date), store) for date in (FIRST, "2016-06-24"))
    found = check(explain(one, other))
    table = found.pnl
    nodes = found.by(["region", "desk"])
    for at in range(nodes.sizes["node"]):
        use = np.ones(table.sizes["trade"], bool)
        for label in ("region", "desk")[: int(nodes["depth"][at])]:
            use &= table[label].values == nodes[label].values[at]
        assert (nodes["pnl"].values[at] == table["pnl"].values[use].sum(axis=0)).all()
        assert int(nodes["trades"][at]) == use.sum()
    assert (nodes["pnl"].sum("piece").values == nodes["total"].values).all()
    desk = found.by("book", where={"desk": "Rates"})
    assert float(desk["total"][0]) == float(table["total"].values[table["desk"].values == "Rates"].sum())
    worst = found.trades(3, piece="volatility", where={"desk": "FX Options"})
    lost = table["pnl"].sel(piece="volatility").values[table["desk"].values == "FX Options"]
    assert worst["pnl"].sel(piece="volatility").values.tolist() == sorted(lost)[:3]
    with pytest.raises(UnknownName, match="unknown label 'desc'"):
        found.by("desc")
    with pytest.raises(UnknownName, match="unknown desk 'Nobody'"):
        found.by((), where={"desk": "Nobody"})
    with pytest.raises(UnknownName, match="unknown piece 'vol'"):
        found.trades(piece="vol")


def test_factors__add_to_the_groups_and_each_is_its_object_alone(week, before, after):
    found = week.factors()
    groups = ("spot", "rates", "volatility", "credit", "FX translation", "other", "cross")
    expired = ("redeemed", "exercised", "worthless")
    table = week.pnl.isel(trade=~np.isin(week.pnl["trade_id"].values, expired))
    alive = float(table["pnl"].sel(piece=list(groups)).sum())
    assert float(found["pnl"].sum()) == float(found["total"][0])
    one = week.factors((), where={"book": "A"})
    assert float(one["total"][0]) == float(found["total"][0])
    still = week.factors((), where={"trade_id": ["option", "ahead", "share", "forward", "barrel"]})
    assert still["pnl"].sel(piece="settled cash").values.tolist() == [0.0]
    moves = week.frames.ticks(week.frames.moved, week.kept)[:, [0, -1]] * 2.0**-16
    ended = np.isin(week.frames.ids, expired)
    assert float(found["total"][0]) == alive + float((moves[:, 1] - moves[:, 0])[ended].sum())
    first, second = before.market, after.market
    moved = worth(book(), restated(first, {"equity:SPX": second.level("equity:SPX")}))
    start = worth(book(), restated(first))
    expected = sum(moved[trade] - start[trade] for trade in start)
    assert float(found["pnl"].sel(piece="equity:SPX")[0]) == pytest.approx(expected, abs=2.0**-12)


def test_estimated__is_exact_for_what_is_linear_and_says_what_it_misses(before, after):
    found = explain(before, after, sensitivities=True)
    estimated = found.estimated.to_dataset()
    parts = dict(zip(estimated["trade_id"].values, estimated["pnl"].values, strict=True))
    at = {name: place for place, name in enumerate(found.estimated.pieces)}
    assert found.estimated.pieces == ("theta", "spot", "rates", "volatility", "credit", "other", "unexplained")
    revalued = pieces(found)
    oil = revalued["barrel"]
    assert parts["barrel"][at["spot"]] == pytest.approx(oil["spot"], rel=1e-3)  # discounted from a week earlier
    assert parts["barrel"][at["theta"]] == pytest.approx(oil["theta"], rel=2e-2)
    for trade, whole in revalued.items():
        kept = sum(pnl for name, pnl in whole.items() if name not in ("new", "amended", "dropped", "unexplained"))
        assert parts[trade].sum() == kept
    share = revalued["share"]  # quoted in another currency than that of the run
    assert abs(share["FX translation"]) > 0.1 * abs(share["spot"])
    (price, rate), (later, changed) = (
        [run.market.level(factor) for factor in ("equity:SPX", "fx:EUR")] for run in (before, after)
    )
    by_hand = (later - price) * rate + price * (changed - rate)  # each factor alone
    assert parts["share"][at["spot"]] == pytest.approx(by_hand, abs=1e-3)
    assert "their group contains FX translation, no piece here." in " ".join(str(found).split())
    option = parts["option"]
    assert abs(option[at["unexplained"]]) < 0.1 * np.abs(option[:-1]).max()
    shifted = explain(before, rg.what_if(before, {"shift": {"commodity:*": "+7%"}}), sensitivities=True)
    (oil,) = np.flatnonzero(shifted.pnl["trade_id"].values == "barrel")
    same = [one.to_dataset()["pnl"].sel(piece="spot").values[oil] for one in (shifted.attribution, shifted.estimated)]
    assert same[0] == pytest.approx(same[1], abs=2.0**-12) != 0.0


def test_risk__is_explained_in_stated_steps_that_add_up(store, after):
    one = ask(book(), rg.sample.market(FIRST), store, rg.sample.scenarios(FIRST, count=60), bits=16)
    other = ask(book(barrel={"quantity": 2.0}), after.market, store, rg.sample.scenarios(SECOND, count=60), bits=16)
    found = explain(one, other, risk=True, by=())
    table = found.risk.to_dataset()
    assert table["step"].values.tolist() == ["market", "scenarios", "trades amended"]
    for name in ("base_value", "value_at_risk"):
        assert (table[f"{name}_first"] + table[name].sum("step") == table[f"{name}_last"]).all()
    order = "Revalued in this order, each step on top of those before: market, scenarios, trades amended."
    assert order in " ".join(str(found).split())


def test_explained__shows_its_pieces_as_text_and_page(week, tmp_path):
    text = str(week)
    for word in (
        "P&L from 2016-06-23 to 2016-06-30, USD",
        "Cash and carry",
        "Unexplained",
        "The trades that lost most",
    ):
        assert word in text
    page = week.to_html(tmp_path / "explained.html")
    assert "P&amp;L by piece" in page
    assert (tmp_path / "explained.html").read_text() == page
    total = dataclasses.replace(week, labels=(), objects=week.factors())
    assert "Cash and carry" in str(total)
    moved = [100.0 * (other / one - 1.0) for one, other in [(1.1389, 1.1102)]]
    assert f"1.1389 to 1.1102, {moved[0]:+.1f} %" in str(total)


def test_the_trades_that_lost_most__are_losers_alone(week):
    """Of ten trades some gained; where all did, a sentence says so."""
    table = week.pnl
    losses = {
        trade: total
        for trade, total in zip(table["trade_id"].values, table["total"].values.tolist(), strict=True)
        if total < 0.0
    }
    assert 0 < len(losses) < len(table["total"]) <= 10
    section = account.worst(week.attribution)
    assert [row.name for row in section.rows] == sorted(losses, key=losses.get)
    gained = table["total"].values >= 0.0
    labels = {name: column[gained] for name, column in week.attribution.labels.items()}
    winners = dataclasses.replace(week.attribution, ticks=week.attribution.ticks[gained], labels=labels)
    assert account.worst(winners).rows == []
    assert list(account.worst(winners).sentences) == ["No trade has a loss."]


def test_explain_pnl__prints_what_explain_says(store, before, after, tmp_path):
    page = tmp_path / "page.html"
    words = ["explain-pnl", before.run_id, after.run_id, "--by", "desk", "--order", "in_sequence", "--html", str(page)]
    answer = CliRunner().invoke(cli, [*words, "--store", str(store)])
    assert answer.exit_code == 0, answer.output
    assert "Moved in sequence" in answer.output
    assert "Macro" in answer.output
    assert page.exists()
    wrong = CliRunner().invoke(cli, ["explain-pnl", after.run_id, before.run_id, "--store", str(store)])
    assert wrong.exit_code == 1
    assert "explain(earlier, later) is right" in wrong.output


def test_explain__of_every_instrument_and_kind_of_factor_leaves_nothing(store):
    """The made-up market has dividends, spreads, two indices and three curves; all move at once, over two weeks."""
    first = made.market()
    rng = np.random.default_rng(5)
    moved = {
        name: x * float(np.exp(rng.normal(0.0, 0.05))) for name, x in zip(first.factors, first.levels, strict=True)
    }
    days = np.append(first.fixings["USD-3M"].dates, np.arange("2016-07-02", "2016-07-16", dtype="datetime64[D]"))
    fixings = {name: Fixings(days, np.append(one.values, np.full(14, 0.0071))) for name, one in first.fixings.items()}
    second = dataclasses.replace(first, date=np.datetime64("2016-07-15"), fixings=fixings).replace(moved)
    runs = [ask(made.portfolio(), market, store) for market in (first, second)]
    found = check(explain(*runs))
    table = found.by(())["pnl"].to_series().droplevel(0)
    assert table["unexplained"] == 0.0
    assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()
    absent = {"FX translation", "new", "amended", "dropped", "unexplained"}
    assert {name for name, value in table.items() if not value} == absent


@pytest.mark.slow
def test_explain__leaves_nothing_over_8_days_of_history(tmp_path):
    """A vote and a weekend are among them; cash is paid on one, rates are fixed on two."""
    history = rg.sample.history().dates
    start = int(np.searchsorted(history, np.datetime64("2016-06-20")))
    small = rg.sample.portfolio(150)
    runs = [ask(small, rg.sample.market(date), tmp_path) for date in history[start : start + 9]]
    for one, other in itertools.pairwise(runs):
        found = check(explain(one, other))
        assert not found.attribution.ticks[:, found.pieces.index("unexplained")].any()
        assert not found.left_out
    assert set(PIECES) <= set(found.pieces)
