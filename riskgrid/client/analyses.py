"""Analyses of a run over HTTP: the service computes them, its tables are made the library's own results again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from riskgrid.client.exchange import Steps
from riskgrid.client.numbers import Asked, By, Where, by_of, fetched, named, where_of
from riskgrid.errors import BadSpec

if TYPE_CHECKING:
    import xarray as xr

    from riskgrid.analysis.bumped import Sensitivities, SpotVol
    from riskgrid.analysis.comparing import Comparison
    from riskgrid.analysis.decomposing import RiskClasses
    from riskgrid.analysis.stressing import StressReport
    from riskgrid.analysis.tracing import TailView
    from riskgrid.page import Shown
    from riskgrid.result import Run

__all__ = [
    "compare",
    "explain",
    "risk_classes",
    "sensitivities",
    "spot_vol_ladder",
    "stress_report",
    "tail_view",
]

#: Seconds that an analysis may take: it may have to price.
_SECONDS = 120.0

#: Attributes by which a table tells of the result that it is of.
_TOLD = ("sentences", "conventions", "part", "parts", "measured")


def risk_classes(
    run: Asked,
    /,
    by: By = (),
    *,
    classes: Mapping[str, Sequence[str]] | None = None,
    where: Where = None,
    **measures: Any,
) -> Steps[RiskClasses]:
    """VaR and ES of the run under the moves of each risk class alone, see :func:`riskgrid.risk_classes`."""
    from riskgrid.analysis.decomposing import RiskClasses

    params = [*by_of(by), *where_of(where), *_lines("classes", classes or {}), *_options(measures)]
    table, told = yield from _table(run, "classes", params)
    return _with_notices(lambda said: RiskClasses(table, told["conventions"], run.run_id, said), told["sentences"])


def tail_view(
    run: Asked, /, measure: str = "expected_shortfall", *, where: Where = None, count: int = 10, **convention: Any
) -> Steps[TailView]:
    """Which scenarios, trades and factors make VaR or ES of the run, see :func:`riskgrid.tail_view`.

    convention : ``level`` and ``method`` of the measure.
    """
    import xarray as xr

    from riskgrid.analysis.tracing import TailView

    params = [("measure", measure), ("count", str(count)), *where_of(where), *_options(convention)]
    scenarios, _ = yield from _table(run, "tail", [*params, ("part", "scenarios")])
    trades, _ = yield from _table(run, "tail", [*params, ("part", "trades")])
    factors, told = yield from _table(run, "tail", [*params, ("part", "factors")])
    meant = dict(told["measured"])
    measured = xr.DataArray(meant.pop("value"), name=meant["measure"], attrs=meant)
    return _with_notices(lambda said: TailView(scenarios, trades, factors, measured, said), told["sentences"])


def sensitivities(run: Asked, /, by: By = (), where: Where = None, **options: Any) -> Steps[Sensitivities]:
    """Delta, gamma and theta by factor, see :func:`riskgrid.sensitivities`; its ``run`` is the one that was asked.

    options : ``space, patterns, sizes`` and ``sticky``.
    """
    from riskgrid.analysis.bumped import Sensitivities

    bumps = {pattern: f"{size}{unit}" for pattern, (size, unit) in (options.pop("sizes", None) or {}).items()}
    sizes = _lines("sizes", bumps)
    table, _ = yield from _table(run, "sensitivities", [*by_of(by), *where_of(where), *sizes, *_options(options)])
    return Sensitivities(table, cast("Run", run))


def spot_vol_ladder(run: Asked, /, factor: str, *, by: By = (), where: Where = None, **options: Any) -> Steps[SpotVol]:
    """P&L by moves of a spot and of its volatility, see :func:`riskgrid.spot_vol_ladder`.

    options : ``spots, vols`` and ``sticky``.
    """
    from riskgrid.analysis.bumped import SpotVol

    params = [*by_of(by), *where_of(where), *_options(options)]
    table, _ = yield from _table(run, f"spot-vol/{named(factor)}", params)
    return SpotVol(table["pnl"].assign_attrs(table.attrs), cast("Run", run))


def stress_report(
    run: Asked,
    /,
    scenarios: Mapping[str, Any] | str | None = None,
    by: By = ("desk",),
    *,
    where: Where = None,
    classes: Mapping[str, Sequence[str]] | None = None,
    history: str | None = None,
) -> Steps[StressReport]:
    """P&L of the run under stress, see :func:`riskgrid.stress_report`.

    scenarios : the name of a set that the service keeps, or the lines of one scenario, ``{"equity:*": "-20%"}``, or
    of several by name, ``{"crash": {"equity:*": "-20%"}}``; the round shocks of each kind of factor by default.
    history : ``sample`` adds its episodes.
    """
    from riskgrid.analysis.stressing import StressReport

    if hasattr(scenarios, "dims"):
        raise BadSpec("stress takes the name of a set: keep the set under a name, client.keep(scenarios, 'mine')")
    if isinstance(scenarios, Mapping):
        asked = _lines("shock", _by_scenario(scenarios))
    else:
        asked = _options({"scenarios": scenarios})
    params = [*by_of(by), *where_of(where), *_lines("classes", classes or {}), *asked, *_options({"history": history})]
    table, told = yield from _table(run, "stress", params)
    return _with_notices(lambda said: StressReport(table, run.run_id, said), told["sentences"])


def compare(
    run: Asked, /, *others: Asked | str, by: By = ("region", "desk"), where: Where = None, **measures: Any
) -> Steps[Comparison]:
    """Value, VaR and ES beside those of other runs, and the changes against this one, see :func:`riskgrid.compare`.

    others : runs or their ids.
    """
    from riskgrid.analysis.comparing import Comparison

    beside = [("with", other if isinstance(other, str) else other.run_id) for other in others]
    table, told = yield from _table(run, "compare", [*beside, *by_of(by), *where_of(where), *_options(measures)])
    return _with_notices(lambda said: Comparison(table, told["conventions"], said), told["sentences"])


def explain(
    run: Asked,
    /,
    since: Asked | str,
    *,
    by: By = ("region", "desk"),
    where: Where = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    part: str = "nodes",
    **options: Any,
) -> Steps[xr.Dataset]:
    """P&L from an earlier run to this one, ``pnl (node, piece)`` and ``total (node)``, see :func:`riskgrid.explain`.

    since : the earlier run or its id.   part : ``nodes, trades, objects`` or ``sensitivities``.   options : ``order``
    and ``count``, of trades. What the pieces mean is in the attribute ``sentences``.
    """
    earlier = since if isinstance(since, str) else since.run_id
    params = [("since", earlier), ("part", part), *by_of(by), *where_of(where), *_lines("groups", groups or {})]
    table, told = yield from _table(run, "explain", [*params, *_options(options)])
    return table.assign_attrs(sentences=told["sentences"])


def _table(run: Asked, path: str, params: Sequence[tuple[str, str]]) -> Steps[tuple[xr.Dataset, dict[str, Any]]]:
    """A table of a result, and what it tells of the result."""
    table = yield from fetched(run, path, params, _SECONDS)
    told = {name: table.attrs.pop(name) for name in _TOLD if name in table.attrs}
    return table, told


def _with_notices[S: Shown](make: Callable[[tuple[str, ...]], S], said: Sequence[str]) -> S:
    """A result that says what the service's said: behind what it says of itself come its notices."""
    bare = make(())
    own = bare.sentences() if hasattr(bare, "sentences") else bare.sections()[0].sentences
    return make(tuple(said[len(own) :]))


def _options(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in options.items():
        several = isinstance(value, (list, tuple))
        found += [(name, str(each)) for each in (value if several else [value]) if each is not None]
    return found


def _by_scenario(scenarios: Mapping[str, Any]) -> dict[str, Any]:
    """Lines of scenarios, each behind the name of its own where they have names."""
    found: dict[str, Any] = {}
    for name, lines in scenarios.items():
        if isinstance(lines, (str, int, float)):
            found[name] = lines
            continue
        if {"|", "="} & set(name):
            raise BadSpec(f"the scenario is called {name!r}; a name without '|' and '=' is right")
        for each in [lines] if isinstance(lines, Mapping) else lines:
            for pattern, shock in each.items():
                found.setdefault(f"{name}|{pattern}", []).append(shock)
    return found


def _lines(name: str, lines: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, f"{key}={value}")
        for key, values in lines.items()
        for value in (values if isinstance(values, (list, tuple)) else [values])
    ]
