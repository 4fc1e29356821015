"""The block store and the catalogue of runs: the only place that touches files and the database of a run."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from riskgrid.store.container import Summed
from riskgrid.store.failure import explained
from riskgrid.store.objects import KINDS, Store, store_of
from riskgrid.store.row import BATCH, ENDINGS, INTERACTIVE, RunRow
from riskgrid.store.stored import Stored

if TYPE_CHECKING:
    from riskgrid.store.catalogue import Catalogue
    from riskgrid.store.database import Database
    from riskgrid.store.journal import Audited, Event, Journal
    from riskgrid.store.keys import KeyRow, Keys
    from riskgrid.store.names import NamedInput, Names
    from riskgrid.store.queue import Queue, Waiting

__all__ = [
    "BATCH",
    "ENDINGS",
    "INTERACTIVE",
    "KINDS",
    "Audited",
    "Catalogue",
    "Database",
    "Event",
    "Journal",
    "KeyRow",
    "Keys",
    "NamedInput",
    "Names",
    "Queue",
    "RunRow",
    "Store",
    "Stored",
    "Summed",
    "Waiting",
    "explained",
    "store_of",
]

# imported when first used: SQLAlchemy costs a worker that only reads blocks more than all the rest
_HOME = {
    "Audited": "journal",
    "Catalogue": "catalogue",
    "Database": "database",
    "Event": "journal",
    "Journal": "journal",
    "KeyRow": "keys",
    "Keys": "keys",
    "NamedInput": "names",
    "Names": "names",
    "Queue": "queue",
    "Waiting": "queue",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"riskgrid.store.{_HOME[name]}"), name)
