"""Two results side by side: what became faster, what became slower, and what is noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Changes below this share are never called a regression.
LEAST_BAND = 0.10


@dataclass(frozen=True)
class Line:
    """One figure in both results. change, band : shares of the old figure.   verdict : one word, "" for noise."""

    id: str
    new: float | None
    old: float | None
    unit: str
    change: float | None
    band: float | None
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """lines : in the order of the new result, then what is gone.   remarks : sentences to read first."""

    lines: tuple[Line, ...]
    remarks: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Line, ...]:
        """Figures that are worse by more than their band."""
        return tuple(line for line in self.lines if line.verdict == "REGRESSION")


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> Comparison:
    """Compare two results as ``--json`` writes them.

    A figure is worse where it lost more than its noise band: three times the joint spread of the rounds in both
    results (median absolute deviation, scaled to a standard deviation, over the median), at least 10 %. Ratios are
    judged across machines, seconds and bytes only on the same one; nothing is judged where only one result is quick.
    """
    remarks = []
    same_machine = _where(old) == _where(new)
    if not same_machine:
        remarks.append(
            f"The machines differ (then {_told(old)}; now {_told(new)}): ratios are judged, absolute figures are not."
        )
    same_work = bool(old.get("quick")) == bool(new.get("quick"))
    if not same_work:
        remarks.append("Only one of the two results is of --quick: they answer other questions, nothing is judged.")
    before = {figure["id"]: figure for figure in old["figures"]}
    now = {figure["id"]: figure for figure in new["figures"]}
    lines = []
    for name, figure in now.items():
        judged = same_work and (same_machine or figure["ratio"] is not None)
        lines.append(_line(name, before.get(name), figure, judged=judged))
    lines += [_line(name, figure, None, judged=False) for name, figure in before.items() if name not in now]
    return Comparison(tuple(lines), tuple(remarks))


def _line(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, *, judged: bool) -> Line:
    unit = _unit(new or old or {})
    if old is None or new is None:
        verdict = "new" if old is None else "gone"
        return Line(name, new and _judged(new), old and _judged(old), unit, None, None, verdict)
    before, after = _judged(old), _judged(new)
    change = after / before - 1.0 if before else math.inf
    band = max(LEAST_BAND, 3.0 * math.hypot(_spread(old["rounds"]), _spread(new["rounds"])))
    # a slowdown by a factor weighs the same whether seconds rise or rates fall
    loss = (after / before if new["lower_wins"] else before / after) - 1.0 if before and after else 0.0
    verdict = ""
    if judged and (_unit(old) == unit):
        verdict = "REGRESSION" if loss > band else "better" if 1.0 / (1.0 + loss) - 1.0 > band else ""
    return Line(name, after, before, unit, change, band, verdict)


def _judged(figure: Mapping[str, Any]) -> float:
    return float(figure["value"] if figure["ratio"] is None else figure["ratio"])


def _unit(figure: Mapping[str, Any]) -> str:
    return str(figure["unit"]) if figure["ratio"] is None else "x"


def _spread(rounds: Sequence[float]) -> float:
    if len(rounds) < 2:
        return 0.0
    middle = statistics.median(rounds)
    return 1.4826 * statistics.median(abs(one - middle) for one in rounds) / abs(middle) if middle else 0.0


def _where(result: Mapping[str, Any]) -> tuple[Any, ...]:
    return result["machine"].get("cores"), result["machine"].get("processor")


def _told(result: Mapping[str, Any]) -> str:
    cores, processor = _where(result)
    return f"{cores} cores of {processor}"
