"""What tests of several folders need."""

import pytest

from riskgrid.registry import INSTRUMENTS


@pytest.fixture
def _registry():
    """Takes out again what a test registered."""
    before = set(INSTRUMENTS)
    yield
    for name in set(INSTRUMENTS) - before:
        INSTRUMENTS.remove(name)
