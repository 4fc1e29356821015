"""Keeping a store in order: what no run refers to is removed, what is damaged is found."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from riskgrid.errors import BadSpec, DamagedObject
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot, object_of
from riskgrid.references import references_of
from riskgrid.store import KINDS, RunRow, Store, store_of

__all__ = ["Fault", "Freed", "Verified", "gc", "remove", "verify"]

#: What somebody is still making is younger.
GRACE = timedelta(hours=24)

#: Kinds that may be missing: they are made anew where they are needed.
_MADE_ANEW = frozenset({"sums", "panels", "pieces", "reads", "quarantine"})

_LOADERS: Mapping[str, Callable[[Store, str], Any]] = {
    "portfolio": load_portfolio,
    "market": load_snapshot,
    "scenarios": load_scenarios,
}


@dataclass(frozen=True)
class Freed:
    """What :func:`gc` removed, or with a dry run would remove: objects and bytes by kind.

    kept : objects that stay, by kind.   running : ids of runs that are being executed; nothing is removed then.
    ``leftovers`` are files of writers that were killed.
    """

    objects: Mapping[str, int]
    bytes: Mapping[str, int]
    kept: Mapping[str, int]
    running: tuple[str, ...] = ()
    dry_run: bool = False

    def __str__(self) -> str:
        if self.running:
            return f"nothing removed while {_listed(self.running)} being executed; ask again later"
        did = "would remove" if self.dry_run else "removed"
        total = f"{did} {sum(self.objects.values()):,} objects, {_size(sum(self.bytes.values()))}"
        parts = [
            f"{count:,} {kind if count > 1 else kind.removesuffix('s')} ({_size(self.bytes[kind])})"
            for kind, count in self.objects.items()
            if count
        ]
        return f"{total}: {', '.join(parts)}" if parts else total

    def __rich__(self) -> Any:
        """A table by kind."""
        from rich.table import Table

        table = Table("kind", "removed", "bytes", "kept", title=str(self).partition(":")[0], title_justify="left")
        for kind, count in self.objects.items():
            if count or self.kept.get(kind):
                table.add_row(kind, f"{count:,}", _size(self.bytes[kind]), f"{self.kept.get(kind, 0):,}")
        return table


@dataclass(frozen=True)
class Fault:
    """An object that a run refers to and cannot be read. what : why.   runs : ids of those that need it."""

    kind: str
    key: str
    what: str
    runs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.what} (needed by {_listed(self.runs, verb=False)})"


@dataclass(frozen=True)
class Verified:
    """What :func:`verify` found. read : objects read in full.   repaired : damaged ones were thrown away."""

    runs: tuple[str, ...]
    read: int
    damaged: tuple[Fault, ...]
    missing: tuple[Fault, ...]
    repaired: bool = False

    @property
    def whole(self) -> bool:
        """Whether everything is as it was written."""
        return not (self.damaged or self.missing)

    def __str__(self) -> str:
        runs = f"{len(self.runs):,} run{'s' * (len(self.runs) != 1)}"
        if self.whole:
            return f"{self.read:,} objects of {runs} are as they were written"
        lines = [f"{self.read:,} objects of {runs} read: {len(self.damaged)} damaged, {len(self.missing)} missing"]
        lines += [f"  damaged: {fault}" for fault in self.damaged] + [f"  missing: {fault}" for fault in self.missing]
        if self.damaged and not self.repaired:
            lines.append("with --repair what is damaged is thrown away; asking the same question again makes it anew")
        elif self.damaged or self.missing:
            lines.append("ask the same questions again: what is not there is made anew")
        return "\n".join(lines)


def gc(store: Store | Path | str | None = None, *, dry_run: bool = False, grace: timedelta = GRACE) -> Freed:
    """Remove the objects that no run in the catalogue refers to, and nothing else.

    grace : what is younger stays, as a run may be about to refer to it.   While a run is being executed nothing is
    removed. Inputs that have a name stay. A run that was never finished refers to nothing yet: its blocks stay for
    ``grace``, in which asking again takes them up.
    DamagedObject where it cannot be read what a run refers to: ``riskgrid verify --repair`` comes first.
    """
    store = store_of(store)
    if grace < timedelta(0):
        raise BadSpec(f"grace is {grace.total_seconds() / 3600:g} hours; none or more are right")
    kept = dict.fromkeys(KINDS, 0)
    unused: dict[str, list[tuple[str, int]]] = {kind: [] for kind in KINDS}
    oldest = time.time() - grace.total_seconds()
    if running := _executing(store, grace):
        return _freed({}, kept, running=running, dry_run=dry_run)
    live = _live(store)
    for kind in KINDS:
        for entry in store.list(kind):
            if entry.key in live[kind] or entry.modified > oldest:
                kept[kind] += 1
            else:
                unused[kind].append((entry.key, entry.size))
    leftovers = [(path, entry.size) for path, entry in store.backend.leftovers() if entry.modified <= oldest]
    if running := _executing(store, grace):  # one that has begun meanwhile may have found what nobody else needs
        return _freed({}, kept, running=running, dry_run=dry_run)
    if not dry_run:
        for kind, entries in unused.items():
            for key, _ in entries:
                renewed = store.backend.modified(kind, key)
                if renewed is None or renewed <= oldest:  # else a run has found it meanwhile
                    store.discard(kind, key)
        for path, _ in leftovers:
            path.unlink(missing_ok=True)
    sizes = {kind: [size for _, size in entries] for kind, entries in unused.items()}
    return _freed({**sizes, "leftovers": [size for _, size in leftovers]}, kept, dry_run=dry_run)


def verify(
    store: Store | Path | str | None = None,
    run: str | None = None,
    *,
    repair: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> Verified:
    """Read in full everything that a run, or every run, refers to, and name what is damaged or missing.

    run : its id, the beginning of it, or its name; its parents are read too.   repair : throw away what is damaged, so
    that asking again makes it anew.   tell : called with objects read and objects in all.
    """
    store = store_of(store)
    work = _Verifying(store)
    rows = list(_rows(store)) if run is None else list(_lineage(store, run))
    for row in rows:
        work.refer(row)
    work.read(tell)
    if repair:
        for fault in work.damaged:
            store.discard(fault.kind, fault.key)
    runs = tuple(row.run_id for row in rows)
    return Verified(runs, work.count, tuple(work.damaged), tuple(work.missing), repair)


def remove(store: Store | Path | str | None, run: str) -> RunRow:
    """Forget a run; what it alone refers to is freed by the next :func:`gc`. Returns what was known of it.

    run : its id, the beginning of it, or its name.   BadSpec where it is being executed or has what-ifs.
    """
    store = store_of(store)
    row = store.catalogue.get(run)
    store.catalogue.remove(row.run_id)
    return row


@dataclass
class _Verifying:
    """Objects that runs refer to, and what is wrong with them."""

    store: Store
    needed: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    inputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    damaged: list[Fault] = field(default_factory=list)
    missing: list[Fault] = field(default_factory=list)
    count: int = 0

    def refer(self, row: RunRow) -> None:
        """Take up what a run refers to; where that is damaged itself, it alone."""
        try:
            found = references_of(self.store, row)
        except DamagedObject:
            found = references_of(self.store, row, own=True)
        for what, key in found.inputs.items():
            self.inputs[object_of(what, key)] = what, key
        for kind, keys in found.keys.items():
            for key in keys:
                self.needed[kind, key].append(row.run_id)

    def read(self, tell: Callable[[int, int], None] | None) -> None:
        """Read everything once."""
        there: dict[str, set[str]] = {}
        for kind in {kind for kind, _ in self.needed}:
            there[kind] = self.store.has(kind, [key for of, key in self.needed if of == kind])
        for at, ((kind, key), runs) in enumerate(self.needed.items(), 1):
            if key not in there[kind]:
                if kind not in _MADE_ANEW:
                    self.missing.append(Fault(kind, key, "is not there", tuple(runs)))
            else:
                self._read(kind, key, tuple(runs))
            if tell is not None:
                tell(at, len(self.needed))

    def _read(self, kind: str, key: str, runs: tuple[str, ...]) -> None:
        self.count += 1
        try:
            self.store.check(kind, key)
            if kind == "inputs" and key in self.inputs:
                what, digest = self.inputs[key]
                _LOADERS[what](self.store, digest)
        except DamagedObject as error:
            self.damaged.append(Fault(kind, key, str(error).partition("; ")[0], runs))


def _live(store: Store) -> dict[str, set[str]]:
    """Keys of all objects that runs and names refer to, by kind."""
    live: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for row in _rows(store):
        try:
            found = references_of(store, row)
        except DamagedObject as error:
            reason = str(error).partition("; ask")[0]
            raise DamagedObject(
                f"nothing was removed: what run '{row.run_id}' refers to cannot be read, as {reason}; say 'riskgrid "
                f"verify {row.run_id} --repair' first"
            ) from error
        for kind, keys in found.keys.items():
            live.setdefault(kind, set()).update(keys)
    for what in _LOADERS:
        live["inputs"].update(object_of(what, key) for key in store.names.known(what).values())
    return live


def _rows(store: Store) -> Iterator[RunRow]:
    """Every run of the catalogue, page by page."""
    rows = store.catalogue.list()
    while rows:
        yield from rows
        rows = store.catalogue.list(before=rows[-1].run_id)


def _lineage(store: Store, run: str) -> Iterator[RunRow]:
    """A run and those it is a what-if of."""
    row: RunRow | None = store.catalogue.get(run)
    while row is not None:
        yield row
        row = store.catalogue.get(row.parent) if row.parent else None


def _executing(store: Store, grace: timedelta) -> tuple[str, ...]:
    """Runs that are being executed: with a live lease, or without any and begun within the grace."""
    begun = (datetime.now(UTC) - grace).isoformat(timespec="milliseconds")
    rows = store.catalogue.list(status="running")
    return tuple(row.run_id for row in rows if row.lease_until is not None or (row.started or row.created) > begun)


def _freed(
    sizes: Mapping[str, list[int]], kept: Mapping[str, int], *, running: tuple[str, ...] = (), dry_run: bool
) -> Freed:
    counts = {kind: len(found) for kind, found in sizes.items()}
    return Freed(counts, {kind: sum(found) for kind, found in sizes.items()}, dict(kept), running, dry_run)


def _listed(runs: tuple[str, ...], most: int = 3, *, verb: bool = True) -> str:
    shown = ", ".join(runs[:most]) + (f" and {len(runs) - most} more" if len(runs) > most else "")
    named = f"run{'s' * (len(runs) != 1)} {shown}"
    return f"{named} {'is' if len(runs) == 1 else 'are'}" if verb else named


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000.0:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000.0
    return f"{count:.1f} TB"
