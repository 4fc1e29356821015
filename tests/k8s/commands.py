"""Commands and settings of pods, as riskgrid itself reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest

from riskgrid.cli import cli
from riskgrid.errors import RiskgridError
from riskgrid.settings import settings, told
from tests.k8s.overlay import Objects, Pod, named, of_kind, pods, where

#: Of ConfigMaps, what is read by others than riskgrid.
OTHERS = {"TRUSTED_PROXIES", "AWS_REGION"}
#: The one command that goes through a shell.
_NIGHTLY = (
    'day=$(date -u +%F); exec riskgrid submit /etc/riskgrid/nightly/run.yaml --name "nightly $day" --key "nightly-$day"'
)
#: Commands that are not ours.
FOREIGN = {"kopf", "services", "docker-entrypoint.sh"}


def commands_are_known(objects: Objects) -> list[str]:
    """Each command with its options, by the very parser that is to read it, in its container's environment."""
    wrong = []
    for pod in pods(objects):
        for container in pod.containers:
            words, given = list(container.get("command") or []), dict(_environment(objects, pod, container))
            wrong += [
                f"{pod.where}: the command uses $({name}), which is not set"
                for word in words
                for name in re.findall(r"\$\((\w+)\)", word)
                if name not in given and words[0] != "sh"
            ]
            with pytest.MonkeyPatch.context() as environment:
                for name, value in given.items():
                    environment.setenv(name, value)
                if error := _misread(words):
                    wrong.append(f"{pod.where}: {error}")
    return wrong


def settings_are_known(objects: Objects) -> list[str]:
    """Every variable of a ConfigMap that pods take in whole is a setting, and its value is accepted."""
    taken = {
        name
        for pod in pods(objects)
        for each in pod.containers
        for given in each.get("envFrom", [])
        if (name := given.get("configMapRef", {}).get("name"))
    }
    wrong = []
    for thing in of_kind(objects, "ConfigMap"):
        if thing["metadata"]["name"] not in taken:
            continue
        with pytest.MonkeyPatch.context() as environment:
            for name, value in thing["data"].items():
                environment.setenv(name, value)
            try:
                settings()
            except RiskgridError as error:
                wrong.append(f"{where(thing)}: {error}")
                continue
            vain = {each.variable: each.meaning for each in told() if each.meaning.startswith("no setting")}
        wrong += [f"{where(thing)}: {name}: {vain[name]}" for name in thing["data"] if name in vain]
        strange = [name for name in thing["data"] if not name.startswith("RISKGRID_") and name not in OTHERS]
        wrong += [f"{where(thing)}: nobody reads {name}" for name in strange]
    return wrong


def workers_are_as_planned(objects: Objects) -> list[str]:
    """Threads of a worker as RISKGRID_WORKERS has them, and no more of them than processors."""
    said = next(
        thing["data"]["RISKGRID_WORKERS"]
        for thing in of_kind(objects, "ConfigMap")
        if "RISKGRID_WORKERS" in thing["data"]
    )
    planned = said.partition("x")[2]
    wrong = []
    for pod in pods(objects):
        for container in pod.containers:
            words = container.get("command") or [""]
            threads = [word.partition("=")[2] for word in words if word.startswith("--threads=")]
            if words[:2] != ["riskgrid", "worker"]:
                continue
            if threads != [planned] and pod.role != "reserved":
                wrong.append(f"{pod.where}: has {threads or 'no'} threads; RISKGRID_WORKERS says {planned}")
            if threads != [container["resources"]["limits"]["cpu"]]:
                wrong.append(f"{pod.where}: {threads} threads on {container['resources']['limits']['cpu']} processors")
    return wrong


def clusters_are_there(objects: Objects) -> list[str]:
    """Each that a runner is told of, by its name or, for plain workers, by its scheduler's address."""
    known = {"threads", "kubernetes", *(f"kubernetes:{name}" for name in named(objects, "DaskCluster"))}
    known |= {f"{kind}://{name}-scheduler:8786" for name in named(objects, "DaskCluster") for kind in ("tcp", "tls")}
    wrong = []
    for pod in pods(objects):
        words = [word for container in pod.containers for word in container.get("command") or []]
        wrong += [
            f"{pod.where}: {word} is none of {', '.join(sorted(known))}"
            for word in words
            if re.match(r"--(interactive-)?cluster=", word) and word.partition("=")[2] not in known
        ]
    return wrong


def shells_run_what_they_must(objects: Objects) -> list[str]:
    """One command goes through a shell, for the date in it, and one waits at the end of a pod; no others."""
    wrong = []
    for pod in pods(objects):
        for container in pod.containers:
            words, ends = container.get("command") or [""], container.get("lifecycle")
            if words[0] == "sh" and (pod.role, words[1:]) != ("nightly", ["-c", _NIGHTLY]):
                wrong.append(f"{pod.where}: has a shell run {words[-1]}")
            if ends is not None and ends != {"preStop": {"exec": {"command": ["sleep", "10"]}}}:
                wrong.append(f"{pod.where}: runs {ends} beside its command")
    return wrong


def _environment(objects: Objects, pod: Pod, container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Variables of a container with their values, those of secrets and fields as any text."""
    if "dask.org/component" in pod.labels and pod.role != "scheduler":  # the operator's
        yield from (("DASK_SCHEDULER_ADDRESS", "tcp://scheduler:8786"), ("DASK_WORKER_NAME", "worker"))
    for given in container.get("envFrom", []):
        for thing in of_kind(objects, "ConfigMap"):
            if thing["metadata"]["name"] == given.get("configMapRef", {}).get("name"):
                yield from thing["data"].items()
    yield from ((variable["name"], variable.get("value", "x")) for variable in container.get("env", []))


def _misread(words: list[str]) -> str | None:
    """Why a command cannot be read, None where it can."""
    if not words:
        return "a container says no command"
    if words[0] == "sh":
        return _misread(shlex.split(words[-1].rpartition("exec ")[2]))
    if words[0] in FOREIGN:
        return None
    if words[0] != "riskgrid":
        return f"nobody knows the command {words[0]}"
    try:
        read(cli, words[0], words[1:])
    except click.ClickException as error:
        return f"{shlex.join(words)}: {error.format_message()}"
    return None


def read(command: click.Command, name: str, words: list[str]) -> None:
    """Parse without doing anything. UsageError for what is not known."""
    if isinstance(command, click.Group):  # whose own options nobody gives
        with click.Context(command, info_name=name) as context:
            sub = command.get_command(context, words[0]) if words else None
            if sub is None:
                raise click.UsageError(f"no command {' '.join(words[:1])}")
            read(sub, words[0], words[1:])
    else:
        command.make_context(name, list(words)).close()
