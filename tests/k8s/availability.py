"""What keeps a service there for those who use it while nodes, versions and loads change."""

from __future__ import annotations

import re
from typing import Any

from tests.k8s.overlay import Objects, of_kind, pods, selects, where

_NGINX = "nginx.ingress.kubernetes.io"


def outlives_a_drained_node(objects: Objects) -> list[str]:
    """A budget of what people and runs stand on, and more than one of what may be several."""
    wrong = []
    for pod in pods(objects):
        budgets = [
            thing for thing in of_kind(objects, "PodDisruptionBudget") if selects(thing["spec"]["selector"], pod.labels)
        ]
        if pod.role in ("api", "dashboard", "runner", "scheduler") and len(budgets) != 1:
            wrong.append(f"{pod.where}: {len(budgets)} disruption budgets; one is right")
    scaled = {thing["spec"]["scaleTargetRef"]["name"] for thing in of_kind(objects, "HorizontalPodAutoscaler")}
    for thing in of_kind(objects, "Deployment"):
        role = thing["spec"]["selector"]["matchLabels"].get("app.kubernetes.io/component")
        replicas = thing["spec"].get("replicas")
        if thing["metadata"]["name"] in scaled and replicas is not None:
            wrong.append(f"{where(thing)}: replicas: {replicas} undoes what its autoscaler has chosen")
        if thing["metadata"]["name"] not in scaled and role in ("api", "dashboard", "runner") and (replicas or 1) < 2:
            wrong.append(f"{where(thing)}: is gone with the node that it is on; 2 replicas are right")
        if role in ("api", "dashboard", "runner") and not thing["spec"]["template"]["spec"].get(
            "topologySpreadConstraints"
        ):
            wrong.append(f"{where(thing)}: its replicas may all be on one node")
    return wrong


def keeps_a_browser_at_one_dashboard(objects: Objects) -> list[str]:
    """By address at the service and by cookie at the ingress, whose hosts speak TLS and whose sockets last."""
    wrong = []
    for thing in of_kind(objects, "Service"):
        if thing["metadata"]["name"] == "riskgrid-dashboard" and thing["spec"].get("sessionAffinity") != "ClientIP":
            wrong.append(f"{where(thing)}: sessions are lost between replicas; sessionAffinity: ClientIP is right")
    for thing in of_kind(objects, "Ingress"):
        said, rules = thing["metadata"].get("annotations", {}), thing["spec"]["rules"]
        led = {path["backend"]["service"]["name"] for rule in rules for path in rule["http"]["paths"]}
        if "riskgrid-dashboard" in led and said.get(f"{_NGINX}/affinity") != "cookie":
            wrong.append(f"{where(thing)}: sessions are lost between replicas; affinity by cookie is right")
        if "riskgrid-dashboard" in led and int(said.get(f"{_NGINX}/proxy-read-timeout", 60)) <= 60:
            wrong.append(f"{where(thing)}: ends a page's socket after a minute")
        hosts = {host for each in thing["spec"].get("tls", []) for host in each["hosts"]}
        wrong += [f"{where(thing)}: {rule['host']} has no TLS" for rule in rules if rule["host"] not in hosts]
    return wrong


def plain_workers_come_back(objects: Objects) -> list[str]:
    """However often one fails, and on a scheduler whose workers nobody scales: any of them would be retired."""
    wrong, known = [], pods(objects)
    for thing in of_kind(objects, "Job"):
        template = thing["spec"]["template"]["spec"]
        address = _value(template["containers"][0], "DASK_SCHEDULER_ADDRESS")
        if address is None:
            continue
        if template["restartPolicy"] != "OnFailure" or thing["spec"].get("backoffLimit", 6) < 2**31 - 1:
            wrong.append(f"{where(thing)}: its workers end for good with their scheduler")
        host = address.partition("://")[2]
        for pod in (pod for pod in known if pod.role == "runner"):
            right = f"--cluster={'tls' if _value(pod.containers[0], 'RISKGRID_TLS') else 'tcp'}://{host}"
            if right not in pod.containers[0]["command"]:
                wrong.append(f"{pod.where}: scales the cluster of {where(thing)}; {right} is right")
    return wrong


def _value(container: dict[str, Any], name: str) -> str | None:
    return next((each.get("value") for each in container.get("env", []) if each["name"] == name), None)


def migrates_once_a_version(objects: Objects) -> list[str]:
    """The Job's name ends with its image's version: a Job cannot be changed, so a new version is a new one.

    The version is the tag with '-' for what no name has, or the first twelve digits of the digest.
    """
    wrong = []
    for thing in of_kind(objects, "Job"):
        if not thing["metadata"]["name"].startswith("riskgrid-migrate"):
            continue
        image = thing["spec"]["template"]["spec"]["containers"][0]["image"]
        _, pinned, digest = image.partition("@sha256:")
        version = digest[:12] if pinned else re.sub("[^a-z0-9]+", "-", image.rpartition(":")[2].lower())
        if thing["metadata"]["name"] != f"riskgrid-migrate-{version}":
            wrong.append(
                f"{where(thing)}: is of {image}, and would not be made anew; riskgrid-migrate-{version} is right"
            )
    return wrong
