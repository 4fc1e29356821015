"""Stress scenarios written by hand: named lists of ``pattern: shock``, in YAML or as a mapping.

A shock is a text::

    -20%   x1.5          relative: the level times 0.8, times 1.5; it stays positive
    +50bp  +0.01  +1%p   absolute, in basis points, in the factor's unit, in percentage points
    +3vol                absolute, in volatility points; of volatilities only
    =0.02  =2%  =200bp   the new level

Moves carry their sign; a number of YAML, which has lost it, is an absolute move. A pattern names factors as a shell
does files, ``zero:CURVE:*`` the zero rates of a par-quoted curve too. A later line of a scenario replaces an earlier
one for the factors that both name, so the general lines stand first::

    oil shock:
      - "equity:*": -10%
      - "equity:XOM": -25%
      - "commodity:WTI:*": -40%
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
import yaml

from riskgrid.errors import BadScenarios, UnknownName
from riskgrid.registry import scenario_set
from riskgrid.scenarios.set import shiftable, shifts, targets

if TYPE_CHECKING:
    from riskgrid.market.snapshot import MarketSnapshot

__all__ = ["parse_shock", "read_shocks", "read_yaml", "stress"]

type Lines = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d+))?"
_SHOCK = re.compile(rf"([+\-x=])\s*(-?)\s*{_NUMBER}\s*(%p|%|bp|vol)?")
_UNIT = {"": 1.0, "%": 100.0, "%p": 100.0, "bp": 10_000.0, "vol": 100.0}


@scenario_set("stress")
def stress(shocks: Path | str | Mapping[str, Lines], market: MarketSnapshot) -> xr.Dataset:
    """One scenario per name, over the factors that any of them shifts.

    shocks : a file, a YAML text, or scenario name -> lines; a text of one line that ends in ``.yaml`` or ``.yml`` names
    a file. The module says how a line is written. BadScenarios lists every line that matches no factor or cannot be
    read.
    """
    named = _read(shocks)
    problems: list[str] = []
    rows = {name: _row(name, lines, market, problems) for name, lines in named.items()}
    if problems:
        raise BadScenarios("\n".join(problems))
    factors = sorted({factor for row in rows.values() for factor in row})
    scale, offset = np.ones((len(rows), len(factors))), np.zeros((len(rows), len(factors)))
    place = {factor: i for i, factor in enumerate(factors)}
    for at, row in enumerate(rows.values()):
        for factor, shift in row.items():
            scale[at, place[factor]], offset[at, place[factor]] = shift
    facts = {"kind": "stress", "shocks": {name: [list(line) for line in _lines(name, named[name])] for name in named}}
    return shifts(list(rows), factors, scale, offset, name="stress", kind="stress", provenance=facts)


def read_shocks(shocks: Path | str | Mapping[str, Lines]) -> dict[str, list[tuple[str, str | float]]]:
    """Scenario name to (pattern, shock) line by line, as they are written.  BadScenarios where they are none."""
    return {name: _lines(name, lines) for name, lines in _read(shocks).items()}


def parse_shock(text: str | float, *, volatility: bool = False) -> tuple[float, float]:
    """Scale and offset of a shock; BadScenarios where it is none. ``volatility`` allows the unit ``vol``.

    >>> parse_shock("-20%"), parse_shock("+50bp"), parse_shock("x1.5"), parse_shock("=2%")
    ((0.8, 0.0), (1.0, 0.005), (1.5, 0.0), (0.0, 0.02))
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool) and math.isfinite(text):
        return 1.0, float(text)
    found = _SHOCK.fullmatch(str(text).strip())
    if found is None:
        raise BadScenarios(f"shock {text!r} cannot be read; right is e.g. -20%, +50bp, +3vol, x1.5, =0.02 or +0.01")
    sign, minus, number, exponent, unit = found.groups(default="")
    if minus and sign != "=":
        raise BadScenarios(f"shock {text!r} has two signs; one is right")
    if unit == "vol" and not volatility:
        raise BadScenarios(f"shock {text!r} is in volatility points; right is a vol factor, or another unit")
    value = float(f"{minus}{number}e{exponent or 0}") / _UNIT[unit]
    if sign == "=":
        return 0.0, value
    if sign == "x" or unit == "%":
        scale = value if sign == "x" else round(1.0 + (value if sign == "+" else -value), 15)
        if not scale > 0 or (sign == "x" and unit):
            raise BadScenarios(f"shock {text!r} takes a level to zero or below; right is a positive multiple, or =0")
        return scale, 0.0
    return 1.0, value if sign == "+" else -value


