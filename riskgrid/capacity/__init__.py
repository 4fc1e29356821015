"""What a book, a number of scenarios and a deadline need of a cluster and of a store."""

from riskgrid.capacity.model import RESTS, Capacity, Figure, capacity
from riskgrid.capacity.need import Kind, Need, need_of_book, need_of_run, need_of_valuations

__all__ = [
    "RESTS",
    "Capacity",
    "Figure",
    "Kind",
    "Need",
    "capacity",
    "need_of_book",
    "need_of_run",
    "need_of_valuations",
]
