"""riskgrid on a cluster, for as long as the tests need it: put there, opened to this machine, and taken away again."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import riskgrid as rg
from tests.k8s.e2e.kubectl import Cluster, Refused, until

__all__ = ["Deployed", "deployed"]

OVERLAY = Path(__file__).parents[3] / "k8s" / "overlays" / "e2e"
#: Seconds in which pods of a small machine are up: each imports a hundred libraries on its share of two cores.
PATIENCE = 600.0


@dataclass(frozen=True)
class Deployed:
    """Where it is, and a key that may do everything."""

    cluster: Cluster
    key: str

    @contextlib.contextmanager
    def service(self) -> Iterator[rg.Client]:
        """A client of the API, through a port of this machine."""
        with self.cluster.forwarded("riskgrid-api", 80) as url, rg.connect(url, key=self.key, timeout=120.0) as client:
            yield client


@contextlib.contextmanager
def deployed() -> Iterator[Deployed]:
    """The overlay ``e2e``, applied to a cluster that has no namespace of that name. All of it goes at the end."""
    cluster = Cluster(context=os.environ.get("RISKGRID_K8S_CONTEXT"))
    with contextlib.suppress(Refused):
        cluster("get", "namespace", cluster.namespace)
        raise SystemExit(f"riskgrid: namespace '{cluster.namespace}' is in use; delete it, or choose another cluster")
    begun = time.monotonic()
    try:
        install(cluster)
        key = until(lambda: make_key(cluster), PATIENCE, "no key could be made")
        for component in ("scheduler", "api", "dashboard", "runner"):
            until(lambda: cluster.ready(component), PATIENCE, f"'{component}' is not ready")  # noqa: B023, asked at once
        print(f"\nup after {time.monotonic() - begun:.0f} s")
        yield Deployed(cluster, key)
    except BaseException:
        with contextlib.suppress(Refused):
            print(cluster.explain())
        raise
    finally:
        if os.environ.get("RISKGRID_K8S_KEEP") != "1":
            remove(cluster)


def install(cluster: Cluster) -> None:
    """What the operator must find when it starts comes first: kinds that Kubernetes has taken up."""
    crds = subprocess.run(
        [sys.executable, "-m", "riskgrid", "cluster", "crds"], capture_output=True, text=True, check=True
    ).stdout
    cluster("apply", "--server-side", "--filename", "-", given=crds)
    names = re.findall(r"^  name: (\S+\.kubernetes\.dask\.org)$", crds, re.MULTILINE)
    cluster("wait", "--for=condition=Established", "--timeout=60s", *(f"crd/{name}" for name in names))
    cluster("create", "namespace", cluster.namespace)
    password = secrets.token_hex(12)
    literals = {
        "riskgrid-postgres": {"POSTGRES_PASSWORD": password},
        "riskgrid-store": {
            "RISKGRID_CATALOGUE": f"postgresql://riskgrid:{password}@postgres:5432/riskgrid",
            "AWS_ACCESS_KEY_ID": "e2e",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(12),
        },
    }
    for name, values in literals.items():
        words = [f"--from-literal={variable}={value}" for variable, value in values.items()]
        cluster("create", "secret", "generic", name, *words)
    cluster("apply", "--filename", "-", given=overlay(cluster))


def overlay(cluster: Cluster) -> str:
    """The overlay's objects, with the images that this cluster can pull."""
    text = cluster("kustomize", str(OVERLAY))
    image = os.environ["RISKGRID_IMAGE"]
    name, colon, tag = image.rpartition(":")
    services = os.environ.get("RISKGRID_SERVICES_IMAGE") or f"{name}-services{colon}{tag}"
    return text.replace("image: riskgrid-services:e2e", f"image: {services}").replace(
        "image: riskgrid:e2e", f"image: {image}"
    )


def make_key(cluster: Cluster) -> str:
    """A key, made where the database's password is; API and dashboard wait for the first one to start."""
    said = cluster.inside(
        "runner", "riskgrid", "keys", "make", "e2e", "--all-books", "--scope=read", "--scope=run", "--scope=admin"
    )
    cluster("rollout", "restart", "deployment/riskgrid-api", "deployment/riskgrid-dashboard")
    for name in ("api", "dashboard"):
        cluster("rollout", "status", f"deployment/riskgrid-{name}", f"--timeout={PATIENCE:g}s", seconds=PATIENCE)
    return said.split()[0]


def remove(cluster: Cluster) -> None:
    """What the operator made goes while it is there: it holds on to it until it has seen it go."""
    with contextlib.suppress(Refused):
        cluster("delete", "daskcluster,daskworkergroup", "--all", "--timeout=60s")
    with contextlib.suppress(Refused):
        cluster("delete", "namespace", cluster.namespace, "--timeout=120s", seconds=150.0)
    with contextlib.suppress(Refused):
        cluster("delete", "priorityclass", "riskgrid-interactive", "riskgrid-batch")
