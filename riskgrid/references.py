"""Which objects of the store a run refers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from riskgrid.inputs import object_of
from riskgrid.store import RunRow, Store

__all__ = ["References", "references_of"]

#: Kinds whose objects have the id of their run as their key.
_OWN = ("cells", "plans", "changes")


@dataclass(frozen=True)
class References:
    """keys : of the objects a run needs, by kind, its inputs among them.   inputs : key of each input by what it is."""

    keys: Mapping[str, frozenset[str]]
    inputs: Mapping[str, str]


def references_of(store: Store, row: RunRow, *, own: bool = False) -> References:
    """What a run refers to: its own objects, its inputs, its blocks, and whatever its plan says in ``refs``.

    own : its own objects and inputs alone.   Of a what-if, what it has beside its parent.
    DamagedObject where the plan or the changes cannot be read.
    """
    inputs: dict[str, str] = {}
    for source in (row.request, row.manifest):
        inputs |= {str(what): str(key) for what, key in (source.get("inputs") or {}).items()}
    mine = str(row.manifest.get("kept", row.run_id))
    keys: dict[str, set[str]] = {kind: store.has(kind, [mine]) for kind in _OWN}
    if row.status in ("complete", "partial"):
        for kind in ("changes",) if row.parent and not keys["plans"] else ("cells", "plans"):
            keys[kind].add(mine)  # it is needed, there or not
    keys["inputs"] = {object_of(what, key) for what, key in inputs.items()} | set(row.request.get("keeps", ()))
    if not own:
        for kind in ("plans", "changes"):
            for key in store.has(kind, keys[kind]):
                _add(keys, store.get(kind, key).meta)
    return References({kind: frozenset(found) for kind, found in keys.items()}, inputs)


def _add(keys: dict[str, set[str]], meta: Mapping[str, Any]) -> None:
    """What the meta of a plan or of changes names: blocks always, the rest where ``refs`` lists it."""
    for kind, named in (meta.get("refs") or {}).items():
        keys.setdefault(kind, set()).update(named)
    blocks = keys.setdefault("blocks", set())
    blocks.update(meta.get("keys", ()))
    blocks.update(meta.get("placement", {}).get("keys", ()))
    failed = set(meta.get("failed", ()))  # these never were priced
    blocks.update(new for _, new in meta.get("rekeyed", ()) if new not in failed)
