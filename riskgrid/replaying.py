"""Replays: a stored run computed again from its stored inputs, and every tick compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from riskgrid.answering import answer, row_for
from riskgrid.books import Books
from riskgrid.engine.outcome import Progress
from riskgrid.errors import StoreError
from riskgrid.lease import Lease, taken_up
from riskgrid.progress import shown
from riskgrid.question import Question, Spec, ask, what_if_content
from riskgrid.result import Run, open_run, run_given
from riskgrid.showing import content_of
from riskgrid.store import Store

__all__ = ["Replay", "TradeDifference", "replay"]

#: Parts of a manifest's environment that may explain another number.
_PLACES = ("riskgrid", "commit", "python", "platform")

#: Trades whose ticks are compared at once.
_ROWS = 2048

#: Trades that a replay names.
_MOST_NAMED = 20


@dataclass(frozen=True)
class TradeDifference:
    """A trade that is another. ticks : how many of its P&L differ.   largest : of them, in ticks, infinite where only
    one of both has a number.   scenario : where that is.   value : whether its present value or status differs."""

    trade_id: str
    ticks: int
    largest: float
    scenario: str
    value: bool = False

    def __str__(self) -> str:
        if not self.ticks:
            return f"trade '{self.trade_id}': its present value or status is another"
        by = "one has no number" if np.isinf(self.largest) else f"by up to {self.largest:,.0f} ticks"
        return f"trade '{self.trade_id}': {self.ticks:,} ticks differ, {by} (in scenario '{self.scenario}')"


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    equal : every stored number was read and every bit is the same.   compared : ticks that were.
    damaged : sentences on what the store holds no longer as it was written.   changed : what of the code and the
    environment is another than then, ``what: then -> now``.   trades : trades that differ, ``differing`` of them in
    all.   cells : how many cell sums differ.
    """

    run_id: str
    result_id: str
    compared: int
    cells: int
    differing: int
    trades: tuple[TradeDifference, ...] = ()
    damaged: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the stored run is proven."""
        return not (self.cells or self.differing or self.damaged)

    def lines(self) -> list[str]:
        """The findings, a sentence each, the verdict first."""
        if self.equal:
            said = [f"run {self.run_id} is proven: {self.compared:,} ticks computed again, every bit is the same"]
        else:
            said = [f"run {self.run_id} is NOT proven: {self._verdict()}"]
        said += [f"damaged: {text}" for text in self.damaged]
        said += [str(trade) for trade in self.trades]
        if self.differing > len(self.trades):
            said.append(f"and {self.differing - len(self.trades):,} more trades")
        said += [f"changed since: {what}: {then} -> {now}" for what, (then, now) in self.changed.items()]
        if not self.equal and not self.changed:
            said.append("code and environment are those of then")
        return said

    def _verdict(self) -> str:
        counts = [(self.differing, "trade"), (self.cells, "cell"), (len(self.damaged), "stored object")]
        what = [f"{count:,} {noun}{'s' if count > 1 else ''}" for count, noun in counts if count]
        return f"{', '.join(what)} {'is' if len(what) == 1 and '1 ' in what[0] else 'are'} not what was computed"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return "<br>".join(escape(line) for line in self.lines())


def replay(
    run: Run,
    *,
    cluster: Any = "threads",
    progress: Callable[[Progress], None] | Literal["auto"] | None = "auto",
) -> Replay:
    """Compute a run again from its stored inputs, in a store of its own, and compare every tick of every trade.

    A what-if is computed in full from the inputs of its parent and its changes. StoreError where inputs can no longer
    be read, with the one that cannot; damage elsewhere is in the answer.
    """
    run = open_run(run_given(run).run_id, store=run.store)  # what is stored is to be proven, not what is in memory
    with tempfile.TemporaryDirectory(prefix="riskgrid-replay-") as folder, shown(progress) as tell:
        question = _question(run)
        store = Store(folder)
        with Lease(store, taken_up(store, row_for(question, ""))) as lease:
            again = answer(question, lease, cluster=cluster, progress=tell)
        damaged: list[str] = []
        compared, differing, trades = _trades(run, again, damaged)
        return Replay(
            run.run_id,
            again.result_id,
            compared,
            _cells(run, again, damaged),
            differing,
            tuple(trades),
            tuple(dict.fromkeys([*damaged, *_told_otherwise(run, question, again)])),
            _changed(run.manifest, again.manifest),
        )


def _question(run: Run) -> Question:
    spec = Spec.of(run.manifest)
    pricing = spec.pricing
    return ask(
        run.portfolio,
        run.market,
        run.scenarios,
        reporting=pricing.reporting,
        cell_labels=spec.cell_labels,
        bits=pricing.bits,
        cut=pricing.cut,
        held=True,
        rights=run.row.rights,
    )


def _told_otherwise(run: Run, question: Question, again: Run) -> Iterator[str]:
    """What the catalogue, the plan and the cells say beside numbers and is not what follows from the inputs."""
    content = question.content_id
    if run.row.parent is not None:
        content = _content_of_what_if(run)
    yield from _unlike("question", run.content_id[:12], content[:12])
    for name in ("status", "as_of", "trades", "scenarios"):
        yield from _unlike(name, getattr(run.row, name), getattr(again.row, name))
    for name in ("unshocked", "rejected_rows", "origin", "scenario_set"):
        yield from _unlike(name, run.manifest.get(name), again.manifest.get(name))
    yield from _unlike("blocks that failed", run.manifest["blocks"]["failed"], again.manifest["blocks"]["failed"])
    try:
        before, after = run.cube, again.cube
        yield from _unlike("names of scenarios", list(before.scenarios), list(after.scenarios))
        yield from _unlike("weights of scenarios", _listed(before.weight), _listed(after.weight))
        for name in ("unshocked", "stale"):
            same = np.array_equal(getattr(before.placement, name), getattr(after.placement, name))
            yield from _unlike(f"trades that are {name}", "others" if not same else "", "")
        yield from _unlike("reasons of trades without a number", before.status()[2], after.status()[2])
    except StoreError:
        return  # told with the numbers that cannot be read


def _content_of_what_if(run: Run) -> str:
    """The question of a what-if, from its parent's and from its changes where it has kept these."""
    if not run.beside:
        return run.content_id  # of changes that replace the market or the scenarios the words alone are kept
    if run.shows:
        return content_of(run.parent, Books.read(run.row.rights) or Books())
    above, rights = run.parent, run.row.rights
    return what_if_content(above.content_id, run.branch.changes.digest, None if rights == above.row.rights else rights)


