"""Pods that are killed while a run is at work: it finishes, with the same bits, and prices only what is missing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import riskgrid as rg
from tests.k8s.e2e.asked import BATCH, assert_same, at_work, kept
from tests.k8s.e2e.deployed import PATIENCE, Deployed
from tests.k8s.e2e.kubectl import Cluster, until


def kill(cluster: Cluster, component: str) -> str:
    """End a pod of a component at once, without a word to it."""
    name = until(lambda: cluster.ready(component), PATIENCE, f"no pod of '{component}'")[0]
    cluster("delete", "pod", name, "--grace-period=0", "--force")
    return name


@pytest.mark.parametrize(("component", "seed"), [("worker", 11), ("scheduler", 12), ("runner", 13)])
def test_run__outlives_a_pod_that_is_killed(
    deployment: Deployed, service: rg.Client, tmp_path: Path, component: str, seed: int
) -> None:
    asked = BATCH.other(seed)
    run = kept(service, asked)
    before = at_work(run)
    killed = kill(deployment.cluster, component)
    begun = time.monotonic()
    run = run.wait(timeout=PATIENCE, progress=None)
    seconds = time.monotonic() - begun
    assert run.status == "complete"
    progress = [event.data for event in run.events(timeout=60.0) if event.kind == "progress"]
    last = progress[-1]
    print(f"\n{killed} killed after {before['priced']} of {last['total']} blocks; done {seconds:.0f} s later: {last}")
    assert last["priced"] + last["found"] == last["total"]
    assert priced_in_all(progress) < 2 * last["total"]
    assert_same(run, asked.here(tmp_path))


def priced_in_all(progress: list[dict[str, int]]) -> int:
    """Blocks priced by all attempts: an attempt's count begins at nothing again."""
    done = highest = 0
    for data in progress:
        if data["priced"] < highest:
            done, highest = done + highest, 0
        highest = max(highest, data["priced"])
    return done + highest
