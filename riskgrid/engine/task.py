"""What one worker does in one go: price the missing blocks of a task, store them, add up their cells."""

from __future__ import annotations

import contextlib
import functools
import logging
import platform
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riskgrid import log
from riskgrid.engine.again import patiently
from riskgrid.engine.block import Priced, price_block, sum_block
from riskgrid.engine.kept import parts_of, priced_from
from riskgrid.engine.numerics import engine_code, numerics, numerics_digest
from riskgrid.engine.plan import Columns, Pricing
from riskgrid.engine.timing import compile_seconds
from riskgrid.errors import DamagedObject, NumericsMismatch, StoreError, UnrecordedRead
from riskgrid.hashing import digest
from riskgrid.market.objects import MarketObject, object_from_parts
from riskgrid.registry import INSTRUMENTS, Instrument
from riskgrid.store import Store
from riskgrid.terms import Names

__all__ = [
    "Receipt",
    "Task",
    "Work",
    "columns_from_store",
    "columns_to_store",
    "keeps_sums",
    "priced_from",
    "run_task",
    "sum_key",
]

_LOG = logging.getLogger(__name__)

#: Rows below which a block is summed in less time than its sums are written and read.
_FEW = 64


@dataclass(frozen=True)
class Work:
    """One block of a task. cell : (trade,), rows of the block's ``cells`` sums.   priced : it is stored already."""

    key: str
    sum_key: str
    start: int
    stop: int
    roles: tuple[str, ...]
    states: NDArray[np.intp]
    cell: NDArray[np.int64]
    cells: int
    priced: bool


@dataclass(frozen=True)
class Task:
    """Blocks of one piece, and all that pricing them needs.

    columns : the piece's terms, or their key in the store.   objects : market objects in all states by role, or their
    keys.   dates : (state,).   numerics, code : of the run (riskgrid's and the
    instrument's, None where that cannot be told); a worker with another refuses.   halt : in this process, set when
    nobody waits for the task any more: it ends after the block in hand.   said : what its log lines are about.
    """

    store: Store
    instrument: str | Instrument
    columns: Columns | str
    objects: dict[str, MarketObject | str | None]
    dates: NDArray[np.datetime64]
    pricing: Pricing
    numeraire: str
    numerics: bytes
    code: tuple[bytes, bytes | None]
    works: tuple[Work, ...]
    halt: threading.Event | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def in_process(self) -> bool:
        """Whether it is handed over in memory."""
        return not isinstance(self.columns, str)

    def only(self, work: Work) -> Task:
        """The same task with one of its blocks."""
        return replace(self, works=(work,))


@dataclass
class Receipt:
    """What a finished task sends back.

    seconds : of the task in all, wall clock of the worker; of it reading, compiling, writing and summing, and what is
    left is pricing.   blocks : seconds of pricing each priced block.   unrecorded : block key to the role that its plan
    did not record.   found : blocks that were stored and whole.   damaged : keys of those that were not whole.
    retried : why the store was asked again.   sums : by block, where the receipt stays in the process; else they are
    read from the store.
    """

    works: tuple[Work, ...]
    instrument: str
    seconds: float = 0.0
    bytes_written: int = 0
    valuations: int = 0
    priced: int = 0
    unrecorded: dict[str, str] = field(default_factory=dict)
    reading: float = 0.0
    compiling: float = 0.0
    writing: float = 0.0
    summing: float = 0.0
    found: int = 0
    damaged: list[str] = field(default_factory=list)
    retried: list[str] = field(default_factory=list)
    blocks: list[float] = field(default_factory=list)
    sums: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)

    @property
    def pricing(self) -> float:
        """Seconds of pricing."""
        return max(self.seconds - self.reading - self.compiling - self.writing - self.summing, 0.0)


def run_task(task: Task) -> Receipt:
    """Price, store and sum; safe to run twice and anywhere. NumericsMismatch, StoreError and OverflowError stop it."""
    with log.speaking(task.said):
        receipt = _done(task)
        _LOG.debug("task done", extra={"facts": _counts(receipt)})
        for reason in receipt.retried:
            _LOG.warning("the store was asked again: %s", reason)
        for key in receipt.damaged:
            _LOG.warning("block %s was damaged and is made anew", key)
        return receipt


def _counts(receipt: Receipt) -> dict[str, Any]:
    told = {name: getattr(receipt, name) for name in ("instrument", "priced", "found", "valuations")}
    return {**told, "seconds": round(receipt.seconds, 4)}


def _done(task: Task) -> Receipt:
    begun, compiled = time.perf_counter(), compile_seconds()
    if isinstance(task.instrument, str) and task.instrument not in INSTRUMENTS:
        raise NumericsMismatch(
            f"this worker does not know the instrument '{task.instrument}'; give it the run's riskgrid"
        )
    instrument = INSTRUMENTS[task.instrument] if isinstance(task.instrument, str) else task.instrument
    if task.code[0] != engine_code() or task.code[1] not in (None, instrument.code):
        raise NumericsMismatch(
            f"this worker has other code of riskgrid or of the instrument '{instrument.name}' than the run; give both "
            "the same and restart the worker"
        )
    if task.numerics != numerics_digest():
        raise NumericsMismatch(
            f"this worker computes with {numerics()}, the run with another set; give workers the run's libraries and "
            "processor class, or pin NUMBA_CPU_NAME and NPY_DISABLE_CPU_FEATURES"
        )
    receipt = Receipt(task.works, instrument.name)
    with _adding(receipt, "reading"):
        columns = columns_from_store(task.store, task.columns) if isinstance(task.columns, str) else task.columns
        stored = _stored_since(task, receipt)
    for work in task.works:
        if task.halt is not None and task.halt.is_set():
            break
        _finish(task, instrument, columns, replace(work, priced=True) if work.key in stored else work, receipt)
    receipt.seconds, receipt.compiling = time.perf_counter() - begun, compile_seconds() - compiled
    return receipt


