"""The course of a run: look up what the store lacks, count what comes back, and mend what goes wrong on the way."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from riskgrid.cluster import Fact
from riskgrid.engine.adding import add_block, add_lost, add_piece
from riskgrid.engine.again import patiently
from riskgrid.engine.budget import Room
from riskgrid.engine.fault import Faults
from riskgrid.engine.notice import Notices
from riskgrid.engine.outcome import Progress
from riskgrid.engine.plan import Piece, extend_block
from riskgrid.engine.quarantine import Quarantine
from riskgrid.engine.sending import Sender, Sent, work_of
from riskgrid.engine.task import Receipt, Work, keeps_sums
from riskgrid.engine.timing import shortage, spending
from riskgrid.errors import ClusterLost, DamagedObject, NumericsMismatch, StoreError, WorkerLost

__all__ = ["Course"]

#: Seconds between two questions whether to go on.
_PULSE = 0.2


class Course:
    """The course of one execution: counts as receipts arrive."""

    def __init__(
        self,
        sender: Sender,
        notices: Notices,
        *,
        progress: Callable[[Progress], None] | None,
        stop: Callable[[], None] | None,
        retry: bool,
    ) -> None:
        self.sender, self.outcome, self.notices = sender, sender.outcome, notices
        self.states, self.pricing, self.store, self.workers = (
            sender.states,
            sender.pricing,
            sender.store,
            sender.workers,
        )
        self._progress, self._stop, self._retry = progress, stop, retry
        self.quarantine = Quarantine(self.store, self.states, self.pricing, self.outcome.used["quarantine"])
        self.faults = Faults(sender, self.quarantine, notices, self._fail)
        self.room = Room(self.store)
        self.total = 0
        self.begun = time.perf_counter()
        self._due = self.begun
        self._look: Callable[[], list[Fact]] = getattr(self.workers, "pulse", list)  # a user's own may have none
        sender.receive = self.receive
        self.outcome.labour.workers = self.workers.count

    # -- sending -----------------------------------------------------------------------------------------------

    def send(self, piece: Piece) -> None:
        """Send the blocks of a piece that the store lacks, count those it has."""
        with spending(self.outcome.seconds, "looking up"):
            add_piece(self.outcome.sums, piece)
            self.outcome.pieces.append(piece)
            stored = self._ask(self.store.has, "blocks", [block.key for block in piece.blocks])
            self.store.renew("blocks", stored)
            failed = self._left_out(piece, stored)
            self.total += len(piece.blocks)
            works = []
            for block in piece.blocks:
                work = work_of(piece, block, block.key in stored)
                if block.key in failed:
                    self._fail(piece, work, failed[block.key])
                else:
                    works.append(work)
            summed = self._ask(self.store.has, "sums", [work.sum_key for work in works])
        missing = []
        for work in works:
            if work.priced and work.sum_key in summed:
                self.outcome.found += 1
                self._add(work, piece)
            else:
                missing.append(work)
        self.sender.expect(piece, missing)
        if missing:
            self.room.take(missing, self.pricing)
            self.sender.dispatch(piece, missing)
        self.tell(planned=False)

    def _left_out(self, piece: Piece, stored: set[str]) -> dict[str, str]:
        """Cut blocks as they were cut before; the trades that are known to end their worker, with the sentences."""
        missing = {block.key for block in piece.blocks} - stored
        if not missing:
            return {}
        if self._retry:
            self.quarantine.forget(piece)
        before = len(piece.blocks)
        failed = self.quarantine.cut(piece, missing)
        if len(piece.blocks) > before:
            stored |= self.store.has("blocks", [block.key for block in piece.blocks])
        return failed

    # -- receiving ---------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Count what has already come back, without waiting."""
        self.pulse()
        while self.sender.flight.tasks and not self.sender.flight.done.empty():
            self.receive()

    def finish(self) -> None:
        """Wait for all that is on its way; then blocks that may have ended a worker are tried one by one."""
        while self.sender.flight.tasks or self.faults.suspects:
            if not self.sender.flight.tasks:
                self.faults.next()
            self.receive()

    def pulse(self) -> None:
        """Ask now and then whether to go on, and what has become of the workers."""
        now = time.perf_counter()
        if now < self._due:
            return
        self._due = now + _PULSE
        if self._stop is not None:
            self._stop()
        for kind, facts in self._look():
            self.notices.tell(kind, **facts)

    def receive(self) -> None:
        """Wait for one task and count it."""
        flight = self.sender.flight
        future, answered = self._next()
        sent = flight.tasks.pop(future)
        flight.spans.append((sent.at, answered))
        try:
            receipt: Receipt = future.result()
        except WorkerLost as error:
            cut = self.faults.cut
            self.faults.lost(sent, error.worker)
            self.total += self.faults.cut - cut
            return
        except (StoreError, NumericsMismatch, OverflowError, ClusterLost):
            raise
        except Exception as error:
            self._failed(sent, error)
            return
        self._learn(receipt)
        for work in receipt.works:
            if work.key in receipt.unrecorded:
                self._record_again(sent.piece, work, receipt.unrecorded[work.key])
            else:
                if keeps_sums(sent.task, work):
                    self.outcome.used["sums"].add(work.sum_key)
                self._add(work, sent.piece, receipt.sums.get(work.key))
        self.tell(planned=False)

    def _next(self) -> tuple[Any, float]:
        while True:
            self.pulse()
            with spending(self.outcome.seconds, "waiting"), contextlib.suppress(queue.Empty):
                arrived: tuple[Any, float] = self.sender.flight.done.get(timeout=_PULSE)
                return arrived

    def _failed(self, sent: Sent, error: Exception) -> None:
        """A task failed as a whole: try its blocks alone; a block that fails alone fails its trades, and says why."""
        if len(sent.task.works) > 1:
            for work in sent.task.works:
                self.sender.submit(sent.task.only(work), sent.piece)
            return
        sentence = f"the block could not be priced: {type(error).__name__}: {error}"
        self._fail(sent.piece, sent.task.works[0], sentence)

    def _fail(self, piece: Piece, work: Work, sentence: str) -> None:
        self.outcome.failed[work.key] = sentence
        add_lost(self.outcome.sums, piece, work.start, work.stop)

    def _record_again(self, piece: Piece, work: Work, role: str) -> None:
        place = next(at for at, one in enumerate(piece.blocks) if (one.key, one.start) == (work.key, work.start))
        old = piece.blocks[place]
        block = extend_block(piece, old, (role,), self.states, self.pricing)
        piece.blocks[place] = block
        self._ask(self.store.put, "reads", old.key, {"roles": [role]}, {})
        piece.reads.add(old.key)
        stored = bool(self.store.has("blocks", [block.key]))
        self.sender.dispatch(piece, [work_of(piece, block, stored)])

    def _learn(self, receipt: Receipt) -> None:
        made, spent = self.outcome, self.outcome.seconds
        parts = {name: getattr(receipt, name) for name in ("reading", "compiling", "writing", "summing")}
        parts[f"pricing {receipt.instrument}"] = receipt.pricing
        for name, seconds in parts.items():
            spent[name] = spent.get(name, 0.0) + seconds
        busy = receipt.seconds - receipt.compiling
        made.labour.add(receipt.instrument, receipt.valuations, busy, receipt.blocks, receipt.bytes_written)
        made.found += receipt.found
        made.priced += receipt.priced
        made.valuations += receipt.valuations
        for key in receipt.damaged:
            self.notices.tell("damaged", what="the ticks", block=key)
        for reason in receipt.retried:
            self.notices.tell("store", reason=reason)

    # -- adding up ---------------------------------------------------------------------------------------------

    def _add(self, work: Work, piece: Piece, sums: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Add a block's sums, by default those in the store; where these are damaged, the block is summed anew."""
        try:
            with spending(self.outcome.seconds, "reducing"):
                found = sums or self._ask(self.store.get, "sums", work.sum_key).arrays
                add_block(self.outcome.sums, found, work, piece)
            if sums is None:
                self.outcome.used["sums"].add(work.sum_key)
        except DamagedObject:
            self.store.discard("sums", work.sum_key)
            self.outcome.found -= 1  # it comes back as one that is found
            self.notices.tell("damaged", what="the sums", block=work.key)
            self.sender.dispatch(piece, [replace(work, priced=True)])

    def _ask[Result](self, call: Callable[..., Result], *args: Any) -> Result:
        return patiently(call, *args, noted=lambda reason: self.notices.tell("store", reason=reason), sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0.0:
            self.pulse()
            time.sleep(min(left, _PULSE))

    # -- telling -----------------------------------------------------------------------------------------------

    def tell(self, *, planned: bool) -> None:
        """Report progress to whoever listens."""
        if self._progress is not None:
            made = self.outcome
            seconds = time.perf_counter() - self.begun
            failed = len(made.failed)
            self._progress(Progress(self.total, made.priced, made.found, failed, made.valuations, seconds, planned))

    def close(self, planned: float) -> None:
        """Take stock of what was used and of time. planned : when planning was over."""
        made, workers = self.outcome, self.workers.count
        blocks = [block for piece in made.pieces for block in piece.blocks]
        made.used["blocks"] = {block.key for block in blocks} - made.failed.keys()
        made.used["reads"] = {key for piece in made.pieces for key in piece.reads}
        read = {role for block in blocks for role in block.roles}
        made.unshocked = sorted({factor for role in read for factor in self.states.unshocked_factors(role)})
        ended, spans = time.perf_counter(), self.sender.flight.spans
        spent, made.labour.workers = made.seconds, max(workers, made.labour.workers)
        spent["all"] = ended - self.begun
        spent["short while planning"] = shortage(spans, workers, self.begun, planned)
        spent["short at the end"] = shortage(spans, workers, planned, ended)
