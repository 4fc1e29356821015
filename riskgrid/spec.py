"""A run described in a YAML file: where its inputs are, and what is asked."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from riskgrid.analysis.presenting import CHAPTERS
from riskgrid.analysis.rolling import last_dates, roll
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec, InputError, UnknownName
from riskgrid.inputs import kept
from riskgrid.label import TradeLabels
from riskgrid.market.history import MarketHistory
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.measures.convention import ALIASES, METHODS, SHORTFALLS, known, tail_of
from riskgrid.portfolio import Portfolio
from riskgrid.question import Question, ask
from riskgrid.recipe import made_by
from riskgrid.registry import SCENARIO_SETS
from riskgrid.result import Run
from riskgrid.running import run
from riskgrid.scenarios import compose, file
from riskgrid.scenarios.weighting import age_weighted

__all__ = ["RunSpec", "read_spec"]

_KEYS = ("name", "portfolio", "on_bad", "history", "market", "date", "scenarios", "weights", "report", "run")
_RUN_KEYS = ("reporting", "cell_labels", "bits", "cut", "store", "cluster", "limits")
_LIMITS = ("seconds", "memory", "disk")
_REPORT_KEYS = ("by", "var_level", "es_level", "var_method", "es_method", "chapters", "html")


@dataclass(frozen=True)
class RunSpec:
    """Inputs, read and checked, options of ``run`` and ``report``.   html : where the page goes, None: nowhere.

    history : the market by date, None where there is only a snapshot.   snapshot : the market of a date of it.
    made : the scenario set of another snapshot, by the same recipe.
    """

    name: str
    portfolio: Portfolio
    market: MarketSnapshot
    scenarios: xr.Dataset
    run: Mapping[str, Any]
    report: Mapping[str, Any]
    html: Path | None
    history: MarketHistory | None = None
    snapshot: Callable[[np.datetime64], MarketSnapshot] | None = None
    made: Callable[[MarketSnapshot], xr.Dataset] | None = None

    def roll(self, name: str, *, days: int, until: str | None = None, **options: Any) -> list[Run]:
        """Roll the book through the last ``days`` up to the market's date, see :func:`riskgrid.analysis.rolling.roll`.

        until : another last date.

        BadSpec where there is no history, or scenarios are read and not made; they would not be of their dates.
        """
        if self.history is None or self.snapshot is None or self.made is None:
            raise BadSpec(
                f"'{self.name}' has one market or one scenario file; a book is rolled where the keys are 'history' and "
                "'scenarios' that are made of it, such as {historical: {count: 250}}"
            )
        dates = last_dates(self.history, days + 1, until or str(self.market.date))
        chosen = {**{key: value for key, value in self.run.items() if key != "limits"}, **options}
        return roll(self.portfolio, dates, self.snapshot, self.made, name=name, **chosen)

    def execute(self) -> Any:
        """Run it; returns the :class:`~riskgrid.running.Run`."""
        options = {**self.run, "limits": self.limits()}
        return run(self.portfolio, self.market, self.scenarios, name=self.name, **options)

    def question(self) -> Question:
        """What is asked, for a runner to answer."""
        options = {
            name: value for name, value in self.run.items() if name in ("reporting", "cell_labels", "bits", "cut")
        }
        return ask(self.portfolio, self.market, self.scenarios, **options)

    def limits(self) -> Limits | None:
        """What it may need, if that is limited."""
        return Limits(**self.run["limits"]) if self.run.get("limits") else None


def read_spec(path: Path | str) -> RunSpec:
    """Read a spec; paths in it are relative to its folder. BadSpec lists every unknown or missing key.

    ``portfolio`` : folder, or ``sample`` / ``{sample: {trades: 10000}}``.   ``market`` : folder of a snapshot, or
    ``history`` (folder) with ``date``, or ``sample`` with ``date``.   ``scenarios`` : a Parquet file, or a mapping of
    one or more registered scenario sets to their options, joined.   Each of the three also ``{kept: NAME}``, as
    :func:`riskgrid.inputs.keep` named it.   ``weights`` : ``{decay: 0.97}``, weights that fade with age.   ``on_bad`` :
    ``raise`` or ``keep``.
    """
    path = Path(path)
    raw = _load(path)
    problems = [f"unknown key '{key}'; known: {', '.join(_KEYS)}" for key in raw if key not in _KEYS]
    problems += [f"no key '{key}'" for key in ("portfolio", "scenarios") if key not in raw]
    options, wanted = raw.get("run") or {}, raw.get("report") or {}
    problems += _unknown(options, "run", _RUN_KEYS) + _unknown(wanted, "report", _REPORT_KEYS)
    if isinstance(wanted, Mapping):
        named = wanted.get("chapters") or []
        problems += [
            f"report.chapters: {UnknownName('chapter', str(name), CHAPTERS)}"
            for name in ([named] if isinstance(named, str) else named)
            if name not in CHAPTERS
        ]
    if isinstance(options, Mapping):
        problems += _unknown(options.get("limits") or {}, "run.limits", _LIMITS)
    if "market" not in raw and "history" not in raw:
        problems.append("no key 'market' and no key 'history'")
    if problems:
        raise BadSpec(f"{path}: " + "; ".join(problems))
    history, market = _market(raw, path.parent)
    portfolio = _kept(raw, "portfolio")
    portfolio = _portfolio(raw, path.parent) if portfolio is None else portfolio
    scenarios = _kept(raw, "scenarios")
    scenarios = _scenarios(raw["scenarios"], path, history, market) if scenarios is None else scenarios
    scenarios = _weighted(raw.get("weights"), scenarios, path)
    wanted = dict(wanted)
    _check_report(wanted, portfolio, path)
    html = wanted.pop("html", None)
    page = path.parent / html if html else None
    made = RunSpec(str(raw.get("name", path.stem)), portfolio, market, scenarios, dict(options), wanted, page)
    recipe = raw["scenarios"]
    if history is None or not (recipe == "sample" or (isinstance(recipe, Mapping) and set(recipe) != {"kept"})):
        return made
    snapshot = _snapshots(raw, history)
    return dataclasses.replace(
        made, history=history, snapshot=snapshot, made=lambda base: _scenarios(recipe, path, history, base)
    )


def _weighted(raw: Any, scenarios: xr.Dataset, path: Path) -> xr.Dataset:
    if raw is None:
        return scenarios
    if not isinstance(raw, Mapping) or set(raw) != {"decay"}:
        raise BadSpec(f"{path}: key 'weights' is {raw!r}; {{decay: 0.97}} is right")
    return age_weighted(scenarios, raw["decay"])


def _check_report(wanted: Mapping[str, Any], portfolio: Portfolio, path: Path) -> None:
    """BadSpec for labels, levels and methods that the report will refuse: before anything is priced."""
    labels = TradeLabels(lambda: portfolio)
    by = wanted.get("by", ())
    try:
        for label in [by] if isinstance(by, str) else by:
            if label not in labels:
                raise UnknownName("label", str(label), labels)
        for name in ("var_level", "es_level"):
            if name in wanted:
                tail_of(wanted[name])
        known(str(wanted.get("var_method", METHODS[0])), METHODS, ALIASES)
        known(str(wanted.get("es_method", SHORTFALLS[0])), SHORTFALLS, {})
    except InputError as error:
        raise BadSpec(f"{path}: report: {error}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadSpec(f"no file {path}; a run is described in a YAML file with portfolio, market, scenarios") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadSpec(f"{path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise BadSpec(f"{path}: holds no mapping; portfolio, market and scenarios are right")
    return raw


def _unknown(options: Any, place: str, known: tuple[str, ...]) -> list[str]:
    if not isinstance(options, Mapping):
        return [f"key '{place}' is {options!r}; a mapping with {', '.join(known)} is right"]
    return [f"unknown key '{place}.{key}'; known: {', '.join(known)}" for key in options if key not in known]


def _kept(raw: Mapping[str, Any], key: str) -> Any:
    """The input that was kept under a name, as in ``portfolio: {kept: NAME}``; None where the spec says another."""
    where = raw.get(key)
    if not (isinstance(where, Mapping) and set(where) == {"kept"}):
        return None
    return kept(key, str(where["kept"]), store=(raw.get("run") or {}).get("store"))


def _market(raw: Mapping[str, Any], folder: Path) -> tuple[MarketHistory | None, MarketSnapshot]:
    date = str(raw.get("date", ""))
    if "sample" in (raw.get("market"), raw.get("history")):
        from riskgrid import sample

        return sample.history(), sample.market(date or "2016-07-01")
    history = MarketHistory.read(folder / str(raw["history"])) if "history" in raw else None
    if "market" in raw:
        return history, _kept(raw, "market") or MarketSnapshot.read(folder / str(raw["market"]))
    if not date or history is None:
        raise BadSpec("key 'history' without 'date'; the valuation date is right, e.g. 2016-07-01")
    try:
        day = np.datetime64(date, "D")
    except ValueError:
        raise BadSpec(f"key 'date' is {date!r}; a date such as 2016-07-01 is right") from None
    return history, history.snapshot(day)


def _snapshots(raw: Mapping[str, Any], history: MarketHistory) -> Callable[[np.datetime64], MarketSnapshot]:
    if "sample" in (raw.get("market"), raw.get("history")):
        from riskgrid import sample

        return sample.market
    return history.snapshot


def _portfolio(raw: Mapping[str, Any], folder: Path) -> Portfolio:
    where = raw["portfolio"]
    if where == "sample" or (isinstance(where, Mapping) and "sample" in where):
        from riskgrid import sample

        options = dict(where["sample"] or {}) if isinstance(where, Mapping) else {}
        try:
            return sample.portfolio(**options)
        except TypeError as error:
            raise BadSpec(f"key 'portfolio.sample' is {options}; {{trades: 1000}} is right ({error})") from None
    on_bad = raw.get("on_bad", "raise")
    if on_bad not in ("raise", "keep"):
        raise BadSpec(f"key 'on_bad' is {on_bad!r}; 'raise' or 'keep' is right")
    return Portfolio.read(folder / str(where), on_bad=on_bad)


def _scenarios(raw: Any, path: Path, history: MarketHistory | None, market: MarketSnapshot) -> xr.Dataset:
    if isinstance(raw, str) and raw == "sample":
        from riskgrid import sample

        return sample.scenarios(market.date, market=market)
    if isinstance(raw, str):
        return file.read(path.parent / raw)
    if not isinstance(raw, Mapping) or not raw:
        raise BadSpec(f"{path}: key 'scenarios' is {raw!r}; a Parquet file or a mapping of scenario sets is right")
    for name, options in raw.items():
        if not isinstance(options, (Mapping, type(None))):
            raise BadSpec(f"{path}: scenario set '{name}' is {options!r}; a mapping of its options is right")
    made = [_scenario_set(name, dict(options or {}), path, history, market) for name, options in raw.items()]
    return made[0] if len(made) == 1 else compose.concatenate(made)


def _scenario_set(
    name: str, options: dict[str, Any], path: Path, history: MarketHistory | None, market: MarketSnapshot
) -> xr.Dataset:
    make = SCENARIO_SETS[name]
    given: dict[str, Any] = {}
    if "file" in options:
        given[next(iter(inspect.signature(make).parameters))] = path.parent / str(options.pop("file"))
    try:
        return made_by(name, options, market, history, **given)
    except BadSpec as error:
        raise BadSpec(f"{path}: {error}") from error
