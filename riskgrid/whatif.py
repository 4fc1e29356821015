"""What-ifs: a run with changed trades, labels, market or scenarios, which prices only what must be, exactly."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from riskgrid.answering import answer, row_for
from riskgrid.books import Books
from riskgrid.branch import Branch
from riskgrid.branching import BlockCut, Making, live_of
from riskgrid.change import Changes
from riskgrid.cluster import Workers
from riskgrid.engine.outcome import Progress
from riskgrid.errors import BadChanges, DamagedObject
from riskgrid.lease import Lease, taken_up
from riskgrid.live import Live
from riskgrid.manifest import answered_by, by_this_code
from riskgrid.progress import shown
from riskgrid.question import Origin, Question, ask, code_of, instrument_codes, what_if_content
from riskgrid.registry import INSTRUMENTS
from riskgrid.result import Run, open_run, run_given
from riskgrid.running import asked_again
from riskgrid.settings import user
from riskgrid.showing import shown_to
from riskgrid.store import RunRow, Store

__all__ = ["answer_what_if", "what_if", "what_if_row"]

_COMPLETE = ("complete",)

type Told = Callable[[Progress], None] | None


def what_if(
    run: Run,
    changes: Changes | Mapping[str, Any],
    *,
    name: str = "",
    cluster: str | Workers | Any = "auto",
    progress: Callable[[Progress], None] | Literal["auto"] | None = None,
    serves: str | None = None,
    principal: str | None = None,
    rights: str | None = None,
) -> Run:
    """The run as it would be with other trades, labels, market or scenarios: a run of its own that knows its parent.

    changes : :class:`~riskgrid.change.Changes` or their plain form.   Trades that come or change are priced, those that
    go are taken out of the sums, re-hung ones are summed elsewhere; where a factor is shifted, every block that reads
    it is priced. Where market or scenarios are replaced as a whole, everything is answered anew but the blocks of
    equal content. Its numbers are those of a full run of the changed inputs, to the last bit. The same changes asked of
    the same run again find it; processes that ask at the same time make one each, with the same answer.
    cluster : as for a run; ``auto`` takes threads, or none at all for a little work.   serves : id of the run of which
    a measure asks it, see :func:`riskgrid.running.revalue`.   principal : who asks, by default this process's user;
    one that is said finds runs of its own alone, under the name it asks for.   rights : the books of who asks, by
    default those of the run; see :class:`riskgrid.store.RunRow`.
    UnknownName, BadChanges, BadRows or BadScenarios before any work.
    """
    asked = changes if isinstance(changes, Changes) else Changes.from_dict(changes, store=run_given(run).store)
    run = _current(run_given(run), cluster, progress)
    if run.row.serves is not None and serves is None and not run.shows:
        run.store.catalogue.serve(run.run_id, None)  # whose what-ifs are asked is wanted for itself
    if not asked:
        return replace(run, found=True)
    asking = _Asking(name, serves, principal, rights)
    found = _found(run.store, _content(run, asked, rights), run.run_id, name, principal)
    if found is not None:
        return found
    _check_only(run, asked)
    with shown(progress) as tell:
        return _made(run, asked, asking, cluster=cluster, tell=tell)


@dataclass(frozen=True)
class _Asking:
    """Who asks a what-if, under which name, and for what. rights : None for those of the run."""

    name: str
    serves: str | None = None
    principal: str | None = None
    rights: str | None = None


def answer_what_if(run: Run, changes: Changes, lease: Lease, *, cluster: Any, progress: Told = None) -> Run:
    """The what-if under the lease of a run that was queued for it, see :func:`what_if_row`."""
    asking = _Asking(lease.row.name, rights=lease.row.rights)
    return _made(_current(run, cluster, None), changes, asking, cluster=cluster, tell=progress, lease=lease)


def what_if_row(run: Run, changes: Changes, *, name: str = "", rights: str | None = None) -> RunRow:
    """The row of a what-if that is to be queued; rights and errors as of :func:`what_if`, as far as inputs tell."""
    _check_only(run, changes)
    after = changes.portfolio(run.portfolio)
    market = changes.market(run.market)
    scenarios = changes.scenario_set(run.scenarios, run.market, market)
    return RunRow(
        uuid.uuid4().hex[:12],
        _content(run, changes, rights),
        name,
        str(market.date),
        len(after),
        scenarios.sizes["scenario"],
        parent=run.run_id,
        rights=run.row.rights if rights is None else rights,
    )


def _check_only(run: Run, changes: Changes) -> None:
    """BadChanges for ``only`` that keeps no trade, as a misspelt value does; what one sees of a run may be nothing."""
    if not isinstance(changes.only, Books):
        return
    live, only = live_of(run), changes.only
    only.check((*live.ledger.label_names, "instrument", "currency"))
    there = live.cell >= 0
    if (only.held(live.ledger.label, len(there)) & there).any():
        return
    known = {}
    for label in only.labels:
        names = live.ledger.label(label)
        known[label] = sorted({names.names[code] for code in np.unique(names.codes.ravel()[there]).tolist()})
    told = "; ".join(f"{label}: {', '.join(map(repr, values[:12]))}" for label, values in known.items())
    raise BadChanges(f"only {only} keeps no trade{f'; known {told}' if told else ''}")


def _content(run: Run, changes: Changes, rights: str | None) -> str:
    return what_if_content(run.content_id, changes.digest, None if rights == run.row.rights else rights)


def _made(run: Run, changes: Changes, asking: _Asking, *, cluster: Any, tell: Told, lease: Lease | None = None) -> Run:
    """Beside its parent where that can be; else, or where a block of the parent had to be cut, in full."""
    if changes.replaces or (changes.shift and live_of(run).depends_on_levels()):
        return _in_full(run, changes, asking, cluster=cluster, tell=tell, lease=lease)
    begun = time.perf_counter()
    try:
        made, branch, live = _beside(run, changes, cluster, tell, lease)
    except BlockCut:
        return _in_full(run, changes, asking, cluster=cluster, tell=tell, lease=lease)
    except DamagedObject:
        run = _anew(run, cluster, tell)
        made, branch, live = _beside(run, changes, cluster, tell, lease)
    trades = int(live.cells.sums.trades.sum())
    row = RunRow(
        made.key,
        _content(run, changes, asking.rights),
        asking.name,
        run.row.as_of,
        trades,
        run.row.scenarios,
        parent=run.run_id,
        principal=user() if asking.principal is None else asking.principal,
        serves=asking.serves,
        rights=run.row.rights if asking.rights is None else asking.rights,
    )
    return _committed(made, branch, live, replace(row, seconds=time.perf_counter() - begun))


def _beside(run: Run, changes: Changes, cluster: Any, tell: Told, lease: Lease | None) -> tuple[Making, Branch, Live]:
    """The what-if, priced and kept."""
    with run.store.deferred() as behind:
        made = Making(run, live_of(run), changes, cluster, tell, behind, lease)
        branch, live = made.branch()
        meta, arrays = branch.parts()
        refs = {kind: sorted(keys) for kind, keys in made.used.items()}
        behind.put("changes", made.key, {**meta, "refs": refs}, arrays)
    return made, branch, live


def _found(store: Store, content: str, parent: str, name: str, principal: str | None = None) -> Run | None:
    """The finished answer to the same question about the same parent, whole and by this code.

    principal : by whom it was asked, under this name if there is one; None for anybody and any name.
    """
    catalogue = store.catalogue
    found = catalogue.finished(content) if principal is None else catalogue.asked(content, principal, name, _COMPLETE)
    if found is None or found.parent != parent or not by_this_code(found.manifest):
        return None
    opened = open_run(found.run_id, store=store)
    if not opened.whole():
        return None
    if name and name != found.name:
        store.catalogue.call(found.run_id, name)
    return replace(opened, found=True)


def _current(run: Run, cluster: Any, progress: Any) -> Run:
    """The run, or where it was made by other code or libraries, the same question asked of these."""
    live: Live | None = run.__dict__.get("live")
    if live is not None and all(
        part.piece.instrument is INSTRUMENTS[part.piece.instrument.name] for part in live.parts
    ):
        # an instrument whose code cannot be told is the same as long as it is the one of then
        if None in instrument_codes(live.instruments).values() or by_this_code(run.manifest):
            return run
    elif live is None and by_this_code(run.manifest):
        return run
    return _anew(run, cluster, progress)


def _in_full(run: Run, changes: Changes, asking: _Asking, *, cluster: Any, tell: Told, lease: Lease | None) -> Run:
    """The changed inputs asked as a whole, of a run that has all it needs but knows its parent."""
    market = changes.market(run.market)
    asked = ask(
        changes.portfolio(run.portfolio),
        market,
        changes.scenario_set(run.scenarios, run.market, market),
        **_spec(run),
        held=True,
        origin=Origin(run.run_id, _content(run, changes, asking.rights), str(changes), run.known_as),
        rights=run.row.rights if asking.rights is None else asking.rights,
    )
    if lease is not None:
        return answer(asked, lease, cluster="threads" if cluster == "auto" else cluster, progress=tell)
    return _asked_anew(run.store, asked, asking, cluster, tell)


def _anew(run: Run, cluster: Any, tell: Any) -> Run:
    """A full run of the same inputs; what is damaged in the store is made anew on the way."""
    cluster = "threads" if cluster == "auto" else cluster
    if run.shows:
        books = Books.read(run.row.rights)
        return shown_to(_anew(run.parent, cluster, tell), books or Books())
    if run.row.parent is None:
        return asked_again(run, cluster=cluster, progress=tell)
    found = _found(run.store, run.content_id, run.row.parent, run.row.name)
    if found is not None and found.run_id != run.run_id:
        return found
    origin = Origin(run.row.parent, run.content_id, str(run.manifest["changes"]), str(run.manifest["parent"]))
    rights = run.row.rights
    asked = ask(run.portfolio, run.market, run.scenarios, **_spec(run), origin=origin, held=True, rights=rights)
    with shown(tell) as told:
        return _asked_anew(run.store, asked, _Asking(run.row.name, run.row.serves), cluster, told)


def _asked_anew(store: Store, asked: Question, asking: _Asking, cluster: Any, tell: Told) -> Run:
    row = row_for(asked, asking.name, serves=asking.serves)
    if asking.principal is not None:
        row = replace(row, principal=asking.principal)
    with Lease(store, taken_up(store, row)) as lease:
        return answer(asked, lease, cluster="threads" if cluster == "auto" else cluster, progress=tell)


def _spec(run: Run) -> dict[str, Any]:
    return {name: run.manifest[name] for name in ("reporting", "cell_labels", "bits", "cut")}


def _committed(made: Making, branch: Branch, live: Live, row: RunRow) -> Run:
    """Keep what is its own; the run becomes visible in the catalogue last."""
    run, failed = made.run, live.failing()
    manifest = {
        **run.manifest,
        **answered_by(live.instruments, code_of(live.instruments)),
        "kept": made.key,
        "parent": run.known_as,
        "beside": True,  # what it does not keep itself is its parent's
        "changes": str(made.changes),
        "unshocked": live.unshocked_factors(),
        "blocks": {"priced": made.priced, "found": made.reused, "failed": len(failed)},
        "valuations": made.valuations,
        "seconds": {name: round(spent, 6) for name, spent in sorted(made.seconds.items())},
        "labour": made.labour.to_manifest(),
    }
    if made.changes.only is not None:  # of a row that was no trade nobody knows the books
        manifest |= {"rejected": [], "rejected_rows": 0, "notices": []}
    manifest["shows"] = False
    status = "partial" if failed else "complete"
    result = live.cells.result(tuple(run.manifest["cell_labels"]))
    if made.lease is None:
        kept = replace(row, status=status, result_id=result, manifest=manifest)
        kept = run.store.catalogue.add(kept, audit="what-if")
    else:
        kept = made.lease.finish(status, result, manifest)
    child = Run(kept, run.store)
    child.__dict__.update(parent=run, branch=branch, live=live, scenarios=run.scenarios)
    return child
