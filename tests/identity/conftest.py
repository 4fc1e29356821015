"""An issuer for the tests of identity."""

import pytest

from tests.identity.issuing import Clock, Issuer, elliptic


@pytest.fixture
def issuer():
    made = Issuer(elliptic("one"))
    yield made
    made.close()


@pytest.fixture
def clock():
    return Clock()
