"""A cluster of our own on a bare machine, with both images: no Docker, no registry, no image of anybody else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

IMAGE = "riskgrid:e2e"
_BARE = Path(__file__).parents[1] / "bare"
_ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def cluster() -> Iterator[Path]:
    """The kubeconfig of a cluster that has the images, for as long as one is inside.

    What takes long is kept in ``RISKGRID_K8S_HOME`` for the next time: Kubernetes, and the layers of the images.
    ``RISKGRID_K8S_KEEP=1`` leaves it up. SystemExit where this machine cannot have one.
    """
    if sys.platform != "linux" or os.geteuid() != 0:
        sys.exit("riskgrid: a cluster of our own needs Linux and root; else point kubectl at a cluster")
    home = Path(os.environ.get("RISKGRID_K8S_HOME") or _ROOT / "build" / "k8s").resolve()
    os.environ["RISKGRID_K8S_HOME"] = str(home)
    _do("packages")
    _do("build")
    _do("up")
    try:
        subprocess.run([_BARE / "images", IMAGE, "riskgrid-services:e2e"], check=True, env=_environment())
        yield home / "pki" / "admin.kubeconfig"
    finally:
        if os.environ.get("RISKGRID_K8S_KEEP") != "1":
            _do("down", "purge")


def _do(*words: str) -> None:
    subprocess.run([_BARE / "cluster", *words], check=True, env=_environment())


def _environment() -> dict[str, str]:
    beside = str(Path(sys.executable).parent)  # where the pinned kubectl is
    return {**os.environ, "PYTHON": sys.executable, "PATH": f"{beside}:{os.environ['PATH']}"}
