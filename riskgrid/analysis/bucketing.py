"""Sensitivities of one node by curve, surface, issuer and name: only numbers of one bump are ever added."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid import charts
from riskgrid.measures.bucket import bucket
from riskgrid.page import Column, Row, Section, money

__all__ = ["apart", "bucketed", "sizes_of"]

_MOST_NAMES = 25

_GREEKS = ("delta", "gamma")

#: Trees below the rates and the vega: title, kinds of factors, what its rows are.
_TREES = (
    ("Credit by issuer", ("spread", "hazard"), "name / tenor"),
    ("Commodities by tenor", ("commodity",), "name / tenor"),
    ("Equities by name", ("equity",), "name"),
    ("Dividends by name", ("dividend",), "name"),
    ("Currencies", ("fx",), "name"),
)

_NOT_ADDED = "Every row stands under its own bump: P&L of different bumps is not added."


def bucketed(total: xr.Dataset, said: Sequence[str]) -> Iterator[Section]:
    """Rates by tenor, vega by expiry and moneyness, credit, commodities and names; of what moves.

    total : delta and gamma (factor,).   said : sentences that stand below every table.
    """
    yield from _rates(total, said)
    yield from _vega(total, said)
    for title, kinds, names in _TREES:
        own = _moving(total, kinds)
        if own is not None:
            own, left = _largest(own)
            told = [f"The {_MOST_NAMES} largest; {left:,} more are in the table of the result."] if left else []
            yield _tree(own, title, names, "Delta", [*told, *said])


def sizes_of(of: Any) -> list[str]:
    """The bump of each factor, e.g. ``+1 bp``."""
    return [
        f"+{size:g} {unit}" for size, unit in zip(of["bump"].values.tolist(), of["unit"].values.tolist(), strict=True)
    ]


def apart(own: Any) -> list[tuple[str, NDArray[np.bool_]]]:
    """The factors whose deltas may stand in one column: all, or a kind at a time where a name is bumped in several.

    A curve bumped in quotes and in zero rates is moved twice: each space has its own numbers. Names what to add to
    the head, and the places (factor,).
    """
    kinds = own["kind"].values
    if not _several_kinds(own):
        return [("", np.ones(len(kinds), np.bool_))]
    return [(f" ({kind})", kinds == kind) for kind in dict.fromkeys(kinds.tolist())]


def _several_kinds(own: Any) -> set[str]:
    """Names with factors of more than one kind: of a curve both spaces."""
    pairs = sorted(set(zip(own["name"].values.tolist(), own["kind"].values.tolist(), strict=True)))
    return {name for (name, _), (following, _) in itertools.pairwise(pairs) if name == following}


def _moving(total: xr.Dataset, kinds: Sequence[str]) -> xr.Dataset | None:
    own = total.isel(factor=np.isin(total["kind"].values, kinds))
    return own if own["delta"].values.any() or own["gamma"].values.any() else None


def _largest(own: xr.Dataset) -> tuple[xr.Dataset, int]:
    """The factors of the names whose deltas are largest, and how many names are left out."""
    names, at = np.unique(own["name"].values, return_inverse=True)
    if len(names) <= _MOST_NAMES:
        return own, 0
    reach = np.zeros(len(names))
    np.fmax.at(reach, at, np.abs(own["delta"].values))
    kept = np.argsort(-reach, kind="stable")[:_MOST_NAMES]
    return own.isel(factor=np.isin(at, kept)), len(names) - _MOST_NAMES


def _tree(own: xr.Dataset, title: str, names: str, head: str, said: Sequence[str], **drawn: Any) -> Section:
    """Names and below them their nodes; a column tells each row's bump where they differ."""
    sizes, currency = sizes_of(own), own.attrs["currency"]
    differ = len(set(sizes)) > 1
    unit = f"{currency} per bump" if differ else f"{currency} per {sizes[0]}"
    columns = [Column(head, unit), Column("Gamma", unit)]
    if differ:
        columns, said = [Column("Bump", "", "text"), *columns], [_NOT_ADDED, *said]
    rows = _grouped(own, sizes, differ=differ)
    return Section.of_tree(title, names, columns, rows, sentences=said, **drawn)


