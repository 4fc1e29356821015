"""Shows riskgrid at work on a cluster: the one that kubectl points to, or one of our own on a bare machine.

``RISKGRID_IMAGE`` names an image that the nodes can pull (``RISKGRID_SERVICES_IMAGE`` that of the tests' database and
bucket, by default the same with ``-services``); ``RISKGRID_K8S_CONTEXT`` a context of kubectl's configuration.
``RISKGRID_K8S=bare`` brings up a cluster of one node, on Linux as root, and takes it down at the end.
Arguments go to pytest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.k8s.e2e.kubectl import Cluster, Refused

HERE = Path(__file__).parent
#: In this order: what is killed comes last.
SHOWN = ("deployment.py", "working.py", "recovering.py")


def main(arguments: Sequence[str]) -> int:
    """Exit status: that of pytest, 0 where there is no cluster to show it on, 1 for that in continuous integration."""
    if os.environ.get("RISKGRID_K8S") == "bare":
        from tests.k8s.e2e import bare

        with bare.cluster() as kubeconfig:
            os.environ["KUBECONFIG"] = str(kubeconfig)
            os.environ["RISKGRID_IMAGE"] = bare.IMAGE
            return shown(arguments)
    missing = lacking()
    if missing:
        print(f"riskgrid: nothing was shown on Kubernetes, as {missing}", file=sys.stderr)
        return 1 if os.environ.get("CI") == "true" else 0
    return shown(arguments)


def lacking() -> str:
    """What is missing to use the cluster that kubectl points to; nothing where it can be used."""
    if not os.environ.get("RISKGRID_IMAGE"):
        return "RISKGRID_IMAGE names no image that a cluster could pull; RISKGRID_K8S=bare makes both on Linux as root"
    try:
        Cluster(context=os.environ.get("RISKGRID_K8S_CONTEXT"))("get", "--raw", "/readyz", seconds=15.0)
    except (Refused, FileNotFoundError) as error:
        return f"kubectl reaches no cluster ({str(error).splitlines()[-1]})"
    return ""


def shown(arguments: Sequence[str]) -> int:
    """Run the tests; they lie in files that `make test` does not collect."""
    chosen = [word for word in arguments if not word.startswith("-")] or [str(HERE / name) for name in SHOWN]
    options = [word for word in arguments if word.startswith("-")]
    return int(pytest.main(["-p", "no:cacheprovider", "-p", "no:xdist", "-s", "-v", "-x", *options, *chosen]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
