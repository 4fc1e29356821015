"""Sensitivities of a run's book: its ladder is run on its own market and store, then measured at any node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.analysis.bumped import Sensitivities, SpotVol
from riskgrid.engine.size import bump_bits
from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.market.configuration import STICKY_RULES
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.registry import MEASURES, SCENARIO_SETS
from riskgrid.result import Run
from riskgrid.running import revalue

__all__ = ["MOST_MOVES", "SPACES", "SPOTS", "VOLS", "Sensitivities", "sensitivities", "spot_vol_ladder"]

#: In which a bump of an interest rate acts: the quotes of a curve, or its zero rates after calibration.
SPACES = ("par", "zero")

#: Most spot moves, and most volatility moves, of one ladder.
MOST_MOVES = 21

#: Relative moves of a spot and moves of its volatility, unless asked otherwise.
SPOTS = (-0.3, -0.2, -0.15, -0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
VOLS = (-0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2)

#: Trades whose P&L is held at once.
_AT_ONCE = 2048


def sensitivities(
    run: Run,
    by: Sequence[str] | str = (),
    where: Mapping[str, Any] | None = None,
    *,
    space: Literal["par", "zero"] = "par",
    patterns: Sequence[str] | None = None,
    sizes: Mapping[str, tuple[float, str]] | None = None,
    sticky: Literal["sticky_strike", "sticky_moneyness"] | None = "sticky_strike",
    cluster: Any = "threads",
) -> Sensitivities:
    """Delta and gamma by every factor that the book reads, and theta, at every node of the labels ``by``.

    by : labels of a tree, the total first; ``trade_id`` has one row a trade, in portfolio order.   space : in which
    interest rates are bumped, where ``patterns`` do not name them.   patterns, sizes : as of
    :func:`riskgrid.scenarios.ladder.ladder`.   sticky : the rule by which surfaces move; None keeps the run's.
    The ladder is a run of its own in the same store, pruned to what each trade reads: asked again it is found.
    A node of which no trade has a number is NaN, and ``coverage`` (node) tells the share of those that have one.
    BadScenarios names a volatility or a price that a bump takes to zero or below. UnknownName, BadSpec.
    """
    market = _market(run, sticky)
    ladder = _ladder(market, space, patterns, sizes)
    asked = _asked(run, market, ladder, "ladder", cluster)
    labels = (by,) if isinstance(by, str) else tuple(by)
    read = _read(asked, ladder)
    made = _by_trade(asked, read, where) if labels == ("trade_id",) else _by_node(asked, read, labels, where)
    made.attrs = _facts(run, asked, labels, where) | {"space": space if patterns is None else "as chosen"}
    made.attrs["sticky"] = _rules(asked.market)
    return Sensitivities(made, asked)


def spot_vol_ladder(
    run: Run,
    underlying: str,
    *,
    spots: Sequence[float] = SPOTS,
    vols: Sequence[float] = VOLS,
    by: Sequence[str] | str = (),
    where: Mapping[str, Any] | None = None,
    sticky: Literal["sticky_strike", "sticky_moneyness"] | None = "sticky_strike",
    cluster: Any = "threads",
) -> SpotVol:
    """P&L ``pnl`` (node, spot_move, vol_move) of every spot move with every volatility move of one underlying.

    underlying, spots, vols : as of :func:`riskgrid.scenarios.ladder.grid`, at most 21 of each.   Other arguments as of
    :func:`sensitivities`. A node of which no trade has a number is NaN; coordinates of ``node`` tell its coverage.
    attrs: underlying, sticky, currency. BadScenarios, UnknownName.
    """
    for name, moves in (("spots", spots), ("vols", vols)):
        if not 1 <= len(moves) <= MOST_MOVES:
            raise BadScenarios(f"{name} has {len(moves)} moves; 1 to {MOST_MOVES} are right")
    market = _market(run, sticky)
    grid = SCENARIO_SETS["grid"](market, underlying, spots, vols)
    asked = _asked(run, market, grid, f"{underlying} spot and vol", cluster)
    labels = (by,) if isinstance(by, str) else tuple(by)
    nodes = asked.aggregate(labels, where)
    values = _priced(nodes["pnl"], nodes).values.reshape(-1, len(spots), len(vols))
    told = (*labels, "depth", "trades", "unpriced", "coverage")
    coords: dict[str, Any] = {name: ("node", nodes[name].values) for name in told}
    coords |= {"spot_move": np.array(spots, np.float64), "vol_move": np.array(vols, np.float64)}
    facts = _facts(run, asked, labels, where) | {"underlying": underlying, "sticky": _rules(asked.market)}
    return SpotVol(xr.DataArray(values, coords, ("node", "spot_move", "vol_move"), name="pnl", attrs=facts), asked)


def _market(run: Run, sticky: str | None) -> MarketSnapshot:
    """The market of the run, all its surfaces moving by one rule."""
    market = run.market
    if sticky is None:
        return market
    if sticky not in STICKY_RULES:
        raise UnknownName("sticky rule", sticky, STICKY_RULES)
    rules = market.conventions["surfaces"]
    if all(rule["sticky"] == sticky for rule in rules.values()):
        return market
    conventions = {**market.conventions, "surfaces": {name: {**rule, "sticky": sticky} for name, rule in rules.items()}}
    return MarketSnapshot(
        market.date, market.numeraire, market.factors, market.levels, conventions, market.fixings, market.origin
    )


def _ladder(
    market: MarketSnapshot,
    space: str,
    patterns: Sequence[str] | None,
    sizes: Mapping[str, tuple[float, str]] | None,
) -> xr.Dataset:
    if space not in SPACES:
        raise UnknownName("space", space, SPACES)
    if patterns is None and space == "zero":
        kinds = {factor.partition(":")[0] for factor in market.factors} - {"index", "par", "zero"}
        patterns = ["zero:*", *(f"{kind}:*" for kind in sorted(kinds))]
    made: xr.Dataset = SCENARIO_SETS["ladder"](market, patterns=patterns, sizes=sizes, next_day=True)
    return made


def _asked(run: Run, market: MarketSnapshot, scenarios: xr.Dataset, what: str, cluster: Any) -> Run:
    name = f"{what} of {run.called}"
    bits = bump_bits(run.portfolio, market, run.manifest["reporting"])
    return revalue(run, scenarios, name=name, market=market, bits=bits, cluster=cluster)


def _read(asked: Run, ladder: xr.Dataset) -> xr.Dataset:
    """The scenarios of the ladder that move a trade, and the next day: the others were pruned from every block."""
    kept = np.zeros(1 + ladder.sizes["scenario"], np.bool_)
    for states in asked.cube.placement.states:
        kept[states] = True
    return ladder.isel(scenario=kept[1:] | (ladder["bumped"].values == "date"))


def _by_node(asked: Run, read: xr.Dataset, by: tuple[str, ...], where: Mapping[str, Any] | None) -> xr.Dataset:
    nodes = asked.aggregate(by, where)
    pnl = nodes["pnl"].isel(scenario=np.isin(nodes["scenario"].values.astype(str), read["scenario"].values))
    made = _measured(_priced(pnl, nodes).drop_vars("scenario"), read)
    for name in ("trades", "unpriced", "coverage"):
        made[name] = nodes[name].variable
    made["base_value"] = _priced(nodes["base_value"], nodes).variable
    return made


def _priced(numbers: xr.DataArray, nodes: xr.Dataset) -> xr.DataArray:
    """NaN at a node of which no trade has a number."""
    lost = (nodes["coverage"].variable == 0.0) & (nodes["trades"].variable > 0)
    return numbers.where(~xr.DataArray(lost), np.nan) if bool(lost.any()) else numbers


def _by_trade(asked: Run, read: xr.Dataset, where: Mapping[str, Any] | None) -> xr.Dataset:
    """The same of every trade, some of them at a time: their P&L has twice as many numbers as their deltas."""
    table = asked.trade_table(where)
    place = {text: at for at, text in enumerate(asked.cube.labels["trade_id"].texts().tolist())}
    at = np.array([place[text] for text in table["trade_id"].values.tolist()], np.int64)
    columns = np.isin(asked.cube.scenarios.astype(str), read["scenario"].values)
    filled: dict[str, NDArray[np.float64]] = {}
    for start in range(0, max(len(at), 1), _AT_ONCE):
        part = at[start : start + _AT_ONCE]
        pnl = asked.cube.trade_pnl(part)[:, columns]
        made = _measured(xr.DataArray(pnl, dims=("node", "scenario")), read)
        for name, held in made.data_vars.items():
            whole = filled.setdefault(str(name), np.empty((len(at), *held.shape[1:])))
            whole[start : start + _AT_ONCE] = held.values
    made = xr.Dataset({name: (made[name].dims, whole, made[name].attrs) for name, whole in filled.items()}, made.coords)
    labels: dict[str, Any] = {str(name): ("node", held.values) for name, held in table.coords.items()}
    made = made.assign_coords({**labels, "depth": ("node", np.ones(len(at), np.int64))})
    for name in ("base_value", "status"):
        made[name] = ("node", table[name].values)
    return made


def _measured(pnl: xr.DataArray, read: xr.Dataset) -> xr.Dataset:
    found = {name: MEASURES[name](pnl, read) for name in ("delta", "gamma", "theta")}
    return xr.Dataset(found)


def _facts(run: Run, asked: Run, by: tuple[str, ...], where: Mapping[str, Any] | None) -> dict[str, Any]:
    manifest = asked.manifest
    told = " and ".join(
        f"{label} = {wanted if isinstance(wanted, str) else ' or '.join(map(str, wanted))}"
        for label, wanted in (where or {}).items()
    )
    return {
        "by": list(by),
        "where": told,
        "currency": manifest["reporting"],
        "as_of": run.row.as_of,
        "run_id": run.known_as,
        "ladder_run": asked.run_id,
        "roll": "constant_tenor",
    }


def _rules(market: MarketSnapshot) -> str:
    """The rule of all surfaces, or each surface's own."""
    rules = {name: rule["sticky"] for name, rule in market.conventions["surfaces"].items()}
    if len(set(rules.values())) == 1:
        return str(rules["default"])
    return ", ".join(f"{name}: {rule}" for name, rule in rules.items())
