"""Backtests of value at risk: exceptions of P&L beyond it, how many there are and how they follow one another.

P&L and VaR of one position on one line: VaR is that of the day before, known when the P&L of ``date`` was not. Every
test counts flags (date, ...) and consumes ``date``. 0 log 0 is 0, so no exception and only exceptions have a number.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import betaincc, chdtrc, ndtri, xlog1py, xlogy

from riskgrid.errors import BadSpec
from riskgrid.measures.convention import Level, tail_of
from riskgrid.registry import measure

__all__ = ["christoffersen", "counted", "exceptions", "joint", "kupiec", "traffic_light"]

#: Multipliers of the capital requirement by exceptions in 250 days at 99 %: BCBS, MAR32.9, table 1.
_TABLE = np.array([1.50, 1.50, 1.50, 1.50, 1.50, 1.70, 1.76, 1.83, 1.88, 1.92, 2.00])
_LEAST, _MOST = _TABLE[0], _TABLE[-1]
_DAYS, _LEVEL = 250, Decimal("0.99")

#: Cumulative probabilities from which on a count is amber, and red: BCBS 22 (1996), section III (d).
_AMBER, _RED = 0.95, 0.9999

type Array = NDArray[Any]


def exceptions(pnl: xr.DataArray, value_at_risk: xr.DataArray) -> xr.DataArray:
    """Whether the loss of each day is greater than the VaR of the day before; flags with the dims of both.

    pnl : (date, ...), the P&L of the day.   value_at_risk : (date, ...), a positive loss, of the day before and aligned
    on the day of the P&L.   A loss equal to VaR is none. A number missing in either counts as an exception. attrs:
    ``missing``, how many do. BadSpec where the dates differ or there are none.
    Source: BCBS, MAR32.5 to 32.7 (2020).

    >>> days = {"date": np.array(["2016-06-23", "2016-06-24"], "datetime64[s]")}
    >>> pnl = xr.DataArray([-100.0, -120.0], days, "date")
    >>> exceptions(pnl, xr.full_like(pnl, 100.0)).values.tolist()
    [False, True]
    """
    for name, array in (("P&L", pnl), ("VaR", value_at_risk)):
        if "date" not in array.dims:
            raise BadSpec(f"the {name} has no dim 'date'; its dims are {', '.join(map(repr, array.dims)) or 'none'}")
    try:
        pnl, value_at_risk = xr.align(pnl, value_at_risk, join="exact")
    except ValueError as error:
        raise BadSpec("P&L and VaR are not of the same labels; both on the day of the P&L is right") from error
    missing = pnl.isnull() | value_at_risk.isnull()
    found: xr.DataArray = ((-pnl > value_at_risk) | missing).rename("exception")
    found.attrs = {name: value for name, value in value_at_risk.attrs.items() if name == "level"}
    found.attrs["missing"] = int(missing.sum())
    return found


def counted(hypothetical: xr.DataArray, actual: xr.DataArray | None = None) -> xr.DataArray:
    """The number of exceptions that count, of flags (date, ...): the greater of both kinds of P&L. Consumes ``date``.

    Without ``actual``, those on hypothetical P&L alone.   Source: BCBS, MAR32.5 (2020).

    >>> flags = xr.DataArray([True, False, True], dims="date")
    >>> int(counted(flags, ~flags))
    2
    """
    count = _flags(hypothetical).sum("date")
    if actual is None:
        return count
    beside = _flags(actual).sum("date")
    return count.where(count >= beside, beside)


@measure(
    "kupiec",
    consumes="date",
    reference="Kupiec (1995), regions of non-rejection; MathWorks varbacktest; day by day in a loop",
    error=1e-9,
)
def kupiec(exceptions: xr.DataArray, level: Level | None = None) -> xr.Dataset:
    """Proportion of failures: are there as many exceptions as ``level`` says? Consumes ``date``.

    exceptions : flags (date, ...).   level : of the VaR, by default the one that the flags carry.
    ``exceptions, expected, statistic, p_value``: LR = 2 log(likelihood at x/n / likelihood at 1 - level), against
    chi-squared of one degree.   BadSpec for a level outside (0, 1) or no day.
    Source: Kupiec (1995), J. of Derivatives 3(2), 73-84.

    >>> tested = kupiec(xr.DataArray(np.arange(255) < 7, dims="date"), 0.99)
    >>> round(float(tested["statistic"]), 4), round(float(tested["p_value"]), 4)
    (5.3163, 0.0211)
    """
    flags, (level, share) = _flags(exceptions), _expected(exceptions, level)
    days, count = flags.sizes["date"], flags.sum("date")
    statistic = _twice(_log_likelihood(count, days - count, count / days) - _log_likelihood(count, days - count, share))
    found = {"exceptions": count, "expected": xr.full_like(count, days * share, float), **_tested(statistic, 1)}
    return xr.Dataset(found, attrs={"measure": "kupiec", "level": level, "observations": days, "flags": []})


@measure(
    "christoffersen", consumes="date", reference="MathWorks varbacktest; transitions counted in a loop", error=1e-9
)
def christoffersen(exceptions: xr.DataArray) -> xr.Dataset:
    """Independence: is an exception as likely after an exception as after none? Consumes ``date``.

    exceptions : flags (date, ...) in order of days; the n - 1 transitions are counted.   ``statistic, p_value``: LR of
    a first-order Markov chain against independence, chi-squared of one degree; ``clusters`` : exceptions that follow
    one. Without an exception to follow, or without a transition, nothing is known: statistic 0, p-value 1, and a flag.
    Source: Christoffersen (1998), International Economic Review 39, 841-862, section 4.

    >>> tested = christoffersen(xr.DataArray([False, True, True, False, False, False, True, True], dims="date"))
    >>> round(float(tested["statistic"]), 4), int(tested["clusters"])
    (0.1965, 2)
    """
    stay, rise, fall, again = _transitions(_flags(exceptions))
    statistic = _twice(_markov(stay, rise, fall, again) - _pooled(stay, rise, fall, again))
    flags = ["no exception is followed by a day in some series"] if bool((fall + again == 0).any()) else []
    attrs = {"measure": "christoffersen", "observations": exceptions.sizes["date"] - 1, "flags": flags}
    return xr.Dataset({"clusters": again, **_tested(statistic, 1)}, attrs=attrs)


@measure("joint", consumes="date", reference="likelihoods multiplied day by day in a loop", error=1e-9)
def joint(exceptions: xr.DataArray, level: Level | None = None) -> xr.Dataset:
    """Conditional coverage: as many exceptions as ``level`` says, and independent? Consumes ``date``.

    exceptions : flags (date, ...).   ``statistic, p_value``: LR of a Markov chain against independent exceptions of
    probability 1 - level, chi-squared of two degrees. Both likelihoods are of the n - 1 days after the first, given the
    first: so it is the statistic of independence and that of :func:`kupiec` *on these n - 1 days*, added up.
    Source: Christoffersen (1998), International Economic Review 39, 841-862, section 4.3.

    >>> tested = joint(xr.DataArray(np.arange(251) % 50 == 0, dims="date"), 0.99)
    >>> round(float(tested["statistic"]), 4), round(float(tested["p_value"]), 4)
    (2.1609, 0.3394)
    """
    moves, (level, share) = _transitions(_flags(exceptions)), _expected(exceptions, level)
    stay, rise, fall, again = moves
    statistic = _twice(_markov(*moves) - _log_likelihood(rise + again, stay + fall, share))
    attrs = {"measure": "joint", "level": level, "observations": exceptions.sizes["date"] - 1, "flags": []}
    return xr.Dataset(_tested(statistic, 2), attrs=attrs)


@measure("traffic_light", consumes="date", reference="BCBS 22 (1996), table 2; MAR32.9; scipy.stats.binom", error=0.0)
def traffic_light(
    exceptions: xr.DataArray, level: Level | None = None, *, actual: xr.DataArray | None = None
) -> xr.Dataset:
    """The supervisors' zone and multiplier of the capital requirement. Consumes ``date``.

    exceptions, actual : flags (date, ...) on hypothetical and actual P&L; the greater count is judged.
    ``exceptions``; ``cumulative``, the probability of as many or fewer where the model is right; ``zone``: green below
    95 % and without exception, red from 99.99 %, else amber; ``multiplier``. 250 days at 99 % have the Basel table. Any
    other sample has no multiplier in the rules: the amber ones are then 1.5 z(level) / z(1 - x/n), at most 2, the
    argument from which the table was rounded, with a flag.
    Source: BCBS 22 (1996), section III; MAR32.9 and MAR99.23 (2020).

    >>> lit = traffic_light(xr.DataArray(np.arange(250) < 6, dims="date"), 0.99)
    >>> str(lit["zone"].values), float(lit["multiplier"]), round(float(lit["cumulative"]), 4)
    ('amber', 1.76, 0.9863)
    """
    level, share = _expected(exceptions, level)
    count, days = counted(exceptions, actual), exceptions.sizes["date"]
    # of a binomial; in full where every day is an exception
    cumulative = np.where(count < days, betaincc(count + 1.0, np.maximum(days - count, 1.0), share), 1.0)
    red = cumulative >= _RED
    green = (cumulative < _AMBER) | (count.values == 0)  # of four days, none is 96 % probable
    zone = np.where(green, "green", np.where(red, "red", "amber"))
    if days == _DAYS and Decimal(level) == _LEVEL:
        multiplier, flags = _TABLE[np.minimum(count.values, len(_TABLE) - 1)], []
    else:
        multiplier = np.where(zone == "green", _LEAST, np.where(red, _MOST, _scaled(count.values / days, share)))
        flags = [f"multiplier of {days} days at {level} is not of the Basel table, which has 250 at 0.99"]
    found = {
        "exceptions": count,
        "cumulative": (count.dims, cumulative),
        "zone": (count.dims, zone),
        "multiplier": (count.dims, multiplier),
    }
    return xr.Dataset(found, attrs={"measure": "traffic_light", "level": level, "observations": days, "flags": flags})


def _flags(exceptions: xr.DataArray) -> xr.DataArray:
    if "date" not in exceptions.dims or exceptions.sizes["date"] == 0:
        raise BadSpec("there is no day to test; flags (date, ...) of at least one day are right")
    if exceptions.dtype.kind != "b":
        raise BadSpec(f"the exceptions are {exceptions.dtype}, not flags; exceptions(pnl, value_at_risk) makes them")
    return exceptions


def _expected(exceptions: xr.DataArray, level: Level | None) -> tuple[str, float]:
    """The level as text, and 1 - level. BadSpec where it is not in (0, 1), not known, or another than the flags'."""
    carried = exceptions.attrs.get("level")
    if level is None and carried is None:
        raise BadSpec("the exceptions carry no level of their VaR; level=0.99 says it")
    said: Level = str(carried) if level is None else level
    share = tail_of(said)
    if carried is not None and share != tail_of(carried):
        raise BadSpec(f"level is {level}, but the exceptions are of a VaR at {carried}; one of them is right")
    return str(said), float(share)


