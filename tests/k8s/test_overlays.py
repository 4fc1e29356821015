"""Every overlay holds what is asked of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from tests.k8s import (
    availability,
    commands,
    credential,
    earnest,
    exposure,
    hardening,
    isolation,
    passage,
    schemas,
    wiring,
)
from tests.k8s.overlay import K8S, OVERLAYS, Objects, Pod, at, build, of_kind, pods, where

#: Production with the part that it has commented out.
ALL = "production+grid"

#: What every overlay holds.
CHECKS = (
    schemas.fits_schema,
    hardening.is_looked_at,
    hardening.runs_as_nobody,
    hardening.is_told_what_it_knows,
    hardening.is_bounded,
    hardening.is_watched,
    hardening.has_its_rank,
    hardening.leaves_a_lost_node,
    hardening.speaks_to_kubernetes_only_where_it_must,
    hardening.names_its_image,
    wiring.has_a_name,
    wiring.names_what_there_is,
    wiring.services_reach_pods,
    wiring.selectors_select,
    commands.commands_are_known,
    commands.settings_are_known,
    commands.workers_are_as_planned,
    commands.clusters_are_there,
    commands.shells_run_what_they_must,
    credential.keeps_no_secret,
    credential.each_role_holds_its_own,
    exposure.services_are_of_the_cluster_alone,
    exposure.pods_listen_where_they_say,
    isolation.grants_the_least,
    isolation.stays_in_its_namespace,
    availability.migrates_once_a_version,
    availability.plain_workers_come_back,
)

#: What production holds besides.
OF_PRODUCTION = (
    passage.every_pod_is_fenced,
    passage.pods_reach_each_other_as_they_must,
    passage.pods_are_reached_from_outside_as_they_must,
    passage.pods_reach_outside_as_they_must,
    credential.only_the_grid_speaks_tls,
    exposure.ingress_leads_to_pages_alone,
    earnest.speaks_over_tls_alone,
    earnest.knows_who_asks,
    earnest.runs_one_version,
    availability.outlives_a_drained_node,
    availability.keeps_a_browser_at_one_dashboard,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [*OVERLAYS, ALL])
def test_overlay(name: str, check: Callable[[Objects], list[str]], built: Callable[[str], Objects]) -> None:
    assert check(built(name)) == []


@pytest.mark.parametrize("check", OF_PRODUCTION, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["production", ALL])
def test_overlay_production(name: str, check: Callable[[Objects], list[str]], built: Callable[[str], Objects]) -> None:
    assert check(built(name)) == []


@pytest.mark.parametrize(
    "image",
    [
        "newName: registry.bank.example:5000/risk/riskgrid, newTag: 0.1.0",
        "newName: registry.example/riskgrid, newTag: 0.1.0_RC1",
        f"newName: registry.example/riskgrid, digest: sha256:{'0a' * 32}",
    ],
    ids=["a port", "a tag", "a digest"],
)
def test_overlay_production__takes_any_name_of_an_image(image: str, tmp_path: Path) -> None:
    shutil.copytree(K8S, tmp_path / "k8s")
    overlay = tmp_path / "k8s/overlays/production/kustomization.yaml"
    before = overlay.read_text()
    overlay.write_text(before.replace("newName: registry.example/riskgrid, newTag: 0.1.0", image))
    assert image in overlay.read_text()
    objects = build(overlay.parent)
    assert [*wiring.has_a_name(objects), *hardening.names_its_image(objects)] == []


def test_overlay_e2e__asks_for_nothing_that_kubernetes_120_lacks(built: Callable[[str], Objects]) -> None:
    assert schemas.is_of_an_old_cluster(built("e2e")) == []


def test_operator__is_started_with_options_that_it_knows(built: Callable[[str], Objects]) -> None:
    from kopf.cli import main  # seconds: it takes every client of Kubernetes along

    command = next(pod for pod in pods(built("production")) if pod.role == "operator").containers[0]["command"]
    commands.read(main, command[0], command[1:])
    with pytest.raises(click.UsageError, match="--everywhere"):
        commands.read(main, command[0], [*command[1:], "--everywhere"])


def test_readme__says_what_memory_local_asks_for(built: Callable[[str], Objects]) -> None:
    objects = built("local")
    replicas = {where(thing): at(thing, "spec").get("replicas", 1) for thing in of_kind(objects, "Deployment")}
    lasting = [pod for pod in pods(objects) if pod.lasts]
    worker = sum(_memory(pod) for pod in lasting if pod.role == "worker")
    rest = sum(_memory(pod) * replicas.get(pod.where, 1) for pod in lasting if pod.role != "worker")
    (settings,) = (thing for thing in of_kind(objects, "ConfigMap") if "RISKGRID_WORKERS" in thing["data"])
    assert settings["data"]["RISKGRID_WORKERS"] == "0-2x1"
    said = f"ask for {rest / 1e9:.1f} GB of memory, {(rest + 2 * worker) / 1e9:.1f} with two workers"
    assert said in (K8S / "README.md").read_text()


def _memory(pod: Pod) -> int:
    """Bytes that the containers of a pod ask for."""
    asked = [container["resources"]["requests"]["memory"] for container in pod.containers]
    return sum(int(text[:-2]) * {"Mi": 2**20, "Gi": 2**30}[text[-2:]] for text in asked)


def test_readme__names_every_part() -> None:
    text = (K8S / "README.md").read_text()
    parts = [path.name for path in (K8S / "base").glob("*.yaml") if path.name != "kustomization.yaml"]
    parts += [path.name for folder in ("components", "overlays") for path in (K8S / folder).iterdir()]
    assert [name for name in parts if f"`{name}`" not in text] == []
