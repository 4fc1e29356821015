"""What the tests ask of a cluster, by kubectl alone: it knows every cluster that its user can reach."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Cluster", "Refused", "until"]

#: An older API server takes streams in the older way alone.
_OLDER = {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false", "KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}


class Refused(Exception):
    """kubectl said no. Its message is what kubectl wrote."""


@dataclass(frozen=True)
class Cluster:
    """A namespace of the cluster that kubectl points to. context : of its configuration, None for the current one."""

    namespace: str = "riskgrid"
    context: str | None = None
    kubeconfig: Path | None = None
    program: str = field(default_factory=lambda: _found())  # noqa: PLW0108, it stands further down

    @property
    def environment(self) -> dict[str, str]:
        """Of a process that is to use this cluster."""
        named = {"KUBECONFIG": str(self.kubeconfig)} if self.kubeconfig else {}
        return {**os.environ, **_OLDER, **named}

    def command(self, *words: str) -> list[str]:
        """kubectl on this namespace."""
        where = ["--context", self.context] if self.context else []
        return [self.program, *where, "--namespace", self.namespace, *words]

    def __call__(self, *words: str, given: str | None = None, seconds: float = 120.0) -> str:
        """What kubectl answers. given : its standard input.   Refused where it fails or takes longer."""
        try:
            done = subprocess.run(
                self.command(*words),
                env=self.environment,
                input=given,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Refused(f"kubectl {' '.join(words)}: no answer within {seconds:g} s") from None
        if done.returncode:
            raise Refused(f"kubectl {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def get(self, *words: str) -> Any:
        """Objects, as Kubernetes describes them."""
        return json.loads(self("get", *words, "--output", "json"))

    def pods(self, component: str, *, gone: bool = False) -> list[dict[str, Any]]:
        """Pods of a component. gone : those that are told to end too."""
        items = self.get("pods", "--selector", f"app.kubernetes.io/component={component}")["items"]
        return [pod for pod in items if gone or "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str) -> list[str]:
        """Names of the pods of a component that are ready."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods(component)
            for told in pod["status"].get("conditions", [])
            if told["type"] == "Ready" and told["status"] == "True"
        ]

    def inside(self, component: str, *command: str, seconds: float = 120.0) -> str:
        """What a command says in a ready pod of a component."""
        pod = until(lambda: self.ready(component), seconds, f"no pod of '{component}' is ready")[0]
        return self("exec", pod, "--", *command, seconds=seconds)

    @contextlib.contextmanager
    def forwarded(self, service: str, port: int) -> Iterator[str]:
        """The address at this machine that leads to a port of a service, for as long as a pod of it lives."""
        command = self.command("port-forward", f"service/{service}", f":{port}")
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline()
                found = re.search(r"127\.0\.0\.1:(\d+)", said)
                if found is None:
                    raise Refused(f"port-forward to {service}: {said.strip()}")
                yield f"http://127.0.0.1:{found[1]}"
            finally:
                process.terminate()

    def explain(self) -> str:
        """How the pods are, and the last lines of those that are not well: for whoever reads a failure."""
        told = [self("get", "pods", "--output", "wide")]
        for pod in self.get("pods")["items"]:
            states = pod["status"].get("containerStatuses", [])
            if pod["status"]["phase"] != "Succeeded" and not all(state["ready"] for state in states):
                name = pod["metadata"]["name"]
                with contextlib.suppress(Refused):
                    told.append(f"--- {name}\n{self('logs', '--tail=15', name)}")
        return "\n".join(told)


def until[T](ask: Callable[[], T], seconds: float, otherwise: str, pause: float = 1.0) -> T:
    """The first answer that is something. AssertionError with ``otherwise`` after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Refused):
            found = ask()
            if found:
                return found
        if time.monotonic() > end:
            raise AssertionError(f"{otherwise} after {seconds:g} s")
        time.sleep(pause)


def _found() -> str:
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.exists() else shutil.which("kubectl") or "kubectl"