def _transitions(flags: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
    """Days after a day without exception that have none, that have one; after one with: none, one."""
    ordered = flags.transpose("date", ...).drop_vars("date", errors="ignore")
    before, after = ordered.isel(date=slice(None, -1)), ordered.isel(date=slice(1, None))
    pairs = ((~before & ~after), (~before & after), (before & ~after), (before & after))
    stay, rise, fall, again = (pair.sum("date") for pair in pairs)
    return stay, rise, fall, again


def _log_likelihood(hits: Any, misses: Any, share: Any) -> Any:
    """Of so many exceptions and so many days without, each with probability ``share``."""
    return xlogy(hits, share) + xlog1py(misses, -share)


def _ratio(part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    return part / whole.where(whole > 0, 1)  # 0 of 0 weighs nothing in a likelihood


def _markov(stay: Any, rise: Any, fall: Any, again: Any) -> Any:
    after_none, after_one = _ratio(rise, stay + rise), _ratio(again, fall + again)
    return _log_likelihood(rise, stay, after_none) + _log_likelihood(again, fall, after_one)


def _pooled(stay: Any, rise: Any, fall: Any, again: Any) -> Any:
    hits, misses = rise + again, stay + fall
    return _log_likelihood(hits, misses, _ratio(hits, hits + misses))


def _twice(difference: Any) -> Any:
    return np.maximum(2.0 * difference, 0.0)  # a ratio of likelihoods below 1 is rounding


def _tested(statistic: xr.DataArray, degrees: int) -> dict[str, xr.DataArray]:
    return {"statistic": statistic, "p_value": statistic.copy(data=chdtrc(degrees, statistic.values))}


def _scaled(frequency: Array, share: float) -> Array:
    """1.5 z(level) / z(1 - frequency) within 1.5 and 2: what would bring a normal P&L back to its level."""
    needed = -ndtri(np.clip(frequency, 1e-12, 0.5))
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = _LEAST * -ndtri(share) / needed
    return np.asarray(np.where(needed > 0.0, np.clip(scaled, _LEAST, _MOST), _MOST))
