"""P&L of the trades of two runs, parted into pieces: what passes, what moves, what comes and what goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskgrid.analysis import contrast
from riskgrid.analysis.attribution import Attribution
from riskgrid.analysis.revaluing import Frames, worth
from riskgrid.measures import explain as piece
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run
from riskgrid.scenarios import steps
from riskgrid.terms import Names, Values

__all__ = ["Parted"]

type Index = NDArray[np.int64]


class Parted:
    """The pieces of two runs' trades. kept : places of a's trades that have a number in every frame.

    left_out : trade_id to the sentence on why it has none.   attribution : of the kept trades, then of b's new ones.
    settled : their cash among it, ticks (trade,).   change : what differs between the two portfolios.
    """

    def __init__(self, frames: Frames) -> None:
        a, b, ids = frames.a, frames.b, frames.ids
        every = {"a": a, "rolled": frames.rolled, "moved": frames.moved, "restated": frames.restated}
        found = {name: worth(run, ids) for name, run in every.items()}
        later = worth(b, ids)
        self.change = contrast.trades(a.portfolio, b.portfolio)
        added = np.array(self.change.added, dtype=object)
        whole = ~np.isnan(later.value) | ~later.held
        for one in found.values():
            whole &= ~np.isnan(one.value)
        self.kept = np.flatnonzero(whole)
        self.left_out: dict[str, str] = {}
        for one in (worth(b, added), later, *reversed(found.values())):
            self.left_out |= one.problems
        values = {name: one.value[self.kept] for name, one in found.items()}
        counted, self.settled = self._counted(frames, values, np.where(later.held, later.value, 0.0)[self.kept])
        fresh = np.array([trade for trade in self.change.added if trade not in self.left_out], dtype=object)
        parts = piece.trade_pieces(counted, _group_names(frames), frames.order)
        ticks = np.zeros((len(self.kept) + len(fresh), len(parts)), np.int64)
        ticks[: len(self.kept)] = np.column_stack(list(parts.values()))
        ticks[len(self.kept) :, list(parts).index(piece.NEW)] = frames.counted(worth(b, fresh).value)
        labels = _labels([(a, ids[self.kept]), (b, fresh)])
        self.attribution = Attribution(ticks, tuple(parts), labels, frames.bits, str(a.manifest["reporting"]))
        self.settled = np.append(self.settled, np.zeros(len(fresh), np.int64))

    def _counted(self, frames: Frames, value: Mapping[str, Values], last: Values) -> tuple[piece.Counted, Index]:
        """What is worth what on the way, and what was settled. last : value in b, 0 of a trade that it lacks."""
        kept, ids, count = self.kept, frames.ids[self.kept], frames.counted
        known = count(value["moved"] - value["rolled"])  # a fixing of the earlier date itself that came later
        moved = frames.ticks(frames.moved, kept) + known[:, None]
        to_last = frames.ticks(frames.restated, kept)[:, -1]
        aged = count(value["restated"] - value["rolled"])
        held = np.isin(ids.astype(str), frames.b.cube.labels["trade_id"].texts().astype(str))
        found = piece.Counted(
            before=count(value["rolled"] - value["a"]),
            rolled=frames.ticks(frames.rolled, kept)[:, 0],
            moved=moved,
            aged=aged,
            left=count(last - value["restated"]) - to_last,
            translation=_translation(frames, kept, value["rolled"], moved),
            expired=_expired(frames)[kept],
            amended=np.isin(ids.astype(str), list(self.change.amended)),
            dropped=~held,
        )
        # without cash the two sides may still differ by the rounding of three differences to ticks
        paid = (moved[:, 0] != aged) | found.expired
        return found, np.where(paid, moved[:, -1] - aged - to_last, 0)


def _group_names(frames: Frames) -> list[str]:
    """Names of the groups, in the order of their steps."""
    labels = [str(label) for label in frames.moved.cube.scenarios[1:]]
    return labels[:-1] if frames.order == "from_base" else labels


def _translation(frames: Frames, trades: Index, value: Values, moved: Index) -> Index:
    """What each group does by converting the trades' values alone, ticks (trade, group)."""
    run = frames.moved
    currency = frames.a.cube.labels["currency"][trades]
    rates = steps.conversion(run.market, run.scenarios, currency.names, frames.a.manifest["reporting"])
    after = range(1, 1 + len(_group_names(frames)))
    before = [0] * len(after) if frames.order == "from_base" else range(len(after))
    worth_then = value[:, None] + moved * 2.0**-frames.bits
    return frames.counted(piece.translated(worth_then, rates[currency.codes.ravel(), 1:], before, after))


def _expired(frames: Frames) -> NDArray[np.bool_]:
    """Which of a's trades end after its date, up to that of b, (trade,)."""
    book, found = frames.a.portfolio, [np.zeros(0, np.bool_)]
    for name in book.instruments:
        ends = INSTRUMENTS[name].ends
        never = np.full(book.tables[name].num_rows, np.datetime64("NaT", "D"))
        days = never if ends is None else np.asarray(book.columns(name)[ends])
        found.append((days > frames.a.market.date) & (days <= frames.b.market.date))
    return np.concatenate(found)


def _labels(parts: Sequence[tuple[Run, NDArray[Any]]]) -> dict[str, Names]:
    """Labels of the trades of several runs, below each other; empty where a run does not have one."""
    every = list(dict.fromkeys(name for run, _ in parts for name in run.cube.labels))
    columns: dict[str, list[Any]] = {name: [] for name in every}
    for run, ids in parts:
        places = pd.Index(run.cube.labels["trade_id"].texts()).get_indexer(pd.Index(ids))
        for name in every:
            here = name in run.cube.labels
            columns[name].append(run.cube.labels[name][places].texts() if here else np.full(len(ids), "", object))
    return {name: Names.of(np.concatenate(texts))[:, 0] for name, texts in columns.items()}
