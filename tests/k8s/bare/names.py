"""Names of the bare cluster's services, as its pods ask for them: a hosts file that dnsmasq reads.

``names.py KUBECONFIG ADDRESS FILE`` answers on port 53 of the address until it is ended.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Services and endpoints as they were last seen, by namespace and name.
SERVICES: dict[tuple[str, str], Any] = {}
ENDPOINTS: dict[tuple[str, str], Any] = {}


def hosts() -> str:
    """A line an address: of a service its own, of a headless one those of its pods, and of each pod that has a name."""
    lines = []
    for (namespace, name), service in sorted(SERVICES.items()):
        full = f"{name}.{namespace}.svc.cluster.local"
        if service.spec.cluster_ip not in (None, "", "None"):
            lines.append(f"{service.spec.cluster_ip} {full}")
            continue
        endpoints = ENDPOINTS.get((namespace, name))
        for subset in (endpoints and endpoints.subsets) or []:
            for address in subset.addresses or []:
                lines.append(f"{address.ip} {full}" + (f" {address.hostname}.{full}" if address.hostname else ""))
    return "".join(f"{line}\n" for line in lines)


def follow(listed: Callable[..., Any], seen: dict[tuple[str, str], Any], changed: threading.Event) -> None:
    """Keep what is seen of one kind up to date, for ever."""
    from kubernetes import watch

    while True:
        try:
            for event in watch.Watch().stream(listed, timeout_seconds=300):
                found = event["object"]
                key = (found.metadata.namespace, found.metadata.name)
                if event["type"] == "DELETED":
                    seen.pop(key, None)
                else:
                    seen[key] = found
                changed.set()
        except Exception as error:  # the API server starts anew, or forgets where we were: look again
            print("names:", error, flush=True)
            time.sleep(1.0)


def main(kubeconfig: str, address: str, file: Path) -> None:
    """Write the file anew whenever something has changed, and have it read."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    file.write_text("")
    answering = subprocess.Popen(
        ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--user=root", "--pid-file=",
         f"--listen-address={address}", "--bind-interfaces", "--local-ttl=2", "--address=/#/", f"--addn-hosts={file}"]
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: (answering.terminate(), sys.exit(0)))
    core, changed = client.CoreV1Api(), threading.Event()
    for listed, seen in (
        (core.list_service_for_all_namespaces, SERVICES),
        (core.list_endpoints_for_all_namespaces, ENDPOINTS),
    ):
        threading.Thread(target=follow, args=(listed, seen, changed), daemon=True).start()
    while answering.poll() is None:
        if changed.wait(1.0):
            changed.clear()
            file.write_text(hosts())
            answering.send_signal(signal.SIGHUP)
            time.sleep(0.2)
    sys.exit("names: dnsmasq has ended")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
