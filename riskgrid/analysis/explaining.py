"""Why a portfolio is worth more or less than before: P&L between two runs, trade by trade, in pieces that add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from riskgrid.analysis import account
from riskgrid.analysis.attribution import Attribution
from riskgrid.analysis.differing import Difference, diff
from riskgrid.analysis.estimating import estimate
from riskgrid.analysis.parting import Parted
from riskgrid.analysis.revaluing import Frames
from riskgrid.errors import BadSpec
from riskgrid.manifest import by_this_code
from riskgrid.measures import explain as piece
from riskgrid.page import Section, Shown
from riskgrid.result import Run
from riskgrid.scenarios import set as scenario_set
from riskgrid.scenarios import steps
from riskgrid.scenarios.group import OTHER

__all__ = ["Explained", "explain"]

_MOST = 8  # trades and factors named in a sentence


@dataclass(frozen=True, repr=False)
class Explained(Shown):
    """P&L between two runs. ``attribution`` : its pieces by trade; ``settled`` (trade,) ticks, the cash among it.

    P&L is the change of value plus what was settled, at the later levels. A trade keeps the labels of the earlier run,
    a new one has those of the later.   kept : places of the earlier run's trades that are explained.   left_out :
    trade_id to the sentence on why it has no number in one of the runs.   Where asked: ``objects``, :meth:`factors` of
    the whole; ``estimated``, the same P&L from sensitivities; ``risk``, why VaR and ES differ.
    """

    attribution: Attribution
    settled: NDArray[np.int64]
    frames: Frames
    labels: tuple[str, ...]
    kept: NDArray[np.int64]
    left_out: Mapping[str, str]
    objects: xr.Dataset | None = None
    estimated: Attribution | None = None
    risk: Difference | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def pieces(self) -> tuple[str, ...]:
        """Names of the pieces, in order."""
        return self.attribution.pieces

    @property
    def pnl(self) -> xr.Dataset:
        """``pnl (trade, piece)``, ``total, settled, value_change (trade)``; total = settled + value_change."""
        made = self.attribution.to_dataset()
        made["settled"] = ("trade", self.settled * 2.0**-self.attribution.bits)
        made["value_change"] = made["total"] - made["settled"]
        return made

    def by(self, labels: Sequence[str] | str | None = None, where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """``pnl (node, piece)`` and ``total (node)`` at the total and every node of the tree ``labels``, exact sums."""
        return self.attribution.by(self.labels if labels is None else labels, where)

    def bridge(self, labels: Sequence[str] | str = (), where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """``pnl (node, piece)`` in two pieces, ``change of value`` and ``settled cash``, with their ``total (node)``.

        Nodes as of :meth:`by`, exact sums: the total is that of the pieces there.
        """
        kept = self.attribution
        ticks = np.column_stack([kept.ticks.sum(axis=1, dtype=np.int64) - self.settled, self.settled])
        return replace(kept, ticks=ticks, pieces=("change of value", "settled cash")).by(labels, where)

    def trades(self, count: int = 10, **chosen: Any) -> xr.Dataset:
        """The trades that lose most, see :meth:`riskgrid.analysis.attribution.Attribution.trades`."""
        return self.attribution.trades(count, **chosen)

    def factors(self, labels: Sequence[str] | str = (), where: Mapping[str, Any] | None = None) -> xr.Dataset:
        """P&L of every market object moved alone, ``pnl (node, piece)``: pieces ``fx:EUR``, ``par:USD-TREASURY`` ...

        As of the later date, at the earlier levels; ``cross`` makes them add to the move of all at once, and ``settled
        cash`` is what the moves do to cash and to the payoff of expired trades. Priced when first asked, a trade only
        where it reads the object.
        """
        run, trades = self.frames.objects, self.kept
        ticks = self.frames.ticks(run, trades)
        every = self.frames.ticks(self.frames.moved, trades)
        whole = every[:, -1] - every[:, 0]
        # elsewhere the two differ by the rounding of differences to ticks, which is the cross's
        paid = (self.settled[: len(trades)] != 0) | ~ticks.any(axis=1)
        cash = np.where(paid, whole - ticks[:, -1], 0)
        cross = whole - cash - ticks[:, :-1].sum(axis=1)
        names = [str(name) for name in run.cube.scenarios[:-1]]
        parts = np.column_stack([ticks[:, :-1], cross, cash])
        first = {name: column[slice(0, len(trades))] for name, column in self.attribution.labels.items()}
        made = Attribution(
            parts, (*names, piece.CROSS, "settled cash"), first, self.attribution.bits, self.attribution.currency
        )
        return made.by(labels, where)

    def sentences(self) -> list[str]:
        """What the pieces are, what was left out, and what differs beside the market."""
        a, b, order = self.frames.a, self.frames.b, self.frames.order
        groups = ", ".join(self.frames.groups)
        how = (
            f"{groups} and {OTHER}: each moved alone from the later date and the earlier levels, with a cross"
            if order == "from_base"
            else f"Moved in sequence, without a cross: {groups}, {OTHER}"
        )
        said = [
            f"P&L is the change of value plus settled cash, from {a.market.date} (run {a.known_as}) to {b.market.date} "
            f"(run {b.known_as}), at the tick of run {a.known_as}; the pieces add up exactly.",
            "Cash and carry is what was settled in between, carried at the earlier curve; theta is time alone, "
            "every level at its tenor; fixings are those published in between.",
            how[0].upper() + how[1:] + ". Volatility moves at its moneyness.",
            "FX translation is the conversion of a trade's value from its own currency; any other effect of exchange "
            "rates is in their group.",
            "New and dropped trades count at the later run's market, amended ones and changes of quantity by the "
            "difference there; expired trades are one piece, settled at the later levels. Unexplained is the later "
            "run's own value less the revalued one.",
        ]
        return [*said, f"In {self.attribution.currency}.", *self.notes, *self._left_out()]

    def _left_out(self) -> list[str]:
        if not self.left_out:
            return []
        count, some = len(self.left_out), list(self.left_out.items())[:_MOST]
        told = "; ".join(f"{trade}: {reason}" for trade, reason in some)
        more = f"; and {count - _MOST:,} more" if count > _MOST else ""
        return [f"* {count:,} trade{'s' * (count != 1)} left out, without a number on the way: {told}{more}."]

    def sections(self) -> list[Section]:
        """The pieces by node, the trades that lose most, and what market objects, sensitivities and risk add."""
        a, b = self.frames.a.market.date, self.frames.b.market.date
        title = f"P&L from {a} to {b}, {self.attribution.currency}"
        made = [account.tree(title, self.attribution, self.labels, self.sentences())]
        if self.objects is not None:
            made.append(account.objects(self.objects, self.frames.a.market, self.frames.b.market))
        made.append(account.worst(self.attribution))
        if self.estimated is not None:
            said = [
                "Delta and gamma of every factor that moved, of the earlier run's ladder, times its move; theta of one "
                "calendar day times the days. Unexplained is the revalued P&L less this.",
                "Exchange rates are bumped as other factors are: their group contains FX translation, no piece here.",
            ]
            made.append(account.tree(f"{title}, from sensitivities", self.estimated, self.labels, said))
        return [*made, *(self.risk.sections() if self.risk is not None else [])]


def explain(
    a: Run,
    b: Run,
    *,
    by: Sequence[str] | str = ("region", "desk"),
    order: steps.Order = "from_base",
    groups: Mapping[str, Sequence[str]] | None = None,
    sensitivities: bool = False,
    risk: bool = False,
    objects: bool = False,
    **execution: Any,
) -> Explained:
    """P&L from run ``a`` to the later run ``b``, trade by trade, in pieces that add to it exactly.

    Three small runs revalue a's trades: at its own date, as of that of b, and with b's levels; all are kept beside it.
    by : labels of what is shown.   order : ``from_base``, each group of factors alone with a cross, or ``in_sequence``.
    groups : group to patterns of factors, by default those of :data:`riskgrid.scenarios.steps.GROUPS`.
    sensitivities : estimate the same from a's deltas and gammas, too.   risk : explain VaR and ES by
    :func:`riskgrid.analysis.differing.diff`, too.   objects : P&L of each market object alone, too.
    execution : ``cluster, progress`` as :func:`riskgrid.running.run` has them.
    BadSpec for two currencies, two numeraires, or a ``b`` that is the earlier one; UnknownName.

    >>> import tempfile
    >>> from riskgrid import run, sample
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     days = [sample.market(date) for date in ("2016-06-23", "2016-06-24")]
    ...     now = [sample.scenarios("2016-06-23", count=5), sample.scenarios("2016-06-24", count=5)]
    ...     book, rest = sample.portfolio(200), {"store": folder, "progress": None}
    ...     first, second = (run(book, day, shifts, **rest) for day, shifts in zip(days, now))
    ...     made = explain(first, second, progress=None).by("desk")
    >>> float(made.pnl.sel(piece="unexplained").values.any()), bool((made.pnl.sum("piece") == made.total).all())
    (0.0, True)
    """
    frames = Frames(a, b, _groups(groups, a), order, **{"progress": None, **execution})
    parted = Parted(frames)
    shown = (by,) if isinstance(by, str) else tuple(by)
    made = Explained(
        parted.attribution,
        parted.settled,
        frames,
        shown,
        parted.kept,
        parted.left_out,
        None,
        estimate(frames, parted.kept, parted.attribution) if sensitivities else None,
        diff(a, b, by=shown, **execution) if risk else None,
        tuple(_notes(frames, parted)),
    )
    return replace(made, objects=made.factors()) if objects else made


def _groups(groups: Mapping[str, Sequence[str]] | None, a: Run) -> Mapping[str, Sequence[str]]:
    """The groups to move, each pattern naming a factor, and no group named as a piece is."""
    for group, patterns in (groups or {}).items():
        if group in piece.PIECES:
            raise BadSpec(
                f"a group of factors is called '{group}', as a piece of every explain is; another name is right"
            )
        scenario_set.mask(patterns, a.market.factors, f"group '{group}'")
    return steps.GROUPS if groups is None else groups


def _notes(frames: Frames, parted: Parted) -> list[str]:
    """What differs between the runs beside levels and dates."""
    a, b = frames.a, frames.b
    said = parted.change.sentences()
    said += [
        f"Run {run.known_as} was made by other code or libraries than these."
        for run in (a, b)
        if not by_this_code(run.manifest)
    ]
    one, other = set(a.market.factors), set(b.market.factors)
    for run, names in ((a, sorted(one - other)), (b, sorted(other - one))):
        if names:
            more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
            named = ", ".join(names[:_MOST]) + more
            said.append(f"* The market of run {run.known_as} alone has {named}: unexplained has their effect.")
    if a.market.conventions != b.market.conventions:
        said.append("* The markets' conventions differ: unexplained has their effect.")
    return said
