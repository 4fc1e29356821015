"""Reverse stress: the most plausible scenario under which a run's trades lose a given amount."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import xarray as xr
from scipy.special import chdtrc, ndtr

from riskgrid import hashing, plots
from riskgrid.analysis.design_point import DesignPoint, design_point
from riskgrid.analysis.searching import Losses
from riskgrid.analysis.stressing import StressReport, stress_report
from riskgrid.cluster import Workers, connect
from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.page import Column, Row, Section, Shown, money, percent
from riskgrid.result import Run
from riskgrid.running import revalue
from riskgrid.scenarios.covariance import factor_returns
from riskgrid.scenarios.given import of_returns
from riskgrid.scenarios.group import RISK_CLASSES, members
from riskgrid.scenarios.mixture import Mixture
from riskgrid.scenarios.set import digest, shifts
from riskgrid.store import Store

__all__ = ["ReverseStress", "Search", "reverse_stress"]

type Told = Callable[[Progress], None] | Literal["auto"] | None

_LABEL = "reverse stress"
_MOST = 20
_LARGE = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"))
_IN_BASIS_POINTS = ("par", "zero", "spread", "hazard", "dividend", "recovery")


class Search(TypedDict, total=False):
    """How the scenario is searched.

    ``components`` : None (default) for the whole covariance, a whole number or a share of variance for its principal
    components, see :func:`riskgrid.scenarios.component.principal_components`: moves outside of them do not exist then.
    ``horizon`` : days (default 1); the covariance of one day is scaled by it.   ``decay`` : of the weights of the
    scenarios, see :func:`riskgrid.scenarios.covariance.covariance`.   ``limit`` : the farthest distance searched, in
    standard deviations (default 8).
    """

    components: int | float | None
    horizon: int
    decay: float
    limit: float


@dataclass(frozen=True, repr=False)
class ReverseStress(Shown):
    """The most plausible scenario that loses a given amount.

    scenarios : a set of that one scenario, to run, stress or overlay.   loss : by exact revaluation, of ``asked``.
    distance : Mahalanobis, in standard deviations.   moves : ``factor_return, sigmas`` (factor), each factor's move in
    the unit of its return and in its own standard deviations.   objects : ``pnl`` (group) of each market object alone,
    largest first, with the factor of it that moves most; ``cross`` in attrs.   stress : P&L by node and class.
    search : ``components, horizon, limit, linear, settled, cosine, revaluations, states, set``, ``count`` of its
    scenarios, and ``rounding``, the most by which ticks round the P&L of a trade.
    """

    scenarios: xr.Dataset
    asked: float
    distance: float
    moves: xr.Dataset
    objects: xr.Dataset
    stress: StressReport
    search: Mapping[str, Any]

    @property
    def loss(self) -> float:
        """What the scenario loses, by exact revaluation."""
        return 0.0 - float(self.stress.table["pnl"][0, 0])

    @property
    def probability(self) -> float:
        """Of a loss as large or larger, to first order: the normal tail beyond the distance."""
        return float(ndtr(-self.distance))

    @property
    def probability_of_distance(self) -> float:
        """Of a market move as far or farther in any direction: the tail of chi-square."""
        return float(chdtrc(self.search["components"], self.distance**2))

    def sections(self) -> list[Section]:
        """The moves that matter, then the loss by class and node."""
        said = [sentence for sentence in self.stress.sentences() if sentence.startswith("*")]
        first, *rest = self.stress.sections()
        return [self._by_object(), replace(first, sentences=said, drawings=dict), *rest]

    def sentences(self) -> list[str]:
        """What was found, how plausible it is, and what the search cannot promise."""
        currency, search = self.stress.table.attrs["currency"], self.search
        days = f" {search['horizon']}-day (root of time)" if search["horizon"] > 1 else ""
        said = [
            f"The most plausible of all market moves found that lose {money(self.asked)} {currency}: "
            f"{self.distance:.2f} standard deviations away; exact revaluation loses {self._lost()}.",
            f"Distance is Mahalanobis, by the{days} covariance of {search['set']} ({search['count']:,} scenarios), "
            f"{search['components']:,} components, means zero.",
            f"Under normal returns such a loss or a larger one comes {_often(self.probability, search['horizon'])}, to "
            f"first order; a move as far in any direction {_often(self.probability_of_distance, search['horizon'])}.",
            f"{_linear(search['linear'])}; {search['revaluations']:,} revaluations of {search['states']:,} states.",
        ]
        if not search["settled"]:
            said.append(
                f"* The search has not settled: the cosine of move and slope is {search['cosine']:.6f}, 1 where no "
                "move nearby is more plausible."
            )
        return said

    def _lost(self) -> str:
        """The exact loss, and why it is not the amount asked for where only rounding keeps it from that."""
        rounding, off = self.search["rounding"] * int(self.stress.table["trades"][0]), abs(self.loss - self.asked)
        why = f", the amount asked for but for ticks: a trade is rounded by up to {self.search['rounding']:.3g}"
        return f"{self.loss:,.2f}{why if 0.005 <= off <= rounding else ''}"

    def _by_object(self) -> Section:
        table, currency = self.objects, self.stress.table.attrs["currency"]
        names, pnl = table["group"].values, table["pnl"].values
        rows = [
            Row(str(name), [str(factor), f"{sigmas:+.2f}", _spoken(str(factor), str(kind), move), money(alone)])
            for name, factor, sigmas, kind, move, alone in zip(
                names, table["factor"].values, table["sigmas"].values, table["returns"].values,
                table["factor_return"].values, pnl, strict=True,
            )
        ]  # fmt: skip
        if len(rows) > _MOST:
            more = Row(f"{len(rows) - _MOST:,} more", ["", "", "", money(float(pnl[_MOST:].sum()))])
            rows = [*rows[:_MOST], more]
        rows.append(Row("Together (cross)", ["", "", "", money(float(table.attrs["cross"]))]))
        rows.append(Row("All", ["", "", "", money(0.0 - self.loss)]))
        heads = [Column("Largest move", kind="text"), Column("Sigmas", kind="number"), Column("Move", kind="number")]
        heads.append(Column("P&L alone", currency))
        title = f"Reverse stress: a loss of {money(self.asked)} {currency}"
        said = self.sentences()
        return Section.of_tree(title, "market object", heads, rows, sentences=said, drawings=self._drawings)

    def _drawings(self) -> dict[str, Any]:
        table = self.objects.rename(group="node").assign_attrs(by=["node"])
        return {"P&L of each market object alone": plots.bar_by_node(table, "pnl", _MOST, losses=True)}


def reverse_stress(
    run: Run,
    loss: float,
    *,
    scenarios: xr.Dataset | None = None,
    by: Sequence[str] | str = "desk",
    classes: Mapping[str, Sequence[str]] = RISK_CLASSES,
    where: Mapping[str, Any] | None = None,
    cluster: Any = "threads",
    progress: Told = None,
    **search: Unpack[Search],
) -> ReverseStress:
    """The scenario of least Mahalanobis distance under which a run's trades lose ``loss``, by exact revaluation.

    loss : > 0, in the reporting currency.   scenarios : a historical set whose covariance says what is plausible, by
    default the run's own.   where : the trades that shall lose.   progress : of what is kept, not of the search.
    Options: :class:`Search`.

    Moves are mixed from independent components, z ~ N(0, I), and put on today's levels in each factor's kind of return;
    :func:`~riskgrid.analysis.design_point.design_point` finds the nearest z that loses the amount, from the slope at
    the base, the curvature and the scenarios that lose most. Each of its rounds is one run of all its states, in a
    store beside the run's that is gone afterwards; what was found is revalued and kept like any run.
    BadSpec where no move within the limit loses as much, with the largest loss found.   BadScenarios, UnknownName.
    Source: Studer (1999), Market risk computation for nonlinear portfolios, J. of Risk 1(4); Breuer, Jandacka,
    Rheinberger and Summer (2009), How to find plausible, severe, and useful stress scenarios, Int. J. Central Banking
    5(3), 205-224.
    """
    options = _options(search)
    if not 0.0 < loss < math.inf:
        raise BadSpec(f"loss is {loss!r}; an amount above 0 is right, since a loss is positive")
    run.aggregate(by, where=where)  # an unknown label is said before the search, not after
    past = run.scenarios if scenarios is None else scenarios
    members(past["factor"].values.astype(str).tolist(), classes)
    mixture = Mixture.of(past, options["components"], horizon=options["horizon"], decay=options["decay"])
    with connect(cluster) as workers:
        losses, point = _searched(run, float(loss), mixture, past, (where, workers, options["limit"]))
        made = _scenario(losses, point, float(loss), past, options)
        seen = stress_report(run, made, by, classes=classes, where=where, cluster=workers.lent(), progress=progress)
        moves = _moves(made, mixture)
        objects = _objects(run, made, moves, where, (workers.lent(), progress))
    objects.attrs["cross"] = float(seen.table["pnl"][0, 0]) - float(objects["pnl"].sum())
    facts = options | {"components": len(mixture.loadings), "linear": point.linear, "cosine": point.cosine}
    facts["rounding"] = run.aggregate((), where).attrs["rounding_bound"]
    facts |= {"settled": point.settled, "revaluations": losses.runs, "states": losses.states}
    facts |= {"set": past.attrs["name"], "count": past.sizes["scenario"]}
    return ReverseStress(made, float(loss), point.distance, moves, objects, seen, facts)


def _searched(
    run: Run, loss: float, mixture: Mixture, past: xr.Dataset, how: tuple[Any, Workers, float]
) -> tuple[Losses, DesignPoint]:
    """The point of the loss.  how : the trades that lose, the workers, the limit.  BadSpec where there is none."""
    where, workers, limit = how
    with tempfile.TemporaryDirectory(prefix=".search-", dir=None if run.store.remote else run.store.root) as folder:
        losses = Losses(run, where, mixture, Store(folder), workers)
        point = design_point(losses, loss, mixture.places(past), limit=limit)
    if not point.reached:
        raise BadSpec(
            f"no market move within {limit:g} standard deviations was found to lose "
            f"{loss:,.0f} {run.manifest['reporting']}; the largest loss found is {max(point.loss, 0.0):,.0f}"
        )
    return losses, point


def _options(search: Search) -> dict[str, Any]:
    known: dict[str, Any] = {"components": None, "horizon": 1, "decay": None, "limit": 8.0}
    for name in search:
        if name not in known:
            raise UnknownName("option", name, known)
    options = known | dict(search)
    days, limit = options["horizon"], options["limit"]
    if isinstance(days, bool) or not isinstance(days, (int, np.integer)) or days < 1:
        raise BadSpec(f"horizon is {days!r}; a whole number of days of at least 1 is right")
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0.0 < limit < math.inf:
        raise BadSpec(f"limit is {limit!r}; a distance above 0 in standard deviations is right, e.g. 8")
    return options


def _scenario(
    losses: Losses, point: DesignPoint, loss: float, past: xr.Dataset, options: Mapping[str, Any]
) -> xr.Dataset:
    mixture, named = losses.mixture, (losses.where or {}).items()
    returns = mixture.returns(point.place[None, :], [_LABEL])
    facts: dict[str, Any] = {"kind": "reverse_stress", "of": hashing.short(digest(past), 40)}
    facts |= {"run": losses.run.content_id, "loss": loss, "distance": point.distance}
    facts |= {name: options[name] for name in ("horizon", "decay", "limit")}
    facts["components"] = len(mixture.loadings)
    facts["where"] = {label: [one] if isinstance(one, str) else list(map(str, one)) for label, one in named}
    facts["returns"] = dict(zip(returns["factor"].values.tolist(), returns["returns"].values.tolist(), strict=True))
    still = past["factor"].values[past["unshocked"].values] if "unshocked" in past.coords else np.empty(0, str)
    still = still[~np.isin(still, returns["factor"].values)].astype(str)
    name = f"{_LABEL} of {losses.run.known_as}, {loss:,.0f} {losses.run.manifest['reporting']}"
    return of_returns(returns, losses.run.market, name=name, provenance=facts, unshocked=still.tolist())


def _moves(made: xr.Dataset, mixture: Mixture) -> xr.Dataset:
    kinds = mixture.covariance["returns"]
    returns = factor_returns(made).sel(factor=kinds["factor"].values).values[0]
    data = {"factor_return": ("factor", returns), "sigmas": ("factor", returns / mixture.sigmas)}
    return xr.Dataset(data, {"factor": kinds["factor"].values, "returns": ("factor", kinds.values)})


def _objects(run: Run, made: xr.Dataset, moves: xr.Dataset, where: Any, how: tuple[Any, Any]) -> xr.Dataset:
    """P&L of each market object alone, and its factor that moves most by its own standard deviation."""
    chosen = made.sel(factor=moves["factor"].values)
    owners = np.array([":".join(str(factor).split(":")[:2]) for factor in moves["factor"].values])
    names, codes = np.unique(owners, return_inverse=True)
    own = codes == np.arange(len(names))[:, None]
    parts = shifts(
        names.tolist(),
        moves["factor"].values.tolist(),
        np.where(own, chosen["scale"].values, 1.0),
        np.where(own, chosen["offset"].values, 0.0),
        name=f"{made.attrs['name']}, one market object at a time",
        kind="objects",
        provenance={"kind": "objects", "of": hashing.short(digest(made), 40)},
    )
    alone = revalue(run, parts, name=f"{_LABEL} of {run.known_as}", cluster=how[0], progress=how[1])
    pnl, sigmas = alone.pnl(where=where).values, np.abs(moves["sigmas"].values)
    order = np.argsort(-np.abs(pnl), kind="stable")
    largest = np.argmax(np.where(own, sigmas, -1.0), axis=1)[order]
    data = {"pnl": ("group", pnl[order])}
    data |= {str(name): ("group", moves[name].values[largest]) for name in moves.variables}
    return xr.Dataset(data, {"group": names[order].astype(object)})


def _spoken(factor: str, kind: str, move: float) -> str:
    """A move in the words of its kind of return."""
    if kind != "absolute":
        return f"{(math.expm1(move) if kind == 'log' else move) * 100:+.2f} %"
    return f"{move * 1e4:+.1f} bp" if factor.partition(":")[0] in _IN_BASIS_POINTS else f"{move:+.4g}"


def _often(probability: float, horizon: int) -> str:
    """How often what has this probability comes."""
    days = "days" if horizon == 1 else f"periods of {horizon} days"
    if probability > 0.01:
        return f"{'on' if horizon == 1 else 'in'} {percent(probability)} of {days}"
    if probability < 1e-15:  # a larger number tells nobody more
        return f"less than once in 1,000 trillion {days}"
    count = float(f"{1.0 / probability:.3g}")
    size, name = next(((size, name) for size, name in _LARGE if count >= size), (1.0, ""))
    number = f"{count / size:,.0f}" if count / size >= 100.0 else f"{count / size:.3g}"
    return f"once in {number}{name} {days}"


def _linear(distance: float) -> str:
    if not math.isfinite(distance):
        return "The delta approximation sees no loss at all"
    return f"The delta approximation alone would say {distance:.2f} standard deviations"
