"""The sample portfolio: seeded random trades of every instrument, with desks, books, regions and counterparties."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from riskgrid.conventions import Dates, adjust
from riskgrid.errors import InputError
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.sample.bundle import conventions, history
from riskgrid.sample.draw import Draw, named
from riskgrid.sample.fill import DEFAULT_DATE
from riskgrid.sample.trade import TRADES
from riskgrid.terms import Values

__all__ = ["DESKS", "portfolio"]

REGIONS = ("Americas", "EMEA", "APAC")
SHARES_OF_REGIONS = (0.5, 0.32, 0.18)
#: Desk -> the first part of its books' names.
DESKS = {
    "Equity Derivatives": "EQD",
    "Delta One": "D1",
    "FX Options": "FXO",
    "FX Forwards": "FXF",
    "Rates": "RATES",
    "Credit": "CREDIT",
    "Commodities": "COMM",
}
DESK_OF = {
    "equity_option": "Equity Derivatives",
    "equity": "Delta One",
    "fx_option": "FX Options",
    "fx_forward": "FX Forwards",
    "interest_rate_swap": "Rates",
    "fixed_rate_bond": "Rates",
    "commodity_forward": "Commodities",
    "commodity_option": "Commodities",
}
COUNTERPARTIES = tuple(
    f"{kind} {number:02}"
    for kind, count in (("Bank", 14), ("Fund", 12), ("Insurer", 6), ("Corporate", 8))
    for number in range(1, count + 1)
)
MOST_BOOKS = 4
TRADED_BEFORE = 7  # dates of the history before the as-of date: the day before and the week before have the same trades
LEAN = 0.03  # standard deviation of a book's share of purchases around one half: it makes markets, and leans a little


def portfolio(
    trades: int = 10_000, seed: int = 1, date: np.datetime64 | str = DEFAULT_DATE, *, faulty: bool = False
) -> Portfolio:
    """Synthetic trades of all eight instruments, the same for the same arguments.

    The last trade date lies seven dates of the history before ``date`` (2016-06-22 for 2016-07-01), and strikes are
    struck around its levels, so that one portfolio is valued on all days from the next on; a few trades expire in
    between. Trade ids are a prefix and a number: ``EO-000001``.   ``faulty`` : three more trades, ``FAULTY-1`` to
    ``FAULTY-3``, of names that the sample market does not have.   Raises InputError on fewer than one trade, BadMarket
    on a date that the history does not have.

    >>> portfolio(100).trade("SW-000001")["counterparty"]
    'Insurer 01'
    """
    if trades < 1:
        raise InputError(f"a sample portfolio of {trades} trades; 1 or more is right")
    day, past = np.datetime64(date, "D"), history()
    row = int(np.searchsorted(past.dates, day))
    past.snapshot(day)  # an unknown date is named with its neighbours
    if row < TRADED_BEFORE:
        raise InputError(f"a sample portfolio of {day} needs {TRADED_BEFORE} earlier dates of the history")
    market = past.snapshot(past.dates[row - TRADED_BEFORE])
    counts = {name: int(share * trades) for name, (_, share, _) in TRADES.items()}
    counts["equity_option"] += trades - sum(counts.values())
    tables = {}
    for number, (name, count) in enumerate(counts.items()):
        random = np.random.default_rng([seed, number])
        if count:
            tables[name] = _table(name, _placed(name, random, count, seed), random, (market, day))
    made = Portfolio.from_tables(tables)
    return made + _faulty(market) if faulty else made


@dataclass(frozen=True)
class _Places:
    """Codes (trade,) of desk, region and book within both, and +1 where the book buys, -1 where it sells."""

    desk: NDArray[Any]
    region: NDArray[Any]
    book: NDArray[Any]
    signs: Values


def _placed(name: str, random: np.random.Generator, count: int, seed: int) -> _Places:
    desk = np.full(count, list(DESKS).index(DESK_OF[name]))
    region = random.choice(len(REGIONS), count, p=SHARES_OF_REGIONS)
    books = 2 + (desk + region) % (MOST_BOOKS - 1)
    book = (random.random(count) * books).astype(np.int64)
    # a book leans the same way in every instrument it trades
    leans = np.random.default_rng([seed, len(TRADES)]).normal(0.5, LEAN, (len(DESKS), len(REGIONS), MOST_BOOKS))
    signs = np.where(random.random(count) < leans[desk, region, book], 1.0, -1.0)
    return _Places(desk, region, book, signs)


def _table(name: str, places: _Places, random: np.random.Generator, when: tuple[MarketSnapshot, np.datetime64]) -> Any:
    prefix, _, draw_terms = TRADES[name]
    market, day = when
    dated = _trade_dates(random, len(places.signs), market.date)
    terms = draw_terms(Draw(random, market, day, places.signs, dated))
    if "issuer" in terms:
        has_issuer = terms["issuer"].indices.to_numpy() > 0
        places = dataclasses.replace(places, desk=np.where(has_issuer, list(DESKS).index("Credit"), places.desk))
    ids = pa.array([f"{prefix}-{number:06}" for number in range(1, len(dated) + 1)])
    return pa.table({"trade_id": ids, **_labels(random, places), "trade_date": dated, **terms})


def _trade_dates(random: np.random.Generator, count: int, last: np.datetime64) -> Dates:
    holidays = np.array(conventions()["calendars"]["US"], dtype="datetime64[D]")
    ago = np.minimum(random.exponential(60.0, count), 365.0).astype(np.int64)
    return adjust(last - ago, "preceding", holidays)


def _labels(random: np.random.Generator, places: _Places) -> dict[str, Any]:
    desk, region, book = places.desk, places.region, places.book
    books = [
        f"{short}-{place}-{number}"
        for short in DESKS.values()
        for place in REGIONS
        for number in range(1, MOST_BOOKS + 1)
    ]
    weight = np.arange(1.0, len(COUNTERPARTIES) + 1.0) ** -0.5
    # the busiest come from every kind, in an order that no seed changes
    order = np.random.default_rng(0).permutation(len(COUNTERPARTIES))
    counterparty = order[random.choice(len(order), len(desk), p=weight / weight.sum())]
    # every third counterparty has a second netting set, for what was agreed under an older contract
    second = (counterparty % 3 == 0) & (random.random(len(desk)) < 0.25)
    sets = [f"{name} / {number}" for name in COUNTERPARTIES for number in (1, 2)]
    return {
        "region": named(region, REGIONS),
        "desk": named(desk, list(DESKS)),
        "book": named((desk * len(REGIONS) + region) * MOST_BOOKS + book, books),
        "counterparty": named(counterparty, COUNTERPARTIES),
        "netting_set": named(2 * counterparty + second, sets),
    }


def _faulty(market: MarketSnapshot) -> Portfolio:
    """A share, a currency and an issuer that the sample market does not have."""
    issue = market.date.item().replace(day=1)
    due = issue.replace(year=issue.year + 1)
    labels = {"region": "EMEA", "counterparty": "Bank 01", "netting_set": "Bank 01 / 1"}
    dated = {"trade_date": market.date.item(), "quantity": 1.0}
    bond: dict[str, Any] = {"currency": "USD", "notional": 1e6, "coupon": 0.04, "issue": issue, "maturity": due}
    bond |= {"payments_per_year": 2, "day_count": "30/360", "calendar": "US", "issuer": "UNRATED-01"}
    rows: dict[str, dict[str, Any]] = {
        "equity": {"underlying": "NOSUCH", "currency": "USD"},
        "fx_forward": {"bought": "BRL", "sold": "USD", "notional": 1e6, "rate": 0.3, "maturity": due},
        "fixed_rate_bond": bond,
    }
    tables = {}
    for number, (name, terms) in enumerate(rows.items(), 1):
        desk = DESK_OF[name]
        place = {"trade_id": f"FAULTY-{number}", "desk": desk, "book": f"{DESKS[desk]}-EMEA-1"}
        tables[name] = pa.Table.from_pylist([{**place, **labels, **dated, **terms}])
    return Portfolio.from_tables(tables)
