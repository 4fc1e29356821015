"""How many Black values a second does the bare kernel make, against the best plain NumPy and against QuantLib?

The kernel is handed forward, strike, total volatility and side of every pair as whole arrays: tiles that stay in the
second-level cache, arrays that come from memory, and rows of one trade under many scenarios, where strike and side are
a column. NumPy walks the same arrays in tiles of the cache with SciPy's ``ndtr`` and buffers made once. QuantLib is
called in a loop, and as an option object whose quote is set before every value. One thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813
from scipy.special import ndtr

from riskgrid import formulas
from riskgrid.formulas.black import black_value
from tests.benchmarks.data import TODAY
from tests.benchmarks.measure import Figure, Medians, Spent, assert_equal, in_turns, ratio, ratios, timed
from tests.benchmarks.quantlib_option import make_option, ql_date

type Array = Any
_TILE = 16_384  # pairs: columns and buffers of a tile together take 0.9 MB
_SAMPLE = 2_000  # pairs QuantLib is asked for


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    count = _TILE * (16 if quick else 256)
    rng = np.random.default_rng(1)
    strike, vol = rng.uniform(60.0, 140.0, count), rng.uniform(0.05, 0.6, count)
    pairs = (np.full(count, 100.0) * rng.uniform(0.9, 1.1, count), strike, vol, rng.random(count) < 0.5)
    out, tile = np.empty(count), np.empty(_TILE)
    few = tuple(column[:_TILE] for column in pairs)
    rows = count // _TILE
    column = (pairs[0].reshape(rows, _TILE), strike[:rows, None], vol.reshape(rows, _TILE), pairs[3][:rows, None])
    plain, by_loop, by_observers = _Tile(_TILE), _loop(pairs), _observers(pairs)

    def in_cache() -> None:
        for _ in range(rows):
            black_value(*few, out=tile)

    def numpy_in_cache() -> None:
        for _ in range(rows):
            plain(*few, tile)

    def numpy_from_memory() -> None:
        for start in range(0, count, _TILE):
            part = slice(start, start + _TILE)
            plain(*(one[part] for one in pairs), out[part])

    black_value(*pairs, out=out)
    exact = out.copy()
    numpy_from_memory()
    assert_equal("kernel and NumPy", out, exact, 1e-11)
    assert_equal("kernel and QuantLib's loop", by_loop(), exact[:_SAMPLE], 1e-10)
    assert_equal("kernel and QuantLib's option", by_observers(), exact[:_SAMPLE], 1e-10)
    contenders: dict[str, Callable[[], Any]] = {
        "kernel, in cache": in_cache,
        "kernel, from memory": lambda: black_value(*pairs, out=out),
        "kernel, a trade a row": lambda: black_value(*column, out=out.reshape(rows, _TILE)),
        "NumPy tiles, in cache": numpy_in_cache,
        "NumPy tiles, from memory": numpy_from_memory,
        "QuantLib, blackFormula in a loop": by_loop,
        "QuantLib, observers": by_observers,
    }
    sizes = dict.fromkeys(contenders, count) | dict.fromkeys(list(contenders)[-2:], _SAMPLE)
    medians = in_turns({name: _clock(call) for name, call in contenders.items()}, 3 if quick else 9)
    return _table(medians, sizes)


def _table(medians: dict[str, Medians], sizes: dict[str, int]) -> list[Figure]:
    made = []
    for name, spent in medians.items():
        against = (
            name if name.startswith("kernel") else "kernel, in cache" if "cache" in name else "kernel, from memory"
        )
        kernel = medians[against]
        scale = sizes[against] / sizes[name]
        own = spent is kernel
        made.append(
            Figure(
                "kernel_black",
                name,
                sizes[name] / spent.cpu / 1e6,
                "M values/s",
                None if own else ratio(kernel, spent) * scale,
                "" if own else f"its time, {against} = 1",
                f"backend {formulas.BACKEND}" if own else "",
                at_least=4.0 if name.startswith("NumPy") else None,
                rounds=spent.rounds if own else tuple(one * scale for one in ratios(kernel, spent)),
            )
        )
    return made


def _clock(call: Callable[[], Any]) -> Callable[[], Spent]:
    return lambda: timed(call)


class _Tile:
    """Black's formula on a tile as a careful analyst writes it: no array is made, every step stays in the cache."""

    def __init__(self, size: int) -> None:
        self.side, self.d1, self.d2 = np.empty((3, size))

    def __call__(self, forward: Array, strike: Array, vol: Array, is_call: Array, out: Array) -> None:
        side, d1, d2 = self.side, self.d1, self.d2
        np.multiply(is_call, 2.0, out=side)
        np.subtract(side, 1.0, out=side)
        np.divide(forward, strike, out=d1)
        np.log(d1, out=d1)
        np.divide(d1, vol, out=d1)
        np.multiply(vol, 0.5, out=d2)
        np.add(d1, d2, out=d1)
        np.subtract(d1, vol, out=d2)
        np.multiply(d1, side, out=d1)
        np.multiply(d2, side, out=d2)
        ndtr(d1, out=d1)
        ndtr(d2, out=d2)
        np.multiply(d1, forward, out=d1)
        np.multiply(d2, strike, out=d2)
        np.subtract(d1, d2, out=out)
        np.multiply(out, side, out=out)


def _loop(pairs: tuple[Array, ...]) -> Callable[[], Array]:
    forward, strike, vol, is_call = (one[:_SAMPLE].tolist() for one in pairs)
    kind = [ql.Option.Call if call else ql.Option.Put for call in is_call]
    formula = ql.blackFormula
    return lambda: np.array([formula(*terms) for terms in zip(kind, strike, forward, vol, strict=True)])


def _observers(pairs: tuple[Array, ...]) -> Callable[[], Array]:
    """One option a trade; its quotes are set before every value, which notifies all that observe them."""
    forward, strike, vol, is_call = (one[:_SAMPLE].tolist() for one in pairs)
    ql.Settings.instance().evaluationDate = ql_date(TODAY)
    quotes = [[ql.SimpleQuote(1.0) for _ in range(3)] for _ in strike]
    kind = [ql.Option.Call if call else ql.Option.Put for call in is_call]
    made = [make_option(one, level, TODAY + 365, own) for one, level, own in zip(kind, strike, quotes, strict=True)]

    def value() -> Array:
        told = []
        for option, (spot, _, sigma), level, total in zip(made, quotes, forward, vol, strict=True):
            spot.setValue(level)
            sigma.setValue(total)  # over one year
            told.append(option.NPV())
        return np.array(told)

    for _, rate, _ in quotes:
        rate.setValue(0.0)
    return value
