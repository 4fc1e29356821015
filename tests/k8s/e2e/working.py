"""Runs on a cluster: the bits of a laptop, workers that come and go, an answer while a batch runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import riskgrid as rg
from tests.k8s.e2e.asked import BATCH, LITTLE, assert_same, at_work, blocks_of, kept
from tests.k8s.e2e.deployed import PATIENCE
from tests.k8s.e2e.kubectl import Cluster, until

#: What the image pins, see its Containerfile.
PINNED = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE")


def replicas(cluster: Cluster) -> int:
    """Workers that somebody asks for now."""
    return int(cluster.get("daskworkergroup", "riskgrid-default")["spec"]["worker"]["replicas"])


def test_run__has_the_bits_of_a_laptop(service: rg.Client, cluster: Cluster, tmp_path: Path) -> None:
    assert replicas(cluster) == 0
    begun = time.monotonic()
    there = kept(service, LITTLE).wait(timeout=PATIENCE, progress=None)
    print(f"\na run from no worker at all: {time.monotonic() - begun:.1f} s")
    assert_same(there, LITTLE.here(tmp_path))


def test_blocks__have_the_keys_of_any_machine_that_names_the_same_processor(cluster: Cluster, tmp_path: Path) -> None:
    """So whoever computes as the image does finds what the grid has priced, and the other way round."""
    told = cluster.inside("runner", "sh", "-c", "".join(f'echo "${name}";' for name in PINNED)).split("\n")
    pinned = dict(zip(PINNED, told, strict=False))
    assert pinned["NUMBA_CPU_NAME"]
    here = LITTLE.here(tmp_path / "here")
    places = here.run_id, str(tmp_path / "here"), str(tmp_path / "again")
    program = f"import json; from tests.k8s.e2e.asked import blocks_again; print(json.dumps(blocks_again{places}))"
    made = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **pinned}, capture_output=True, text=True, check=True
    )
    mine = set(json.loads(made.stdout))
    assert mine
    assert mine - blocks_of(cluster) == set()


def test_workers__come_when_a_run_wants_them_and_go_when_it_is_over(service: rg.Client, cluster: Cluster) -> None:
    until(lambda: replicas(cluster) == 0, PATIENCE, "workers of the last run are still asked for")
    run = kept(service, BATCH.other(1))
    wanted = until(lambda: replicas(cluster), PATIENCE, "no workers were asked for")
    until(lambda: cluster.ready("worker"), PATIENCE, "no worker came")
    run.wait(timeout=PATIENCE, progress=None)
    ended = time.monotonic()
    until(lambda: replicas(cluster) == 0, PATIENCE, "workers stay though nobody wants them")
    until(lambda: not cluster.pods("worker", gone=True), PATIENCE, "pods of workers stay")
    print(f"\nworkers: {wanted} asked for, none {time.monotonic() - ended:.0f} s after the run")


def test_what_if__is_answered_while_a_batch_runs(service: rg.Client, tmp_path: Path) -> None:
    parent = kept(service, LITTLE).wait(timeout=PATIENCE, progress=None)
    batch = kept(service, BATCH.other(2))
    at_work(batch)
    first = str(parent.trade_table()["trade_id"].values[0])
    changes: dict[str, Any] = {"resize": {first: 3.0}, "shift": {"fx:EUR": "-2%"}}
    begun = time.monotonic()
    answer = parent.what_if(changes, timeout=PATIENCE)
    seconds = time.monotonic() - begun
    assert batch.refreshed().status == "running"
    print(f"\na what-if, while a batch runs: {seconds:.2f} s")
    assert_same(answer, rg.what_if(LITTLE.here(tmp_path), changes))
    batch.wait(timeout=PATIENCE, progress=None)