def _unlike(what: str, kept: Any, computed: Any) -> Iterator[str]:
    if kept != computed:
        yield f"the {what} that is kept, {str(kept)[:60]}, is not what follows from the inputs, {str(computed)[:60]}"


def _listed(values: NDArray[np.float64] | None) -> list[float]:
    return [] if values is None else values.tolist()


def _cells(run: Run, again: Run, damaged: list[str]) -> int:
    """How many cells differ in any sum or count."""
    try:
        before, after = run.cube, again.cube
        then = {cell: at for at, cell in enumerate(before.cell_labels.values)}
        now = {cell: at for at, cell in enumerate(after.cell_labels.values)}
        shared = [cell for cell in then if cell in now]
        old = np.array([then[cell] for cell in shared], np.int64)
        new = np.array([now[cell] for cell in shared], np.int64)
        other = np.zeros(len(shared), np.bool_)
        for name in before.cells.__dataclass_fields__:
            same = getattr(before.cells, name)[old] == getattr(after.cells, name)[new]
            other |= ~(same.all(axis=1) if same.ndim == 2 else same)
        count = int(other.sum()) + len(then) + len(now) - 2 * len(shared)
    except StoreError as error:
        damaged.append(str(error))
        return 0
    if not count and run.result_id != again.result_id:
        damaged.append(f"the catalogue says answer {run.result_id[:12]}, its cells are those of {again.result_id[:12]}")
    return count


def _trades(run: Run, again: Run, damaged: list[str]) -> tuple[int, int, list[TradeDifference]]:
    """Ticks compared, trades that differ, and the first of these."""
    ids = run.cube.labels["trade_id"].texts()
    scenarios, scale = list(map(str, run.cube.scenarios)), 2.0 ** run.manifest["bits"]
    values = _values_differ(run, again)
    compared = differing = 0
    found: list[TradeDifference] = []
    for at in _chunks(len(ids)):
        after = again.cube.trade_pnl(at)
        for rows, before in _readable(run, at, damaged):
            now = after[rows]
            compared += before.size
            other = ~((before == now) | (np.isnan(before) & np.isnan(now)))
            value = values[at[rows]]
            lost = np.flatnonzero(other.any(axis=1) | value)
            differing += len(lost)
            for row in lost[: _MOST_NAMED - len(found)].tolist():
                apart = np.where(other[row], np.abs(before[row] - now[row]), 0.0) * scale
                apart[np.isnan(apart)] = np.inf
                worst = int(apart.argmax())
                trade = str(ids[at[rows[row]]])
                count = int(other[row].sum())
                found.append(TradeDifference(trade, count, float(apart[worst]), scenarios[worst], bool(value[row])))
    return compared, differing, found


def _values_differ(run: Run, again: Run) -> NDArray[np.bool_]:
    """Trades whose present value or status is another (trade,); none where a block of them cannot be read."""
    try:
        (status, base, _), (status_now, base_now, _) = run.cube.status(), again.cube.status()
    except StoreError:  # told with the P&L of its trades
        return np.zeros(len(run.cube.placement.block), np.bool_)
    same = (base == base_now) | (np.isnan(base) & np.isnan(base_now))
    differ: NDArray[np.bool_] = ~same | (status != status_now)
    return differ


def _readable(
    run: Run, at: NDArray[np.int64], damaged: list[str]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Stored P&L of these trades, block by block where one of them cannot be read."""
    try:
        yield np.arange(len(at)), run.cube.trade_pnl(at)
    except StoreError:
        block = run.cube.placement.block[at]
        for number in np.unique(block).tolist():
            rows = np.flatnonzero(block == number)
            try:
                before = run.cube.trade_pnl(at[rows])
            except StoreError as error:
                damaged.append(str(error))
                continue
            yield rows, before


def _chunks(count: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, count, _ROWS):
        yield np.arange(start, min(start + _ROWS, count))


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Parts of code and environment that are others now."""
    old, new = _flat(then), _flat(now)
    return {
        what: (old.get(what, "none"), new.get(what, "none"))
        for what in dict.fromkeys([*old, *new])
        if old.get(what) != new.get(what)
    }


def _flat(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What may explain another number, named for a person."""
    environment = manifest.get("environment", {})
    flat = {f"code of {name}": str(code)[:12] for name, code in manifest.get("code_parts", {}).items()}
    flat |= {f"numerics, {name}": str(value) for name, value in manifest.get("numerics", {}).items()}
    flat |= {
        name: str(environment[name]) for name in ("riskgrid", "commit", "python", "platform") if name in environment
    }
    flat |= {f"package {name}": str(version) for name, version in environment.get("packages", {}).items()}
    return flat
