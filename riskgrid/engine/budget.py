"""What a planned run will need, and whether that fits: seconds, bytes of disk, bytes of memory."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from riskgrid.cluster import Expected, Workers
from riskgrid.engine.block import cache_bytes
from riskgrid.engine.cost import cost_of
from riskgrid.engine.plan import Block, Piece, Pricing
from riskgrid.engine.task import Work
from riskgrid.errors import BadSpec, TooLarge
from riskgrid.market.states import MarketStates
from riskgrid.store import Store
from riskgrid.terms import Names

__all__ = [
    "FILE_BYTES",
    "PROCESS_BYTES",
    "TILES",
    "Estimate",
    "Limits",
    "Room",
    "check",
    "estimate",
    "stored_blocks",
]

#: Bytes of a file beside its arrays: its head, and what is lost to the last page.
FILE_BYTES = 4096
#: Numbers of a cell beside its P&L.
_COUNTS = 7
#: Seconds that a block takes beside its valuations, where nobody has measured what these take in all.
_BLOCK_SECONDS = 3e-3
#: Bytes of a worker process before it has work: the interpreter, the libraries, compiled kernels.
PROCESS_BYTES = 250 << 20
#: Bytes a worker holds beside ticks, in caches of its core: inputs, steps and values of a tile.
TILES = 8


@dataclass(frozen=True)
class Estimate:
    """What a run will need. busy : seconds of one worker for all of it.   largest : of its longest block.

    seconds : on these workers.   disk, memory : bytes, memory at the peak and of all processes together, what this
    process has already taken left out.
    """

    blocks: int
    missing: int
    valuations: int
    busy: float
    largest: float
    disk: int
    memory: int
    workers: int

    @property
    def seconds(self) -> float:
        """Seconds of wall clock: the work shared out, and no less than the longest block."""
        return max(self.busy / self.workers, self.largest)


@dataclass(frozen=True)
class Limits:
    """What a run may need: ``seconds``, bytes of ``memory``, bytes of ``disk``, ``valuations`` that the store lacks.

    None where there is no limit. Text is read as a number (YAML has ``8e9`` as text). A run of some books is held to
    what it would need of an empty store.  BadSpec for what is none, or not above 0.
    """

    seconds: float | None = None
    memory: float | None = None
    disk: float | None = None
    valuations: float | None = None

    def __post_init__(self) -> None:
        for name in ("seconds", "memory", "disk", "valuations"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))


def stored_blocks(pieces: Iterable[Piece], store: Store) -> set[str]:
    """Keys of the blocks that the store has."""
    return store.has("blocks", [block.key for piece in pieces for block in piece.blocks])


def estimate(
    pieces: Sequence[Piece],
    states: MarketStates,
    pricing: Pricing,
    *,
    stored: Set[str],
    costs: Mapping[str, float],
    workers: Workers,
    within: float | None = None,
) -> Estimate:
    """What executing these pieces will need.

    stored : keys of blocks that need not be priced.   costs : seconds of a valuation by instrument, see
    ``engine.cost.learned``.   within : seconds in which it is to be over, where workers come as they are wanted.

    Disk is that of the missing blocks, of all cell sums, of the plan and, for other processes, of market and terms.
    Memory is the states of every market object that is read, the terms, the cell sums twice (added up, and in the
    result), and for each worker the ticks of the largest block with a quarter to spare, the market in its states, and
    tiles; a worker process is counted with its libraries and its own copy of the market.
    """
    missing = [(piece, block) for piece in pieces for block in piece.blocks if block.key not in stored]
    spent = [_seconds(piece, block, costs) for piece, block in missing]
    roles = {role for _, block in missing for role in block.roles}
    panels = sum(_panel(states, role) for role in roles)
    terms = sum(_terms(piece) for piece in pieces)
    cells = 1 + max((int(piece.cell.max(initial=-1)) for piece in pieces), default=-1)
    sums = cells * (states.count - 1 + _COUNTS) * 8
    scratch = max((int(1.25 * _ticks(block, pricing)) + _taken(states, block) for _, block in missing), default=0)
    each = scratch + TILES * cache_bytes()
    wanted = Expected(sum(spent), len(spent), max(spent, default=0.0), within)
    count, shared = _count_of(workers, wanted), not workers.in_process
    disk = sum(_block_bytes(block, pricing) for _, block in missing) + _sum_bytes(pieces)
    disk += sums + sum(32 * len(piece.rows) for piece in pieces) + 2 * FILE_BYTES
    return Estimate(
        blocks=sum(len(piece.blocks) for piece in pieces),
        missing=len(missing),
        valuations=sum(_valuations(block) for _, block in missing),
        busy=wanted.busy,
        largest=wanted.longest,
        disk=disk + (panels + terms if shared else 0),
        memory=panels + terms + 2 * sums + count * (each + (panels + PROCESS_BYTES if shared else 0)),
        workers=count,
    )


def check(needed: Estimate, limits: Limits, free: int | None = None) -> None:
    """TooLarge where a run needs more than it may, with the numbers. free : bytes of the store's disk, if known."""
    told = []
    if limits.seconds is not None and needed.seconds > limits.seconds:
        told.append(_too_long(needed, limits.seconds))
    if limits.memory is not None and needed.memory > limits.memory:
        told.append(
            f"this run needs about {_bytes(needed.memory)} of memory on {_count(needed.workers)}; its limit is "
            f"{_bytes(limits.memory)}: take fewer workers, fewer scenarios, a smaller cut, or a limit of "
            f"{_bytes(_roomy(needed.memory))}"
        )
    if limits.disk is not None and needed.disk > limits.disk:
        told.append(
            f"this run needs about {_bytes(needed.disk)} of disk; its limit is {_bytes(limits.disk)}: take fewer "
            f"trades or scenarios, or a limit of {_bytes(_roomy(needed.disk))}"
        )
    if limits.valuations is not None and needed.valuations > limits.valuations:
        told.append(
            f"this asks for {needed.valuations:,} valuations; at most {limits.valuations:,.0f} are right here: take "
            "fewer trades, factors or scenarios"
        )
    if free is not None and needed.disk > free:
        told.append(_no_room(needed.disk, free))
    if told:
        raise TooLarge("; ".join(told))


