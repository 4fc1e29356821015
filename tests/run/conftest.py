"""One finished run that the tests of this folder read."""

import pytest

from riskgrid.running import run
from tests.run import made


@pytest.fixture(scope="session")
def book():
    return made.portfolio()


@pytest.fixture(scope="session")
def market():
    return made.market()


@pytest.fixture(scope="session")
def scenarios():
    return made.scenarios()


@pytest.fixture(scope="session")
def finished(book, market, scenarios, tmp_path_factory):
    return run(book, market, scenarios, store=tmp_path_factory.mktemp("finished"), cluster="threads:1", cut=16)