def _grouped(own: xr.Dataset, sizes: Sequence[str], *, differ: bool) -> Iterable[Row]:
    """A row a name, its sum where its nodes have one bump, and below it one a node where there are several."""
    twice = _several_kinds(own)
    kinds = own["kind"].values.tolist()
    names = [
        f"{name} ({kind})" if name in twice else name for name, kind in zip(own["name"].values, kinds, strict=True)
    ]
    places: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        places.setdefault(name, []).append(at)
    greeks = [own[greek].values for greek in _GREEKS]
    for name, found in places.items():
        one = len({sizes[at] for at in found}) == 1
        sums = [money(float(values[found].sum())) if one else "" for values in greeks]
        yield Row(name, [sizes[found[0]] if one else "several", *sums] if differ else sums)
        for at in found if len(found) > 1 else ():
            cells = [money(float(values[at])) for values in greeks]
            yield Row(str(own["tenor"].values[at]) or kinds[at], [sizes[at], *cells] if differ else cells, 1)


def _rates(total: xr.Dataset, said: Sequence[str]) -> Iterator[Section]:
    """Every curve with its tenors; the figure adds the curves by tenor."""
    own = _moving(total, ("par", "zero"))
    if own is None:
        return
    sizes = sizes_of(own)
    alike = len(set(sizes)) == 1 and not _several_kinds(own)

    def drawn() -> dict[str, Any]:
        title = "Rho by tenor, all curves"
        if not alike:
            return {title: "Curves are not added by tenor: their bumps differ, or are in two spaces of one curve."}
        along = bucket(own["delta"], by=("tenor",))
        unit = f"{total.attrs['currency']} per {sizes[0]}"
        return {title: charts.bars_along(along["tenor"].values.tolist(), along.values, unit)}

    told = f"{len(sizes)} nodes; a curve's row is the sum of its nodes' rows where they have one bump."
    yield _tree(own, "Rates by curve and tenor", "curve / tenor", "Rho", [told, *said], drawings=drawn)


def _vega(total: xr.Dataset, said: Sequence[str]) -> Iterator[Section]:
    """Vega of all surfaces together by expiry and moneyness, a table a size of bump."""
    own = _moving(total, ("vol",))
    if own is None:
        return
    sizes = np.array(sizes_of(own))
    every = list(dict.fromkeys(sizes.tolist()))
    for size in every:
        part = own.isel(factor=sizes == size)
        yield _vega_of(part, f"{total.attrs['currency']} per {size}", said, whole=len(every) == 1)


def _vega_of(own: xr.Dataset, unit: str, said: Sequence[str], *, whole: bool) -> Section:
    found = bucket(own["delta"], by=("tenor", "moneyness"))
    at = dict(zip(zip(found["tenor"].values, found["moneyness"].values, strict=True), found.values, strict=True))
    tenors = list(dict.fromkeys(found["tenor"].values.tolist()))
    across = sorted(set(found["moneyness"].values.tolist()), key=float)
    lines = [[at.get((tenor, moneyness)) for moneyness in across] for tenor in tenors]
    rows = [
        Row(tenor, ["" if value is None else money(float(value)) for value in line])
        for tenor, line in zip(tenors, lines, strict=True)
    ]

    def drawn() -> dict[str, Any]:
        values = np.array(lines, dtype=np.float64)
        return {"Vega": charts.heat_map(tenors, across, values, row_name="expiry", column_name="moneyness K/F")}

    names = len(set(own["name"].values.tolist()))
    which = f"All {names} surfaces" if whole else f"The nodes of {names} surface{'s' * (names > 1)} with this bump"
    told = f"{which} together, by expiry and by moneyness, strike over forward."
    columns = [Column(text) for text in across]
    title = f"Vega by expiry and moneyness, {unit}"
    return Section.of_tree(title, "expiry", columns, rows, sentences=[told, *said], drawings=drawn)
