"""A registry with the deadly instrument, and stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from riskgrid.registry import INSTRUMENTS
from riskgrid.store import Store
from tests.faults import deadly


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """The instrument is known while a test runs."""
    INSTRUMENTS.add("deadly", deadly.DEADLY)
    yield
    INSTRUMENTS.remove("deadly")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def other(tmp_path: Path) -> Store:
    """A store of its own for the undisturbed run."""
    return Store(tmp_path / "other")


@pytest.fixture
def third(tmp_path: Path) -> Store:
    """One more."""
    return Store(tmp_path / "third")