def keeps_sums(task: Task, work: Work) -> bool:
    """Whether the sums of a block go to the store, and not only into the receipt."""
    return not task.in_process or work.stop - work.start >= _FEW


def _stored_since(task: Task, receipt: Receipt) -> set[str]:
    # a scheduler runs a task again whose worker it lost, or whose receipt was lost with the worker
    if task.in_process:
        return set()
    keys = [work.key for work in task.works if not work.priced]
    return patiently(task.store.has, "blocks", keys, noted=receipt.retried.append)


def _finish(task: Task, instrument: Instrument, columns: Columns, work: Work, receipt: Receipt) -> None:
    """Price a block where the store lacks it, and keep its sums."""
    with _adding(receipt, "reading"):
        priced = _stored(task, work, receipt) if work.priced else None
        objects = {} if priced is not None else _objects(task, work)
    if priced is None:
        begun, compiled = time.perf_counter(), compile_seconds()
        try:
            priced = _price(task, instrument, columns, work, objects)
        except UnrecordedRead as read:
            receipt.unrecorded[work.key] = str(read)
            return
        receipt.blocks.append(time.perf_counter() - begun - (compile_seconds() - compiled))
        with _adding(receipt, "writing"):
            receipt.bytes_written += patiently(
                task.store.put, "blocks", work.key, *parts_of(priced), noted=receipt.retried.append
            )
        receipt.valuations += len(work.states) * (work.stop - work.start)
        receipt.priced += 1
    else:
        receipt.found += 1
    with _adding(receipt, "summing"):
        sums = sum_block(priced, work.cell, work.cells)
        if task.in_process:
            receipt.sums[work.key] = sums
        if keeps_sums(task, work):
            patiently(task.store.put, "sums", work.sum_key, {}, sums, durable=False, noted=receipt.retried.append)


@contextlib.contextmanager
def _adding(receipt: Receipt, name: str) -> Iterator[None]:
    # what compiles on the way is counted as that
    begun, compiled = time.perf_counter(), compile_seconds()
    yield
    spent = time.perf_counter() - begun - (compile_seconds() - compiled)
    setattr(receipt, name, getattr(receipt, name) + spent)


def sum_key(block: str, cell: NDArray[np.int64]) -> str:
    """Key of a block's cell sums: the block and how its rows fall into cells, whatever the cells are called."""
    return digest("sums", block, cell).hex()


def columns_to_store(store: Store, columns: Columns) -> str:
    """Keep a piece's terms for workers in other processes; returns the key."""
    names = {name: list(column.names) for name, column in columns.items() if isinstance(column, Names)}
    arrays = {name: column.codes if isinstance(column, Names) else column for name, column in columns.items()}
    key = digest("piece", names, arrays).hex()
    store.put("pieces", key, {"names": names}, arrays, durable=False)
    return key


@functools.lru_cache(maxsize=64)
def columns_from_store(store: Store, key: str) -> Columns:
    """The terms of a piece."""
    try:
        stored = patiently(store.get, "pieces", key)
    except StoreError as error:
        if not error.transient and not isinstance(error, DamagedObject):
            raise StoreError(
                f"worker {platform.node()} does not see what was put into {store.where}: {error}; give workers and "
                "runner the same store"
            ) from None
        raise
    names = stored.meta["names"]
    return {
        name: Names(np.asarray(array), tuple(names[name])) if name in names else np.asarray(array)
        for name, array in stored.arrays.items()
    }


@functools.lru_cache(maxsize=4096)
def _object_from_store(store: Store, key: str) -> MarketObject:
    stored = patiently(store.get, "panels", key)
    # copied: a mapped file holds a file handle as long as it is kept
    return object_from_parts(stored.meta, {name: np.array(array) for name, array in stored.arrays.items()})


def _stored(task: Task, work: Work, receipt: Receipt) -> Priced | None:
    """The block as it lies in the store; None where it is damaged, and then it is gone."""
    try:
        return priced_from(patiently(task.store.get, "blocks", work.key, noted=receipt.retried.append))
    except DamagedObject:
        task.store.discard("blocks", work.key)
        receipt.damaged.append(work.key)
        return None


def _objects(task: Task, work: Work) -> dict[str, MarketObject | None]:
    """The market objects that a block reads, in its states."""
    every = len(work.states) == len(task.dates)
    objects: dict[str, MarketObject | None] = {}
    for role in work.roles:
        found = task.objects[role]
        found = _object_from_store(task.store, found) if isinstance(found, str) else found
        objects[role] = found if found is None or every else found.take(work.states)
    return objects


def _price(
    task: Task, instrument: Instrument, columns: Columns, work: Work, objects: dict[str, MarketObject | None]
) -> Priced:
    rows = slice(work.start, work.stop)
    part: Columns = {name: column[rows] for name, column in columns.items()}
    return price_block(instrument, part, objects, task.dates[work.states], task.pricing, task.numeraire, ticks=_scratch)


def _scratch(shape: tuple[int, int], kind: Any) -> NDArray[Any]:
    """Memory of this thread for the ticks of the block in hand: fresh memory costs as much as filling it."""
    size = shape[0] * shape[1] * np.dtype(kind).itemsize
    held: NDArray[np.uint8] = getattr(_HELD, "memory", np.zeros(0, np.uint8))
    if len(held) < size:
        held = _HELD.memory = np.empty(size + size // 4, np.uint8)
    made: NDArray[Any] = held[:size].view(kind).reshape(shape)
    return made


_HELD = threading.local()
