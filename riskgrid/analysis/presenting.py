"""The chapters that a risk report can have beside its table: each revalues the run for what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from riskgrid.analysis.bumping import sensitivities
from riskgrid.analysis.contributing import contributions
from riskgrid.analysis.decomposing import risk_classes
from riskgrid.analysis.stressing import stress_report
from riskgrid.analysis.tracing import tail_view
from riskgrid.errors import UnknownName
from riskgrid.page import Shown
from riskgrid.result import Run

__all__ = ["CHAPTERS", "chapters"]

type _Make = Callable[[Run, Sequence[str], Mapping[str, Any] | None, Mapping[str, Any]], Shown]


def _contributions(run: Run, by: Sequence[str], where: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> Shown:
    return contributions(run, by, where=where, **measures)


def _classes(run: Run, by: Sequence[str], where: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> Shown:
    return risk_classes(run, by, where=where, **measures)


def _tail(run: Run, by: Sequence[str], where: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> Shown:
    del by  # a tail is of the whole
    convention = {name.removeprefix("es_"): value for name, value in measures.items() if name.startswith("es_")}
    return tail_view(run, where=where, **convention)


def _bumps(run: Run, by: Sequence[str], where: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> Shown:
    del measures  # a sensitivity is of no tail
    return sensitivities(run, by, where)


def _stress(run: Run, by: Sequence[str], where: Mapping[str, Any] | None, measures: Mapping[str, Any]) -> Shown:
    del measures  # a stress has no level
    return stress_report(run, by=by, where=where)


#: Chapter to what makes it.
CHAPTERS: dict[str, _Make] = {
    "classes": _classes,
    "contributions": _contributions,
    "sensitivities": _bumps,
    "stress": _stress,
    "tail": _tail,
}


def chapters(
    run: Run,
    names: Sequence[str],
    by: Sequence[str] = (),
    *,
    where: Mapping[str, Any] | None = None,
    **measures: Any,
) -> list[Shown]:
    """The named chapters of a run, for ``report(run).to_html(also=...)``. UnknownName for another.

    measures : levels and methods as :func:`riskgrid.reporting.report` has them.
    """
    for name in names:
        if name not in CHAPTERS:
            raise UnknownName("chapter", name, CHAPTERS)
    return [CHAPTERS[name](run, by, where, measures) for name in dict.fromkeys(names)]
