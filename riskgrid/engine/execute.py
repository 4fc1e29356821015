"""Run a plan: what the store lacks is sent out in tasks, and what comes back is added up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid.cluster import Workers
from riskgrid.engine.adding import distinct_cells
from riskgrid.engine.course import Course
from riskgrid.engine.notice import Notices
from riskgrid.engine.outcome import CellSums, Outcome, Progress
from riskgrid.engine.outlook import Outlook
from riskgrid.engine.plan import Piece, Pricing, extend_block, plan_instrument
from riskgrid.engine.sending import Sender
from riskgrid.engine.timing import compile_seconds
from riskgrid.errors import ClusterLost
from riskgrid.market.states import MarketStates
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store

__all__ = ["distinct_cells", "execute", "planned"]


def execute(  # noqa: PLR0913, options of the one verb, each of which may be left out
    pieces: Iterable[Piece],
    states: MarketStates,
    pricing: Pricing,
    *,
    store: Store,
    workers: Workers,
    cells: int,
    progress: Callable[[Progress], None] | None = None,
    notice: Callable[[str, Mapping[str, Any]], None] | None = None,
    stop: Callable[[], None] | None = None,
    retry: bool = False,
    ahead: Outlook | None = None,
) -> Outcome:
    """Price what the store lacks and add up all cells.

    pieces : with the cell of each trade, see :func:`planned`; planning goes on while tasks run.
    notice : called with a word and its particulars when something has gone wrong and was mended; the outcome has the
    sentences.   stop : called five times a second; what it raises ends the run.   retry : trades that once ended their
    worker are tried again.   Both are called in this thread.   ahead : the trades in all and when it is to be over,
    which decides how many workers are asked for where there may be more.

    A task that fails is tried again block by block. A block that ends its worker is cut in two until the one trade is
    found that does it. A store that refuses (StoreError) or a cluster that has gone (ClusterLost) stops the run, with
    what is finished kept.
    """
    outcome = Outcome(CellSums.zeros(cells, states.count - 1))
    sender = Sender(states, pricing, store, workers, outcome, ahead=ahead or Outlook())
    run = Course(sender, Notices(outcome.notices, notice), progress=progress, stop=stop, retry=retry)
    try:
        for piece in _timed(iter(pieces), outcome.seconds, "planning"):
            outcome.seconds["hashing"] = outcome.seconds.get("hashing", 0.0) + piece.hashing
            run.send(piece)
            run.drain()
        planned = time.perf_counter()
        run.finish()
    except ClusterLost as error:
        sender.cancel()
        done = f"{outcome.priced + outcome.found:,} of {run.total:,} blocks are finished and kept"
        raise ClusterLost(f"{error}; {done}: ask again to finish") from error
    except BaseException:
        sender.cancel()
        raise
    run.close(planned)
    run.tell(planned=True)
    return outcome


def planned(
    portfolio: Portfolio, states: MarketStates, pricing: Pricing, store: Store, cell: Mapping[str, NDArray[np.int64]]
) -> Iterator[Piece]:
    """Plan a portfolio piece by piece. cell : instrument to the cell of each of its trades (trade,)."""
    for name in portfolio.instruments:
        for piece in plan_instrument(INSTRUMENTS[name], portfolio.columns(name), states, pricing):
            piece.cell, piece.lost = cell[name][piece.rows], cell[name][sorted(piece.problems)]
            known = store.has("reads", [block.key for block in piece.blocks])
            for place in range(len(piece.blocks)):
                while piece.blocks[place].key in known:  # a pricer may find out what it reads bit by bit
                    key = piece.blocks[place].key
                    piece.reads.add(key)
                    roles = tuple(store.get("reads", key).meta["roles"])
                    piece.blocks[place] = extend_block(piece, piece.blocks[place], roles, states, pricing)
                    known |= store.has("reads", [piece.blocks[place].key])
            yield piece


def _timed[Item](items: Iterator[Item], spent: dict[str, float], name: str) -> Iterator[Item]:
    while True:
        begun, busy, compiled = time.perf_counter(), time.thread_time(), compile_seconds()
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            loaded = compile_seconds() - compiled  # a process loads each kernel once, whoever calls it first
            spent["loading"] = spent.get("loading", 0.0) + loaded
            # what workers take of the interpreter meanwhile is in the one and not in the other
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun - loaded
            processor = f"{name}, processor"
            spent[processor] = spent.get(processor, 0.0) + max(time.thread_time() - busy - loaded, 0.0)
        yield item
