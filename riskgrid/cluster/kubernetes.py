"""Workers on Kubernetes: a worker group of Dask's operator, whose number is set at the Kubernetes API."""

from __future__ import annotations

import contextlib
import functools
import time
from pathlib import Path
from typing import Any

from riskgrid.errors import BadSpec, ClusterLost

__all__ = ["WorkerGroup", "scheduler_of"]

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
#: Seconds for which the number of workers is taken as it was read: others may set it too.
_FRESH = 5.0
_SECONDS = 10.0


def scheduler_of(where: str) -> tuple[str, WorkerGroup]:
    """Host and port of a cluster's scheduler, and its workers. where : ``[NAMESPACE/]NAME``, NAME by default riskgrid.

    BadSpec where that is no name, or without the extra ``kubernetes``; ClusterLost outside Kubernetes.
    """
    namespace, _, name = where.rpartition("/")
    name = name or "riskgrid"
    namespace = namespace or _own_namespace()
    for part in (namespace, name):
        if not part.replace("-", "").isalnum() or part != part.lower():
            raise BadSpec(f"cluster 'kubernetes:{where}' has no right name; kubernetes:NAMESPACE/NAME is right")
    return f"{name}-scheduler.{namespace}:8786", WorkerGroup(namespace, f"{name}-default")


class WorkerGroup:
    """A DaskWorkerGroup. The operator makes its pods, and hands a pod's tasks back before it removes it."""

    #: A pod that needs no new node and whose image is there.
    starting = 15.0

    def __init__(self, namespace: str, name: str) -> None:
        self.namespace, self.name = namespace, name
        self._read: tuple[float, int] | None = None

    def size(self) -> int:
        """Pods that are asked for. ClusterLost where the Kubernetes API does not tell."""
        if self._read is None or time.monotonic() - self._read[0] > _FRESH:
            with self._asking("read"):
                found = _api().get_namespaced_custom_object_scale(*self._path, _request_timeout=_SECONDS)
            self._read = time.monotonic(), int(found["spec"].get("replicas", 0))
        return self._read[1]

    def scale(self, workers: int) -> None:
        """Ask for so many pods. ClusterLost where the Kubernetes API refuses."""
        change = {"spec": {"replicas": workers}}
        how = {"_request_timeout": _SECONDS, "_content_type": "application/merge-patch+json"}
        self._read = None
        with self._asking("patch"):
            _api().patch_namespaced_custom_object_scale(*self._path, change, **how)

    @property
    def _path(self) -> tuple[str, ...]:
        return "kubernetes.dask.org", "v1", self.namespace, "daskworkergroups", self.name

    @contextlib.contextmanager
    def _asking(self, verb: str) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        what = f"{verb} the DaskWorkerGroup {self.namespace}/{self.name}"
        try:
            yield
        except ApiException as error:
            reason = {
                403: "this service account may not; its role must allow get and patch of daskworkergroups/scale",
                404: "there is none; a DaskCluster and Dask's operator make it",
            }.get(error.status, f"the Kubernetes API answers {error.status} {error.reason}")
            raise ClusterLost(f"cannot {what}: {reason}") from None
        except HTTPError as error:
            raise ClusterLost(f"cannot {what}: the Kubernetes API does not answer ({type(error).__name__})") from None


@functools.cache
def _api() -> Any:
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise BadSpec("Kubernetes is an extra; pip install 'riskgrid[kubernetes]' installs it") from error
    try:
        if _NAMESPACE.is_file():
            config.load_incluster_config()  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config()  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise ClusterLost(
            f"no Kubernetes is known here, neither by a service account nor a kubeconfig: {error}"
        ) from error
    return client.CustomObjectsApi()


def _own_namespace() -> str:
    with contextlib.suppress(OSError):
        return _NAMESPACE.read_text().strip()
    return "riskgrid"
