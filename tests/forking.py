"""Processes forked from one that has done its imports, which cost each of them more than what is tried in it."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

import dask
import distributed  # noqa: F401  # it brings the settings of Dask that are set here
import pytest

#: What is imported before anything is forked.
IMPORTED = (
    *("alembic.command", "distributed.nanny", "psycopg", "pytest", "riskgrid.store", "tests.faults.deadly"),
    *("riskgrid.api.app", "riskgrid.runner"),
)


def forking() -> ForkServerContext:
    """Fresh processes that know nothing of this one. They have its environment as it was when this was first called."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    forkserver.ensure_running()
    return context


@pytest.fixture
def forked() -> Iterator[None]:
    """Worker processes start in no time, for tests of what they do. Tests of how they start do that as a user does."""
    forking()
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        yield
