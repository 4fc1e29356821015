"""What a need comes to, and what binds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskgrid.capacity import RESTS, Kind, Need, capacity, need_of_valuations
from riskgrid.cluster.sizing import sized
from riskgrid.errors import BadSpec

BOOK = Need((Kind("swap", 100_000, 1e-6, 2_000.0, "measured"), Kind("exotic", 1_000, 1e-3, 4.0)), 999, within=60.0)


def test_capacity__counts_work_by_what_each_kind_costs() -> None:
    made = capacity(BOOK)
    assert made["valuations"] == 101_000 * 1_000
    assert made["work"] * 3600.0 == pytest.approx(100_000 * 1_000 * 1e-6 + 1_000 * 1_000 * 1e-3)
    assert made["blocks"] == 50 + 250
    assert made["longest block"] == pytest.approx(4.0)


def test_capacity__asks_for_the_workers_that_the_planner_would() -> None:
    made = capacity(BOOK)
    wanted = sized(1_100.0, within=60.0, threads=4, most=100_000, blocks=300, longest=4.0)
    assert made["workers"] == wanted.workers
    assert made["tasks"] == wanted.tasks
    assert made["pricing"] == pytest.approx(wanted.seconds - wanted.starting)
    assert (made.binds, made.met) == ("deadline", True)


def test_capacity__says_for_each_figure_what_it_rests_on() -> None:
    book = replace(BOOK, source="run 'eod'", base=101_000, given=("scenarios",))
    assert {figure.rests for figure in capacity(book).figures} <= set(RESTS)
    assert rests(book, "work") == ("computed", "seconds a valuation measured in run 'eod', of exotic assumed")
    assert rests(replace(book, kinds=BOOK.kinds[:1]), "work")[1] == "seconds a valuation measured in run 'eod'"
    assert rests(replace(BOOK, kinds=BOOK.kinds[1:]), "work")[1] == "seconds a valuation assumed"
    assert rests(book, "scenarios")[0] == "asked"
    assert rests(book, "trades") == ("measured", "of run 'eod'")
    assert rests(need_of_valuations(1e9, 1000, 2e-6, within=300.0, cut=None), "scenarios")[0] == "assumed"


def rests(need: Need, name: str) -> tuple[str, str]:
    """What a figure rests on."""
    return next((figure.rests, figure.of) for figure in capacity(need).figures if figure.name == name)


def test_capacity__far_beyond_the_run_that_was_measured_is_extrapolated() -> None:
    book = replace(BOOK, source="run 'eod'", base=101_000)
    assert rests(book.of_trades(1_010_000), "planning")[0] == "computed"
    for name in ("work", "blocks", "longest block", "planning"):
        assert rests(book.of_trades(1_020_000), name)[0] == "extrapolated"
    assert rests(book.of_trades(10_100_000), "work")[1].endswith("; 100 times the trades of the run")


def test_capacity__counts_what_takes_as_long_for_any_book_once() -> None:
    book = replace(BOOK, planning=0.4, planning_each=2e-6)
    assert capacity(book)["planning"] == pytest.approx(0.4 + 2e-6 * 101_000)
    assert capacity(book.of_trades(10_100_000))["planning"] == pytest.approx(0.4 + 2e-6 * 10_100_000)


def test_capacity__has_workers_wait_for_the_requests_of_their_blocks() -> None:
    waiting = capacity(replace(BOOK, request=0.03))
    assert waiting["work"] * 3600.0 == pytest.approx(1_100.0 + 300 * 5 * 0.03)
    assert waiting["longest block"] == pytest.approx(4.0 + 5 * 0.03)


def test_capacity__writes_four_bytes_a_scenario_and_a_checksum_a_trade() -> None:
    made = capacity(BOOK)
    assert made["blocks written"] * 1e9 == 101_000 * (4 * 999 + 17) + 300 * 4096


def test_capacity__is_bound_by_a_planner_that_waits_for_a_bucket() -> None:
    many = need_of_valuations(5e8, 999, 1e-3, within=300.0, cut=None)
    assert (capacity(many).binds, capacity(many).met) == ("deadline", True)
    slow = capacity(replace(many, request=0.02))
    assert (slow.binds, slow.met) == ("planner", False)
    assert slow["all"] > slow["planner"] > 0.02 * slow["blocks"]


def test_capacity__is_bound_by_a_scheduler_that_ten_thousands_of_workers_join() -> None:
    made = capacity(replace(need_of_valuations(5e8, 99, 1.0, within=3_600.0, cut=None), planning_each=0.0))
    assert made["workers"] > 30_000
    assert (made.binds, made.met) == ("joining", False)


def test_capacity__of_nothing_is_refused() -> None:
    with pytest.raises(BadSpec, match="a book with a trade or more"):
        capacity(replace(BOOK, kinds=()))
    with pytest.raises(BadSpec, match="0 valuations of 1 s each need nothing; more than 0 of both is right"):
        need_of_valuations(0.0, 1000, 1.0, within=300.0, cut=None)


def test_need__grown_fills_its_blocks_up_to_the_cut() -> None:
    grown = BOOK.of_trades(101_000 * 100)
    swaps, exotics = grown.kinds
    assert (swaps.trades, exotics.trades) == (10_000_000, 100_000)
    assert swaps.rows == pytest.approx(0.72 * 4096)
    assert exotics.rows == pytest.approx(400.0)


def test_need__of_slow_valuations_has_blocks_of_a_twentieth_of_the_deadline() -> None:
    need = need_of_valuations(5e8, 999, 1e-3, within=300.0, cut=None)
    assert capacity(need)["longest block"] == pytest.approx(15.0)
    assert need.kinds[0].rests == "assumed"
    slower = capacity(need_of_valuations(5e5, 999, 1.0, within=300.0, cut=None))
    assert (slower["longest block"], slower.binds, slower.met) == (1000.0, "blocks", False)


@given(
    trades=st.integers(1, 10_000_000),
    more=st.integers(0, 10_000_000),
    scenarios=st.integers(0, 5_000),
    within=st.floats(1.0, 1e5),
)
def test_capacity__of_more_trades_needs_no_less(trades: int, more: int, scenarios: int, within: float) -> None:
    less = replace(BOOK, scenarios=scenarios, within=within)
    small, large = capacity(less.of_trades(trades)), capacity(less.of_trades(trades + more))
    for name in ("trades", "valuations", "work", "planning"):
        assert large[name] >= small[name]
