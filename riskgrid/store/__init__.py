"""The block store and the catalogue of runs: the only place that touches files and the database of a run."""

from riskgrid.store.catalogue import Catalogue, RunRow
from riskgrid.store.failure import explained
from riskgrid.store.objects import Store, Stored

__all__ = ["Catalogue", "RunRow", "Store", "Stored", "explained"]
