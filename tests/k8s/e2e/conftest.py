"""One deployment for all that is shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import riskgrid as rg
from tests.k8s.e2e.deployed import Deployed, deployed
from tests.k8s.e2e.kubectl import Cluster


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployed]:
    """riskgrid as the overlay ``e2e`` describes it."""
    with deployed() as made:
        yield made


@pytest.fixture
def cluster(deployment: Deployed) -> Cluster:
    """Where it is."""
    return deployment.cluster


@pytest.fixture
def service(deployment: Deployed) -> Iterator[rg.Client]:
    """A client of its API."""
    with deployment.service() as client:
        yield client