def read_yaml(text: str) -> Any:
    """YAML as plain data; BadScenarios where a key stands twice, which YAML readers let pass."""
    try:
        return yaml.load(text, _Strict)
    except yaml.YAMLError as error:
        raise BadScenarios(f"the scenarios are no YAML: {error}") from None


class _Strict(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = [key for key in keys if keys.count(key) > 1]
        if twice:
            raise BadScenarios(f"{twice[0]!r} stands twice in line {node.start_mark.line + 1} and on; once is right")
        return super().construct_mapping(node, deep)


def _read(shocks: Path | str | Mapping[str, Lines]) -> Mapping[str, Lines]:
    if isinstance(shocks, str) and shocks.endswith((".yaml", ".yml")) and "\n" not in shocks:
        shocks = Path(shocks)
    place = f"{shocks}: " if isinstance(shocks, Path) else ""
    try:
        text = _text(shocks) if isinstance(shocks, Path) else shocks
        named = read_yaml(text) if isinstance(text, str) else text
    except BadScenarios as error:
        raise BadScenarios(f"{place}{error}") from None
    if not isinstance(named, Mapping) or not named:
        what = "there are none" if not named else f"a {type(named).__name__} is none"
        raise BadScenarios(
            f"{place}stress scenarios are a mapping of scenario name to lines of 'pattern: shock'; {what}"
        )
    return {str(name): lines for name, lines in named.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadScenarios("there is no such file; right is the path of stress scenarios in YAML") from None
    except UnicodeDecodeError as error:
        raise BadScenarios(f"the file is not UTF-8 at byte {error.start}; right is YAML in UTF-8") from None
    except OSError as error:
        raise BadScenarios(f"the file cannot be read, {error.strerror}") from None


def _lines(name: str, lines: Any) -> list[tuple[str, str | float]]:
    groups = [lines] if isinstance(lines, Mapping) else lines
    if not isinstance(groups, Sequence) or isinstance(groups, str) or not all(isinstance(g, Mapping) for g in groups):
        raise BadScenarios(f"scenario '{name}': {lines!r} is no list of 'pattern: shock' lines")
    return [(str(pattern), shock) for group in groups for pattern, shock in group.items()]


def _row(name: str, lines: Lines, market: MarketSnapshot, problems: list[str]) -> dict[str, tuple[float, float]]:
    row: dict[str, tuple[float, float]] = {}
    for pattern, shock in _lines(name, lines):
        found = targets(pattern, market)
        if not found:
            problems.append(f"scenario '{name}': {UnknownName('factor', pattern, shiftable(market))}")
        try:
            row |= {factor: parse_shock(shock, volatility=factor.startswith("vol:")) for factor in found}
            _refuse_sunk(row, found, market)
        except BadScenarios as error:
            problems.append(f"scenario '{name}', '{pattern}': {error}")
    return row


def _refuse_sunk(row: Mapping[str, tuple[float, float]], factors: Sequence[str], market: MarketSnapshot) -> None:
    """BadScenarios for a shock that takes a share or a currency to zero or below, or a volatility below zero."""
    known = set(market.factors)
    for factor in factors:
        kind = factor.partition(":")[0]
        if kind not in ("equity", "fx", "vol") or factor not in known:
            continue
        scale, offset = row[factor]
        level = market.level(factor)
        moved = scale * level + offset
        if level > 0.0 and (moved < 0.0 or (moved == 0.0 and kind != "vol")):
            right = "a smaller shock, or a relative one such as -20%," if kind != "vol" else "a smaller shock"
            raise BadScenarios(f"it takes '{factor}' from {level:g} to {moved:g}; {right} is right")
