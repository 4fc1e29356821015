"""Every market object in every state: the snapshot, and the snapshot shifted by each scenario of a set."""

from __future__ import annotations

import copy

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.conventions import tenor_years
from riskgrid.errors import BadMarket, BadScenarios, UnknownName
from riskgrid.hashing import digest
from riskgrid.market.bootstrap import calibrate
from riskgrid.market.curves import curve_panel
from riskgrid.market.factor import curve_nodes
from riskgrid.market.objects import Curve, Fixings, Holidays, Level, MarketObject, Prices, RateIndex, Surface
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.terms import Values

__all__ = ["MarketStates"]

#: Share of shifts that move a level up to which they are looked up one by one.
_FEW = 0.05

_LEVELS = ("fx", "equity", "dividend", "spread")
_BUILDERS = {
    "commodity": "_prices",
    "curve": "_curve",
    "discount": "_discount",
    "vol": "_surface",
    "index": "_index",
    "fixing": "_fixings",
    "calendar": "_calendar",
}


class MarketStates:
    """Market objects by role (``equity:AAPL``, ``discount:USD``, ``vol:EURUSD``) in all states; state 0 is the base.

    Objects are built when first asked for. A role the market does not have answers None; a shift that names nothing in
    the market, or one curve shifted in par and in zero space in one scenario, is a BadScenarios at once.
    """

    def __init__(self, snapshot: MarketSnapshot, scenarios: xr.Dataset) -> None:
        self.snapshot = snapshot
        self.count = 1 + scenarios.sizes["scenario"]
        self._factors = {factor: row for row, factor in enumerate(snapshot.factors)}
        self._factors_by_role: dict[str, list[str]] = {}
        self._objects: dict[str, MarketObject | None] = {}
        self._digests: dict[tuple[str, bytes], bytes] = {}
        self._moves: dict[str, NDArray[np.bool_]] = {}
        self._kept: dict[bytes, NDArray[np.intp]] = {}
        self.dates = self._state_dates(scenarios)
        self._zero_shifts: dict[str, tuple[Values, Values]] = {}
        self._shifts = _by_factor(scenarios)
        self._levels = self._shifted(scenarios)
        self._replaced: dict[int, Values] = {}
        self._unshocked = _flagged(scenarios, "unshocked")
        self._unshocked_by_role: dict[str, tuple[str, ...]] = {}  # of any levels
        self._stale = _stale_by_factor(scenarios)

    def __getitem__(self, role: str) -> MarketObject | None:
        if role not in self._objects:
            family, _, name = role.partition(":")
            if family in _LEVELS:
                self._objects[role] = self._level(family, name)
            else:
                self._objects[role] = getattr(self, _BUILDERS[family])(name)
        return self._objects[role]

    def replaced(self, snapshot: MarketSnapshot) -> tuple[MarketStates, set[str]]:
        """The states of a snapshot that differs in levels alone, and the roles that the difference reaches.

        What it does not reach is shared with these states. A scenario shifts a changed level as it did the old one.
        """
        changed = np.flatnonzero(snapshot.levels != self.snapshot.levels)
        factors = [snapshot.factors[row] for row in changed.tolist()]
        reached = {role for factor in factors for role in self._roles_of(factor)}
        made = copy.copy(self)
        made.snapshot = snapshot
        made._objects = {role: found for role, found in self._objects.items() if role not in reached}
        made._digests = {key: found for key, found in self._digests.items() if key[0] not in reached}
        made._moves = {role: found for role, found in self._moves.items() if role not in reached}
        made._replaced = dict(self._replaced)
        for row, factor in zip(changed.tolist(), factors, strict=True):
            level = np.full(self.count, snapshot.levels[row])
            made._replaced[row] = level
            if factor in self._shifts:
                scale, offset = self._shifts[factor]
                level[1:] = np.where((scale == 1.0) & (offset == 0.0), level[1:], scale * level[1:] + offset)
        return made, reached

    def known(self, family: str) -> list[str]:
        """Roles of a family that have an answer, for error sentences."""
        conventions = self.snapshot.conventions
        section = {"discount": "discount", "curve": "curves", "index": "indices", "calendar": "calendars"}.get(family)
        if section:
            return [f"{family}:{name}" for name in conventions[section]]
        names = {factor.split(":")[1] for factor in self._factors if factor.startswith(f"{family}:")}
        return sorted(f"{family}:{name}" for name in names)

    def moves(self, role: str) -> NDArray[np.bool_]:
        """In which states the object, or the date, differs from the base. Shape (state,)."""
        if role not in self._moves:
            found = self[role]
            self._moves[role] = np.zeros(self.count, np.bool_) if found is None else found.moves(self.count)
        return self._moves[role]

    def kept(self, moved: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Numbers of these states, the same array for all who ask for the same ones: a plan has as many as blocks.

        moved : (state,).
        """
        key = moved.tobytes()
        if key not in self._kept:
            self._kept[key] = np.flatnonzero(moved)
            self._kept[key].flags.writeable = False
        return self._kept[key]

    def digest(self, role: str, states: NDArray[np.intp]) -> bytes:
        """Digest of all that the role says in these states, absence included."""
        every = len(states) == self.count
        key = (role, b"" if every else states.tobytes())
        if key not in self._digests:
            found = self[role]
            self._digests[key] = digest(
                role, None if found is None else (found if every else found.take(states)).digest()
            )
        return self._digests[key]

    def unshocked_factors(self, role: str) -> tuple[str, ...]:
        """Factors of the object that have neither history nor proxy in the scenario set."""
        if not self._unshocked:
            return ()
        if role not in self._unshocked_by_role:
            found = tuple(factor for factor in self._factors_of(role) if factor in self._unshocked)
            self._unshocked_by_role[role] = found
        return self._unshocked_by_role[role]

    def stale(self, role: str) -> NDArray[np.bool_]:
        """In which scenarios a factor of the object did not move because its quote was filled. Shape (scenario,)."""
        if not self._stale:
            return np.zeros(self.count - 1, np.bool_)
        rows = [self._stale[factor] for factor in self._factors_of(role) if factor in self._stale]
        return np.any(rows, axis=0) if rows else np.zeros(self.count - 1, np.bool_)

    def _factors_of(self, role: str) -> list[str]:
        if not self._factors_by_role:
            for factor in self._factors:
                for reached in self._roles_of(factor):
                    self._factors_by_role.setdefault(reached, []).append(factor)
        return self._factors_by_role.get(role, [])

    def _roles_of(self, factor: str) -> set[str]:
        parts = factor.split(":")
        roles = {":".join(parts[:count]) for count in range(2, len(parts) + 1)}
        if parts[0] in ("par", "zero"):
            discounts = self.snapshot.conventions["discount"].items()
            roles |= {f"curve:{parts[1]}", *(f"discount:{name}" for name, curve in discounts if curve == parts[1])}
        return roles

    def _state_dates(self, scenarios: xr.Dataset) -> NDArray[np.datetime64]:
        base = np.array([self.snapshot.date], dtype="datetime64[D]")
        if "date" not in scenarios:
            return np.repeat(base, self.count)
        dates = scenarios["date"].values.astype("datetime64[D]")
        dates = np.where(np.isnat(dates), base, dates)
        if (dates < base).any():
            raise BadScenarios(f"scenario dates before the valuation date {base[0]}; a state lies on it or later")
        return np.concatenate([base, dates])

    def _shifted(self, scenarios: xr.Dataset) -> Values:
        levels = np.repeat(self.snapshot.levels.reshape(-1, 1), self.count, axis=1)
        place = np.array([self._factors.get(factor, -1) for factor in self._shifts], np.intp)
        for factor, row in zip(self._shifts, place.tolist(), strict=True):
            if row < 0:
                self._keep_zero_shift(factor, *self._shifts[factor])
        scale, offset = (scenarios[name].transpose("scenario", "factor").values for name in ("scale", "offset"))
        moved = ((scale != 1.0) | (offset != 0.0)) & (place >= 0)
        if moved.sum() < _FEW * moved.size:  # of a ladder hardly a shift moves anything: only those are looked at
            state, column = np.nonzero(moved)
            row = place[column]
            levels[row, 1 + state] = scale[moved] * levels[row, 0] + offset[moved]
        else:
            known, base = place >= 0, levels[np.maximum(place, 0), 0]
            made = np.where(moved, scale * base + offset, base).T
            levels[place[known], 1:] = made if known.all() else made[known]
        self._refuse_mixed_shifts(scenarios)
        return levels

    def _keep_zero_shift(self, factor: str, scale: Values, offset: Values) -> None:
        kind, _, rest = factor.partition(":")
        if kind != "zero" or f"par:{rest}" not in self._factors:
            raise BadScenarios(f"the scenario set shifts {UnknownName('factor', factor, self._factors)}")
        self._zero_shifts[factor] = (scale, offset)

    def _refuse_mixed_shifts(self, scenarios: xr.Dataset) -> None:
        for curve in {factor.split(":")[1] for factor in self._zero_shifts}:
            by_space = np.zeros((2, self.count - 1), np.bool_)
            for space, kind in enumerate(("par", "zero")):
                for factor, (scale, offset) in self._shifts.items():
                    if factor.startswith(f"{kind}:{curve}:"):
                        by_space[space] |= (scale != 1.0) | (offset != 0.0)
            both = np.flatnonzero(by_space[0] & by_space[1])
            if len(both):
                label = scenarios["scenario"].values[both[0]]
                raise BadScenarios(
                    f"scenario '{label}' shifts curve '{curve}' in par and in zero space; one scenario shifts it in one"
                )

    def _rows(self, factors: tuple[str, ...]) -> Values:
        rows = [self._factors[factor] for factor in factors]
        levels = self._levels[rows]
        for at, row in enumerate(rows):
            if row in self._replaced:
                levels[at] = self._replaced[row]
        return np.ascontiguousarray(levels)

    def _level(self, family: str, name: str) -> MarketObject | None:
        factor = f"{family}:{name}"
        return Level(self._rows((factor,))) if factor in self._factors else None

    def _prices(self, name: str) -> MarketObject | None:
        factors, times = curve_nodes("commodity", name, self._factors)
        return Prices(times, self._rows(factors)) if factors else None

    def _discount(self, name: str) -> MarketObject | None:
        curve = self.snapshot.conventions["discount"].get(name)
        return None if curve is None else self[f"curve:{curve}"]

    def _curve(self, name: str) -> MarketObject | None:
        how = self.snapshot.conventions["curves"].get(name)
        if how is None:
            return None
        factors, times = curve_nodes(how["quotes"], name, self._factors)
        if not factors:
            return None
        zeros = self._calibrated(times, self._rows(factors), how)
        for row, factor in enumerate(factors):
            shift = self._zero_shifts.get("zero" + factor.removeprefix("par"))
            if shift is not None:
                scale, offset = shift
                unmoved = (scale == 1.0) & (offset == 0.0)
                zeros[row, 1:] = np.where(unmoved, zeros[row, 1:], scale * zeros[row, 1:] + offset)
        panel = curve_panel(times, zeros, how["interpolation"])
        return Curve(times, panel, how["interpolation"], how["extrapolation"])

    def _calibrated(self, times: Values, quotes: Values, how: dict[str, object]) -> Values:
        # most states of a ladder leave a curve alone: only distinct quotes are calibrated
        moved = np.flatnonzero((quotes != quotes[:, :1]).any(axis=0))
        zeros = calibrate(times, quotes[:, np.append(0, moved)], how)
        full = np.repeat(zeros[:, :1], quotes.shape[1], axis=1)
        full[:, moved] = zeros[:, 1:]
        return full

    def _surface(self, name: str) -> MarketObject | None:
        prefix = f"vol:{name}:"
        nodes = [factor[len(prefix) :].split(":") for factor in self._factors if factor.startswith(prefix)]
        if not nodes:
            return None
        expiries = sorted({expiry for expiry, _ in nodes}, key=tenor_years)
        strikes = sorted({strike for _, strike in nodes}, key=float)
        factors = tuple(f"{prefix}{expiry}:{strike}" for expiry in expiries for strike in strikes)
        holes = [factor for factor in factors if factor not in self._factors]
        if holes:
            raise BadMarket(f"surface 'vol:{name}' has no {holes[0]!r}; every expiry needs the same moneynesses")
        vols = self._rows(factors)
        times = np.array([tenor_years(expiry) for expiry in expiries])
        rules = self.snapshot.conventions["surfaces"]
        sticky = rules.get(name, rules["default"])["sticky"]
        # a scenario can push a volatility below zero: no value there, and it says so
        variance = np.where(vols >= 0.0, vols * vols, np.nan)
        return Surface(times, np.array([float(strike) for strike in strikes]), variance, sticky)

    def _index(self, name: str) -> MarketObject | None:
        how = self.snapshot.conventions["indices"].get(name)
        return None if how is None else RateIndex(**how)

    def _fixings(self, name: str) -> MarketObject | None:
        series = self.snapshot.fixings.get(name)
        return None if series is None or not len(series.dates) else Fixings(series.dates, series.values)

    def _calendar(self, name: str) -> MarketObject | None:
        if name == "weekends":
            return Holidays(np.array([], dtype="datetime64[D]"))
        days = self.snapshot.conventions["calendars"].get(name)
        return None if days is None else Holidays(np.array(list(days), dtype="datetime64[D]"))


def _by_factor(scenarios: xr.Dataset) -> dict[str, tuple[Values, Values]]:
    scale = scenarios["scale"].transpose("factor", "scenario").values
    offset = scenarios["offset"].transpose("factor", "scenario").values
    return {str(factor): (scale[row], offset[row]) for row, factor in enumerate(scenarios["factor"].values)}


def _flagged(scenarios: xr.Dataset, name: str) -> frozenset[str]:
    if name not in scenarios.coords and name not in scenarios:
        return frozenset()
    return frozenset(map(str, scenarios["factor"].values[scenarios[name].values.astype(bool)]))


def _stale_by_factor(scenarios: xr.Dataset) -> dict[str, NDArray[np.bool_]]:
    if "stale" not in scenarios:
        return {}
    stale = scenarios["stale"].transpose("factor", "scenario").values.astype(bool)
    return {str(name): stale[row] for row, name in enumerate(scenarios["factor"].values) if stale[row].any()}
