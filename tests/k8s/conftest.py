"""Overlays, built once."""

import copy
import functools
from collections.abc import Callable

import pytest

from tests.k8s.overlay import K8S, Objects, build


@functools.cache
def _built(name: str) -> Objects:
    return build(K8S / "overlays" / name)


@pytest.fixture
def built() -> Callable[[str], Objects]:
    """An overlay by its name, as kustomize builds it; whoever asks may change it."""
    return lambda name: copy.deepcopy(_built(name))
