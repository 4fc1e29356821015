"""The market as a pricer sees it: takes ``(trade, 1)`` columns, answers quantities, remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.conventions import Coded, Dates, Schedule, adjust, make_schedule, take
from riskgrid.errors import InputError
from riskgrid.market.flows import Flows, business_days_later, coded, sum_flows
from riskgrid.market.objects import Level, Surface
from riskgrid.market.rates import FloatingLeg, published_fixings
from riskgrid.market.reading import Index, Reading, Source, codes_of
from riskgrid.market.stack import Stack, answer, distinct
from riskgrid.market.table import DiscountTable
from riskgrid.quantity import Quantity, at_base, evaluate_flow, gather, source
from riskgrid.terms import Names, Values

__all__ = ["Market"]


class Market:
    """Answers for the trades of one block, or of one piece of a plan, at one state date.

    In a plan (``recording``) nothing is computed: every answer is an empty symbol, and ``reading`` fills with what
    each trade asked for. In a block, a question that the plan did not record raises ``UnrecordedRead``.
    """

    def __init__(
        self,
        objects: Source,
        trades: int,
        *,
        base_date: np.datetime64,
        date: np.datetime64 | None = None,
        numeraire: str = "USD",
        recording: bool = False,
    ) -> None:
        self.base_date = np.datetime64(base_date, "D")
        self.date = self.base_date if date is None else np.datetime64(date, "D")
        self.numeraire, self.trades = numeraire, trades
        self.reading = Reading(objects, trades, recording=recording)
        self._recording = recording
        self._asked: dict[Any, Any] = {}
        self.table = DiscountTable(self)

    # -- levels ------------------------------------------------------------------------------------------------

    def spot(self, name: Names) -> Any:
        """Spot price, in the currency it is quoted in. Shape (trade, state)."""
        if name.family == "commodity":
            return self.forward(name, np.full((self.trades, 1), self.date))
        objects, index = self.reading.read(name, "equity")
        if self._recording:
            return _symbol()
        return self._once("spot", (tuple(objects), index), lambda: gather(_levels(list(objects.values())), index))

    def fx(self, of: Names, to: Names) -> Any:
        """Units of ``to`` per unit of ``of``, through the numeraire. Shape (trade, state), or the number 1."""
        levels: dict[str, Level] = {}
        for name in (of, to):
            levels.update(self.reading.read(name, "fx", skip=(self.numeraire,))[0])
        if self._recording:
            return _symbol()
        pairs, row = distinct(codes_of(of, self.trades), codes_of(to, self.trades))
        names = [(of.names[a], to.names[b]) for a, b in pairs]
        if all(a == b for a, b in names):
            return 1.0

        def rates() -> Quantity:
            top, bottom = (self._fx_table([pair[side] for pair in names], levels) for side in (0, 1))
            return gather(top / bottom, row)

        return self._once("fx", (tuple(names), row), rates)

    def forward(self, name: Names | tuple[Names, Names], date: Dates, currency: Names | None = None) -> Any:
        """Forward price for ``date``, spot where it has passed. Shape (trade, state).

        Equity: spot carried at the discount curve of ``currency`` less the continuous dividend yield, if there is one.
        Commodity: linear between the quoted deliveries, flat outside.   (of, to): covered interest parity.
        """
        if isinstance(name, tuple):
            of, to = name
            ratio = self._discount(to, date, None), self._discount(of, date, None)
            if self._recording:
                return self.fx(of, to)
            growth, days = ratio[1] / ratio[0], self._column(date)
            passed = ((days > self.base_date) & (days <= self.date)).reshape(-1, 1)
            # between the two dates a discount factor carries cash, which a spot rate is not
            return self.fx(of, to) * (np.where(passed, 1.0, growth) if passed.any() else growth)
        if name.family == "commodity":
            objects, index = self.reading.read(name, "commodity")
            if self._recording:
                return _symbol()
            pairs, row = distinct(index, self._days(date))
            return answer(Stack(self, list(objects.values())).prices(pairs), row, self.trades)
        if currency is None:
            raise InputError("market.forward of an equity needs the currency of its discount curve")
        spot = self.spot(name)
        yields, paying = self.reading.read(name, "dividend", optional=True)
        curves, index = self._curves(currency, None)
        if self._recording:
            return _symbol()
        pairs, row = distinct(index, paying, self._days(date))
        growth = Stack(self, list(curves.values()), list(yields.values())).growth(pairs)
        return spot * answer(growth, row, self.trades)

    # -- rates and volatility ----------------------------------------------------------------------------------

    def discount(self, currency: Names, date: Dates, curve: Names | None = None) -> Any:
        """Value at the state date of one unit paid on ``date``. Shape (trade, state).

        0 for a payment on or before the valuation date. A payment after it, up to a later state date, is cash by then:
        carried to the state date at the rates of the base curve.
        """
        found = self._discount(currency, date, curve)
        alive = np.broadcast_to(np.asarray(date) > self.base_date, (self.trades, 1))
        return found if self._recording or alive.all() else found * alive.astype(np.float64)

    def zero_rate(self, currency: Names, date: Dates, curve: Names | None = None) -> Any:
        """Continuously compounded zero rate to ``date``, ACT/365F. Shape (trade, state)."""
        curves, index = self._curves(currency, curve)
        if self._recording:
            return _symbol()
        pairs, row = distinct(index, self._days(date))
        return answer(Stack(self, list(curves.values())).zero_rates(pairs), row, self.trades)

    def forward_rate(self, index: Names, start: Dates, end: Dates) -> Any:
        """Simple forward rate of a rate index between two dates, in its day count. Shape (trade, state)."""
        leg = self._floating_leg(index, None)
        return _symbol() if leg is None else leg.forward_rate(start, end)

    def vol(self, underlying: Names | tuple[Names, Names], expiry: Dates, strike: Values, forward: Any) -> Any:
        """Lognormal volatility at strike / forward. Shape (trade, state).

        ``underlying`` : an equity or a commodity, or the two currencies (of, to) of an FX rate, read from the surface
        of the pair in either order. A surface that is ``sticky_strike`` is read at strike / forward of the base levels,
        the forward as the state date sees it.
        """
        inverse = np.zeros((1, 1), np.bool_)
        if isinstance(underlying, tuple):
            surfaces, index, inverse = self.reading.pair_surfaces(*underlying)
        else:
            objects, index = self.reading.read(underlying, "vol")
            surfaces = list(objects.values())
        if self._recording:
            return _symbol()
        moneyness = strike / forward
        if inverse.any():
            moneyness = np.where(inverse, 1.0 / moneyness, moneyness)
        fixed = np.array([surface.sticky == "sticky_strike" for surface in surfaces])[index].reshape(-1, 1)
        if fixed.any():
            base = at_base(moneyness)
            moneyness = base if fixed.all() else np.where(fixed, base, moneyness)
        typed: list[Surface] = surfaces
        return Stack(self, typed).vol(index, self.time_to(expiry)[:, 0], moneyness)

    # -- dates and cash flows ----------------------------------------------------------------------------------

    def time_to(self, date: Dates) -> Values:
        """Years from the state date, ACT/365F, 0 for dates before it. Shape (trade, 1), numbers."""
        days = (self._column(date) - self.date).astype(np.float64)
        return np.asarray(np.maximum(days, 0.0) / 365.0).reshape(-1, 1)

    def schedule(
        self,
        start: Dates,
        end: Dates,
        payments_per_year: NDArray[np.int64],
        calendar: Names,
        *,
        roll: Names | str = "unadjusted",
        stub: Names | str = "short_front",
        payment_lag: NDArray[np.int64] | None = None,
    ) -> Flows:
        """Cash flows from ``start`` to ``end`` that are not yet paid on the valuation date.

        ``roll`` moves the accrual dates; payments follow on the next business day, ``payment_lag`` business days later.
        Dates at a month's end stay there.
        """
        holidays = self.reading.holidays(calendar)
        frequency = np.broadcast_to(np.asarray(payments_per_year).reshape(-1), (self.trades,))
        lag = np.broadcast_to(np.asarray(0 if payment_lag is None else payment_lag).reshape(-1), (self.trades,))

        def make() -> tuple[Schedule, Dates]:
            margin = 10 + 2 * int(lag.max(initial=0))  # a period that ended may still have to be paid
            periods = make_schedule(
                self._column(start),
                self._column(end),
                np.where(frequency > 0, 12 // np.maximum(frequency, 1), 0),
                holidays=holidays,
                stub=coded(stub),
                roll=coded(roll),
                end_of_month=True,
                after=self.base_date - np.timedelta64(margin, "D"),
            )
            if not lag.any() and "unadjusted" not in ((roll,) if isinstance(roll, str) else roll.names):
                return periods, periods.end  # rolled already
            by_flow: Coded[Dates] = take(holidays, periods.trade)
            later = business_days_later(periods.end, lag[periods.trade], by_flow) if lag.any() else periods.end
            return periods, adjust(later, "following", by_flow)

        return Flows(make, frequency, holidays)

    def present_value(
        self,
        currency: Names,
        flows: Flows,
        amount: Any,
        *,
        curve: Names | None = None,
        issuer: Names | None = None,
        settlement_lag: NDArray[np.int64] | None = None,
    ) -> Any:
        """Value of ``amount`` (flow quantity) paid on the flows' payment dates. Shape (trade, state).

        ``issuer`` : discounts at the curve plus the issuer's spread, continuously compounded; an empty name has none.
        ``settlement_lag`` : as traded for settlement so many business days later: without the flows up to the
        settlement of the valuation date, and worth it on the settlement date.
        """
        curves, index = self._curves(currency, curve)
        spreads, owed = self.reading.read(issuer, "spread") if issuer is not None else ({}, _none(self.trades))
        if self._recording:
            return _symbol()
        trade, paid = flows.trade, flows.payment_dates
        cut = self._settlement(self.base_date, settlement_lag, flows)
        amounts = np.where(paid > cut[trade], evaluate_flow(amount, flows), 0.0)
        levels = (list(spreads.values()), owed) if spreads else None
        row = self.table.dates(list(curves.values()), index, paid, levels=levels, owner=trade)
        value = sum_flows(self.table.quantity, row, amounts, flows.offset)
        settlement = self._settlement(self.date, settlement_lag, flows)
        if (settlement == self.date).all():
            return value
        stack = Stack(self, list(curves.values()), list(spreads.values()))
        pairs, row = distinct(index, owed, settlement.astype(np.int64))
        return value / answer(stack.discount(pairs), row, self.trades)

    def floating_value(self, index: Names, currency: Names, flows: Flows, accrual: Any, spread: Any = 0.0) -> Any:
        """Value of a floating leg on one unit of notional. Shape (trade, state).

        Each flow pays (rate + ``spread``) times ``accrual`` (flow quantity). A rate fixed before the valuation date is
        the published fixing, else a :class:`~riskgrid.errors.MissingFixing` status; one fixed from then to the state
        date is the published fixing where there is one, else the forward of the base curve; a later one is projected.
        """
        leg = self._floating_leg(index, currency)
        return _symbol() if leg is None else leg.value(flows, accrual, spread)

    def fixing(self, index: Names, date: Dates) -> Values:
        """The published fixing on ``date``, NaN where there is none. Shape (trade, 1), numbers."""
        series, code = self.reading.read(index, "fixing", optional=True)
        if self._recording:
            return np.full((self.trades, 1), np.nan)
        return published_fixings(list(series.values()), code, self._column(date)).reshape(-1, 1)

    # -- what the methods above share --------------------------------------------------------------------------

    def problem(self, trades: NDArray[np.intp], sentence: Callable[[int], str]) -> None:
        """Mark trades (positions) as without a value, each with its sentence."""
        self.reading.problem(trades, sentence)

    def _column(self, date: Dates) -> Dates:
        days = np.asarray(date, dtype="datetime64[D]").reshape(-1)
        return days if len(days) == self.trades else np.broadcast_to(days, (self.trades,))

    def _days(self, date: Dates) -> Index:
        return self._column(date).astype(np.int64)

    def _curves(self, currency: Names, curve: Names | None) -> tuple[dict[str, Any], Index]:
        return self.reading.read(currency, "discount") if curve is None else self.reading.read(curve, "curve")

    def _discount(self, currency: Names, date: Dates, curve: Names | None) -> Any:
        curves, index = self._curves(currency, curve)
        if self._recording:
            return _symbol()
        days = self._days(date)

        def rows() -> Quantity:
            pairs, row = distinct(index, _none(self.trades), days)
            return answer(Stack(self, list(curves.values())).discount(pairs), row, self.trades)

        return self._once("discount", (tuple(curves), index, days), rows)

    def _once(self, question: str, about: tuple[Any, ...], make: Callable[[], Quantity]) -> Quantity:
        # a forward and a discount factor to the same dates are one exponential
        key = (question, *(part.tobytes() if isinstance(part, np.ndarray) else part for part in about))
        if key not in self._asked:
            self._asked[key] = make()
        found: Quantity = self._asked[key]
        return found

    def _fx_table(self, names: list[str], levels: Mapping[str, Level]) -> Any:
        if all(name == self.numeraire for name in names):
            return 1.0
        states = next(iter(levels.values())).panel.shape[1]
        rows = [np.ones((1, states)) if name == self.numeraire else levels[f"fx:{name}"].panel for name in names]
        return source(rows[0] if len(rows) == 1 else np.concatenate(rows))

    def _settlement(self, date: np.datetime64, lag: NDArray[np.int64] | None, flows: Flows) -> Dates:
        today = np.full(self.trades, date, dtype="datetime64[D]")
        if lag is None:
            return today
        return business_days_later(today, np.broadcast_to(lag.reshape(-1), (self.trades,)), flows.holidays)

    def _floating_leg(self, index: Names, currency: Names | None) -> FloatingLeg | None:
        indices, position = self.reading.read(index, "index")
        rates = list(indices.values())
        codes = np.where(position < 0, len(rates), position).astype(np.int32).reshape(-1, 1)
        projection = self.reading.read(Names(codes, (*(rate.curve for rate in rates), "")), "curve")
        fixings = self.reading.read(index, "fixing", optional=True)
        holidays = self.reading.holidays(Names(codes, (*(rate.calendar for rate in rates), "")))
        discount = self._curves(currency, None) if currency is not None else ({}, _none(self.trades))
        if self._recording:
            return None
        return FloatingLeg(
            self,
            rates=dict(zip((role.partition(":")[2] for role in indices), rates, strict=True)),
            rate=position,
            holidays=holidays,
            projection=(list(projection[0].values()), projection[1]),
            discount=(list(discount[0].values()), discount[1]),
            fixings=(list(fixings[0].values()), fixings[1]),
        )


def _symbol() -> Quantity:
    return Quantity(_recorded_only, (), extent="tile")


def _recorded_only(*_: Any, **__: Any) -> Any:
    raise AssertionError("a recording market's answers are never replayed")


def _none(trades: int) -> Index:
    return np.full(trades, -1, dtype=np.int64)


def _levels(levels: list[Level]) -> Quantity:
    panels = [level.panel for level in levels]
    return source(panels[0] if len(panels) == 1 else np.concatenate(panels))
