"""Overlays, built once."""

import functools
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.k8s.overlay import K8S, Objects, build


@functools.cache
def _built(name: str) -> bytes:
    return pickle.dumps(_build(name))  # which is read in a tenth of the time that a deep copy takes


def _build(name: str) -> Objects:
    overlay, _, component = name.partition("+")
    if not component:
        return build(K8S / "overlays" / overlay)
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(K8S, Path(folder) / "k8s")) / "overlays" / overlay
        text = (copied / "kustomization.yaml").read_text()
        put_in = text.replace(f"  # - ../../components/{component} ", f"  - ../../components/{component} ")
        assert put_in != text, f"{overlay} has no commented line of the component {component}"
        (copied / "kustomization.yaml").write_text(put_in)
        return build(copied)


@pytest.fixture
def built() -> Callable[[str], Objects]:
    """An overlay by its name, as kustomize builds it, ``overlay+component`` with a component that it has commented out;
    whoever asks may change it.
    """
    return lambda name: pickle.loads(_built(name))
