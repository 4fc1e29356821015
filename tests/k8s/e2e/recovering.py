"""Pods that are killed while a run is at work: it finishes, with the same bits, and prices only what is missing."""

from __future__ import annotations

import itertools
import json
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
    blocks, total = counted(deployment.cluster, run.run_id), progress[-1]["total"]
    print(f"\n{killed} killed after {before['priced']} of {total} blocks; done {seconds:.0f} s later: {blocks}")
    assert blocks["priced"] + blocks["found"] == total
    assert blocks["failed"] == 0
    if component != "worker":  # which ends no attempt at the run; the others do, and the next one finds what there is
        assert blocks["found"] >= before["priced"]
    assert priced_in_all(progress, blocks["priced"]) < 2 * total
    assert_same(run, asked.here(tmp_path))


def counted(cluster: Cluster, run_id: str) -> dict[str, int]:
    """Blocks that the last attempt at a run priced, found and failed, as its manifest has them."""
    program = f"import json, riskgrid; print(json.dumps(riskgrid.open_run({run_id!r}).manifest['blocks']))"
    return dict(json.loads(cluster.inside("runner", "python", "-c", program)))


def priced_in_all(progress: list[dict[str, int]], last: int) -> int:
    """Blocks priced by all attempts, as far as they were told of: an attempt's count begins at nothing again."""
    counts = [data["priced"] for data in progress] + [last]
    return last + sum(before for before, after in itertools.pairwise(counts) if after < before)
