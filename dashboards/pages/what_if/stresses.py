"""Stress scenarios of the library that fit a run's market, and how a what-if can use each."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from riskgrid import sample
from riskgrid.change import Changes
from riskgrid.errors import InputError, UnknownName
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.result import Run
from riskgrid.sample.shock import STRESS
from riskgrid.scenarios import generic
from riskgrid.scenarios.episode import episodes, library
from riskgrid.scenarios.set import moved, targets
from riskgrid.scenarios.stress import read_shocks

__all__ = ["Stress", "episode", "is_of_sample", "stress_of", "stresses"]


@dataclass(frozen=True)
class Stress:
    """One of the library. lines : pattern and shock, none for an episode, which is what a history did.

    factors : how many it moves.   shifts : whether the market itself can be moved so.   over : whether it can come on
    top of every scenario.
    """

    name: str
    told: str
    factors: int
    lines: tuple[tuple[str, str | float], ...] = ()
    shifts: bool = False
    over: bool = True


def stresses(run: Run) -> list[Stress]:
    """Those that move something in the market of a run and can be used one way or the other."""
    own = _spaces(map(str, run.scenarios["factor"].values), run.market)
    found = []
    for each in _written(run.market):
        moving = (factor for pattern, _ in each.lines for factor in targets(pattern, run.market))
        over = not _clash(own, _spaces(moving, run.market))
        if each.shifts or over:
            found.append(replace(each, over=over))
    return found + list(_episodes(run.market))


def stress_of(run: Run, name: str) -> Stress:
    """One of :func:`stresses`. UnknownName."""
    known = {each.name: each for each in stresses(run)}
    if name not in known:
        raise UnknownName("stress", name, known)
    return known[name]


def episode(name: str, market: MarketSnapshot) -> xr.Dataset:
    """What the sample's history did in an episode, as one scenario of a market. UnknownName, BadScenarios."""
    made: xr.Dataset = episodes(sample.history(), market, names=[name])
    return made


@functools.lru_cache(maxsize=8)
def is_of_sample(market: MarketSnapshot) -> bool:
    """Whether the sample has the same factors on that date, so that its history and its other dates fit."""
    try:
        return sample.market(market.date).factors == market.factors
    except InputError:
        return False


@functools.lru_cache(maxsize=8)
def _written(market: MarketSnapshot) -> tuple[Stress, ...]:
    """Those of patterns: the generic ones, and of the sample's the ones of which every line names something."""
    found = []
    own = {name: lines for name, lines in read_shocks(STRESS).items() if all(targets(p, market) for p, _ in lines)}
    for written, lines in {**generic.shocks(), **own}.items():
        name = written.replace("{numeraire}", market.numeraire)
        kept = tuple((pattern, shock) for pattern, shock in lines if targets(pattern, market))
        if not kept:
            continue
        factors = len({factor for pattern, _ in kept for factor in targets(pattern, market)})
        told = ", ".join(f"{pattern} {shock}" for pattern, shock in kept[:4]) + (", ..." if len(kept) > 4 else "")
        found.append(Stress(name, told, factors, kept, _shifts(dict(kept), market)))
    return tuple(found)


def _shifts(lines: Mapping[str, Any], market: MarketSnapshot) -> bool:
    try:
        Changes(shift=lines).market(market)
    except InputError:
        return False
    return True


def _spaces(factors: Iterable[str], market: MarketSnapshot) -> tuple[set[str], set[str]]:
    """Curves that are moved in their quotes, and those that are in zero rates though they are quoted in par yields."""
    known = set(market.factors)
    quotes, zeros = set(), set()
    for factor in factors:
        kind, _, rest = factor.partition(":")
        if kind == "par":
            quotes.add(rest.partition(":")[0])
        elif kind == "zero" and factor not in known:
            zeros.add(rest.partition(":")[0])
    return quotes, zeros


def _clash(one: tuple[set[str], set[str]], other: tuple[set[str], set[str]]) -> bool:
    """Whether both together would move a curve both ways, which no scenario may."""
    return bool((one[0] | other[0]) & (one[1] | other[1]))


@functools.lru_cache(maxsize=8)
def _episodes(market: MarketSnapshot) -> tuple[Stress, ...]:
    if not is_of_sample(market):
        return ()
    made = episodes(sample.history(), market)
    counts = moved(made).sum(axis=1)
    told = library()
    return tuple(
        Stress(name, f"{told[name]['start']} to {told[name]['end']}: {told[name]['sentence']}", int(count))
        for name, count in zip(map(str, made["scenario"].values), counts, strict=True)
    )
