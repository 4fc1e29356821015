"""What tests of several folders need."""

import gc

import pytest
from hypothesis import HealthCheck, settings

from riskgrid.registry import INSTRUMENTS
from tests.buckets import bucket, place, s3_server  # noqa: F401  # fixtures
from tests.forking import forked  # noqa: F401  # a fixture
from tests.postgres import postgres, postgres_server, where  # noqa: F401  # fixtures of the tests of several folders

# how long an example takes says what else the machine has to do
settings.register_profile("timeless", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("timeless")


def pytest_collection_finish() -> None:
    """Seven hundred thousand objects of collected tests live to the end: no garbage is looked for among them."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def _registry():
    """Takes out again what a test registered."""
    before = set(INSTRUMENTS)
    yield
    for name in set(INSTRUMENTS) - before:
        INSTRUMENTS.remove(name)
