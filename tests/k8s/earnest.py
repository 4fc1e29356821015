"""What production's settings and images are: encrypted, with an issuer, of one version that does not move."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Any

import yaml

from tests.k8s.overlay import K8S, LOADER, Objects, of_kind, pods, where

_KUSTOMIZATION = K8S / "overlays" / "production" / "kustomization.yaml"
#: The widest network that may be trusted to say for whom it asks, in bits that are fixed.
_NETWORK = 8


def speaks_over_tls_alone(objects: Objects) -> list[str]:
    """Every URL of a setting, whoever is told of it; the store is a bucket."""
    wrong = []
    for thing in of_kind(objects, "ConfigMap"):
        wrong += [f"{where(thing)}: {name}: {text}" for name, text in thing["data"].items() if "http://" in text]
    for pod in pods(objects):
        told = [each for container in pod.containers for each in container.get("env", [])]
        wrong += [
            f"{pod.where}: {each['name']}: {each['value']}" for each in told if "http://" in each.get("value", "")
        ]
    if not _settings(objects).get("RISKGRID_STORE", "").startswith("s3://"):
        wrong.append("the store is no bucket, which every pod can see")
    return wrong


def knows_who_asks(objects: Objects) -> list[str]:
    """An issuer of tokens and an audience, rights in a file that is mounted, and proxies by their network."""
    said, wrong = _settings(objects), []
    wrong += [
        f"{name} is not said"
        for name in ("RISKGRID_OIDC_ISSUER", "RISKGRID_OIDC_AUDIENCE", "RISKGRID_RIGHTS", "TRUSTED_PROXIES")
        if not said.get(name)
    ]
    rights = PurePosixPath(said.get("RISKGRID_RIGHTS", "/"))
    maps = {thing["metadata"]["name"]: thing["data"] for thing in of_kind(objects, "ConfigMap")}
    for pod in (pod for pod in pods(objects) if pod.role in ("api", "dashboard")):
        volumes = {each["name"]: each.get("configMap", {}).get("name") for each in pod.spec["volumes"]}
        files = [
            PurePosixPath(mount["mountPath"]) / name
            for container in pod.containers
            for mount in container["volumeMounts"]
            for name in maps.get(volumes.get(mount["name"]), ())
        ]
        if rights not in files:
            wrong.append(f"{pod.where}: {rights} is not mounted")
    return wrong + [
        f"TRUSTED_PROXIES: {proxy}: trusts whoever says for whom it asks"
        for proxy in said.get("TRUSTED_PROXIES", "").split(",")
        if not _is_a_network(proxy.strip())
    ]


def runs_one_version(objects: Objects) -> list[str]:
    """One image for all, the one that the overlay names, by a version in digits or a digest."""
    listed = yaml.load(_KUSTOMIZATION.read_text(), Loader=LOADER)["images"]
    right = {
        f"{each['newName']}@{each['digest']}" if "digest" in each else f"{each['newName']}:{each['newTag']}"
        for each in listed
    }
    found = sorted({(pod.where, container["image"]) for pod in pods(objects) for container in pod.containers})
    wrong = [f"{place}: image {image} is not what the overlay names" for place, image in found if image not in right]
    return wrong + [
        f"{place}: image {image} may move; digits and dots or a digest are right"
        for place, image in found
        if not re.fullmatch(r".+(:\d+(\.\d+)+|@sha256:[0-9a-f]{64})", image)
    ]


def _settings(objects: Objects) -> dict[str, Any]:
    return next(
        (thing["data"] for thing in of_kind(objects, "ConfigMap") if thing["metadata"]["name"] == "riskgrid-settings"),
        {},
    )


def _is_a_network(proxy: str) -> bool:
    try:
        return ipaddress.ip_network(proxy).prefixlen >= _NETWORK
    except ValueError:
        return False