class Room:
    """Free disk of a store, as blocks of a run take it up. Counts ticks alone: what is refused can never fit."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._free: int | None = None
        self._asked = False
        self._needed = 0

    def take(self, works: Iterable[Work], pricing: Pricing) -> None:
        """Room for these blocks, where they are not stored. TooLarge where there is none."""
        size = 8 if pricing.wide else 4
        part = sum((work.stop - work.start) * (len(work.states) - 1) for work in works if not work.priced)
        self._needed += size * part
        if not self._asked:
            self._asked = True
            with contextlib.suppress(OSError):  # a folder that is not there yet tells when it is written to
                self._free = self._store.free_bytes()
        if self._free is not None and self._needed > self._free:
            raise TooLarge(_no_room(self._needed, self._free))


def _count_of(workers: Workers, wanted: Expected) -> int:
    # a user's own workers may not say what they could become
    return workers.foreseen(wanted) if hasattr(workers, "foreseen") else workers.count


def _number(name: str, given: Any) -> float | None:
    try:
        number = None if given is None else float(given)
    except (TypeError, ValueError):
        number = math.nan
    if number is None or 0.0 < number < math.inf:
        return number
    what = name if name in ("seconds", "valuations") else "bytes"
    raise BadSpec(f"limit '{name}' is {given!r}; a number of {what} above 0 is right, e.g. 600 or 8e9")


def _seconds(piece: Piece, block: Block, costs: Mapping[str, float]) -> float:
    name = piece.instrument.name
    own = 0.0 if name in costs else _BLOCK_SECONDS
    return own + _valuations(block) * cost_of(name, costs)


def _valuations(block: Block) -> int:
    return (block.stop - block.start) * len(block.states)


def _ticks(block: Block, pricing: Pricing) -> int:
    return (block.stop - block.start) * (len(block.states) - 1) * (8 if pricing.wide else 4)


def _block_bytes(block: Block, pricing: Pricing) -> int:
    # a row has its base value, its status and its checksum
    return _ticks(block, pricing) + 17 * (block.stop - block.start) + FILE_BYTES


def _sum_bytes(pieces: Iterable[Piece]) -> int:
    total = 0
    for piece in pieces:
        for block in piece.blocks:
            cells = len(np.unique(piece.cell[block.start : block.stop]))
            total += cells * (len(block.states) - 1 + _COUNTS) * 8 + FILE_BYTES
    return total


def _panel(states: MarketStates, role: str) -> int:
    found = states[role]
    return 0 if found is None else sum(array.nbytes for array in found.parts()[1].values())


def _taken(states: MarketStates, block: Block) -> int:
    """Bytes of the market in the states of a block that has not all of them: these are copied out."""
    if len(block.states) == states.count:
        return 0
    return sum(_panel(states, role) for role in block.roles) * len(block.states) // states.count


def _terms(piece: Piece) -> int:
    columns = [column.codes if isinstance(column, Names) else column for column in piece.columns.values()]
    return sum(column.nbytes for column in columns) + piece.terms.nbytes


def _too_long(needed: Estimate, limit: float) -> str:
    more = math.ceil(needed.busy / limit)
    workers = f"more workers ({more}), " if needed.largest <= limit else ""
    return (
        f"this run needs about {_seconds_text(needed.seconds)} on {_count(needed.workers)}; its time limit is "
        f"{_seconds_text(limit)}: give {workers}fewer trades or scenarios, or a limit of "
        f"{_seconds_text(_roomy(needed.seconds))}"
    )


def _no_room(needed: int, free: int) -> str:
    return (
        f"this run needs {_bytes(needed)} of disk or more and the store has {_bytes(free)} free: free some space, "
        "take fewer trades or scenarios, or set RISKGRID_HOME to another folder"
    )


def _roomy(amount: float) -> float:
    """A fifth more, to two digits."""
    if amount <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(1.2 * amount)) - 1)
    return math.ceil(1.2 * amount / unit) * unit


def _count(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers:,} workers"


def _seconds_text(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def _bytes(size: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size:,.0f} bytes"
