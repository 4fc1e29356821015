"""What is done about a block whose worker died: tried alone, cut in halves, and in the end one trade left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from riskgrid.engine.notice import Notices
from riskgrid.engine.plan import Piece
from riskgrid.engine.quarantine import Quarantine
from riskgrid.engine.sending import Sender, Sent, work_of
from riskgrid.engine.task import Task, Work

__all__ = ["ATTEMPTS", "Faults"]

#: Workers that a block, or a trade that is left of one, may end while it is priced alone: one may have been killed by
#: its machine. On the way from the one to the other the first decides.
ATTEMPTS = 2


@dataclass(frozen=True)
class _Suspect:
    work: Work
    task: Task
    piece: Piece
    half: bool = False


class Faults:
    """Blocks that may have ended a worker. Whoever dies takes innocents along, so each is tried where it is alone.

    fail : called with the piece, the block's work and the sentence, when a trade is left out.
    """

    def __init__(
        self,
        sender: Sender,
        quarantine: Quarantine,
        notices: Notices,
        fail: Callable[[Piece, Work, str], None],
    ) -> None:
        self._sender, self._quarantine, self._notices, self._fail = sender, quarantine, notices, fail
        self.suspects: list[_Suspect] = []
        self._deaths: Counter[tuple[str, int]] = Counter()
        self._halves: set[tuple[str, int]] = set()
        self.cut = 0

    def next(self) -> None:
        """Send the next suspect; nothing else may be on its way."""
        suspect = self.suspects.pop()
        if suspect.half:
            self._halves.add((suspect.work.key, suspect.work.start))
        self._sender.submit(suspect.task.only(suspect.work), suspect.piece, alone=True)

    def lost(self, sent: Sent, worker: str) -> None:
        """The worker ended that worked on a task."""
        self._notices.tell("worker lost", worker=worker)
        if sent.alone:
            self._lost_alone(sent)
            return
        # a worker takes block after block, and what it has stored is none of its last
        stored = self._sender.store.has("blocks", [work.key for work in sent.task.works])
        done = [replace(work, priced=True) for work in sent.task.works if work.key in stored and not work.priced]
        left = [work for work in sent.task.works if work.key not in stored or work.priced]
        if left:
            self.suspects.append(_Suspect(left[0], sent.task, sent.piece))
        again = done + left[1:]
        if again:
            self._sender.submit(replace(sent.task, works=tuple(again)), sent.piece)

    def _lost_alone(self, sent: Sent) -> None:
        (work,) = sent.task.works
        if not work.priced and self._sender.store.has("blocks", [work.key]):  # it ended afterwards
            self._sender.submit(sent.task.only(replace(work, priced=True)), sent.piece)
            return
        place = work.key, work.start
        self._deaths[place] += 1
        deaths, rows = self._deaths[place], work.stop - work.start
        self._notices.tell(
            "attempt", block=work.key, number=deaths, reason="its worker process ended while it was priced alone"
        )
        if deaths < (1 if place in self._halves and rows > 1 else ATTEMPTS):
            self.suspects.append(_Suspect(work, sent.task, sent.piece))
        elif work.priced:  # a file that is cut short ends whoever has mapped it
            self._sender.store.discard("blocks", work.key)
            self._notices.tell("damaged", what="the ticks", block=work.key)
            del self._deaths[place]
            self.suspects.append(_Suspect(replace(work, priced=False), sent.task, sent.piece))
        elif rows > 1:
            self._split(work, sent)
        else:
            self._leave_out(work, sent.piece, deaths)

    def _split(self, work: Work, sent: Sent) -> None:
        piece = sent.piece
        at = next(at for at, one in enumerate(piece.blocks) if (one.key, one.start) == (work.key, work.start))
        facts = {"instrument": piece.instrument.name, "trades": work.stop - work.start}
        halves = self._quarantine.split(piece, piece.blocks[at])
        piece.blocks[at : at + 1] = halves
        self.cut += 1
        self._notices.tell("split", block=work.key, into=[half.key for half in halves], **facts)
        stored = self._sender.store.has("blocks", [half.key for half in halves])
        self.suspects.extend(
            _Suspect(work_of(piece, half, half.key in stored), sent.task, piece, half=True) for half in reversed(halves)
        )

    def _leave_out(self, work: Work, piece: Piece, deaths: int) -> None:
        sentence = f"pricing this trade ended its worker process {deaths} times; it was left out"
        at = next(one for one in piece.blocks if (one.key, one.start) == (work.key, work.start))
        self._quarantine.leave_out(piece, at, sentence)
        name, row = piece.instrument.name, int(piece.rows[work.start])
        self._notices.tell("quarantined", block=work.key, instrument=name, row=row, reason=sentence)
        self._fail(piece, work, sentence)
