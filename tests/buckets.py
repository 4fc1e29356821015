"""Buckets of a real S3 server on this machine, for tests of any folder."""

from __future__ import annotations

import logging
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """URL of a server that speaks the S3 protocol, one for all tests of this process."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """``s3://bucket/prefix`` of a new bucket, which the environment of this test and its children lets them use."""
    name = f"risk-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/{name}", method="PUT")).close()
    for variable, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "hidden-from-everybody",
        "AWS_REGION": "us-east-1",
        "RISKGRID_S3_ENDPOINT": s3_server,
        "RISKGRID_S3_TIMEOUT": "5",
        "RISKGRID_CACHE": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(variable, value)
    return f"s3://{name}/some/prefix"


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a store may lie: a folder, and a bucket."""
    if request.param == "folder":
        return tmp_path / "store"
    found: str = request.getfixturevalue("bucket")
    return found


def stored_bytes(store: Any, kind: str, key: str) -> bytes:
    """What lies at a key, past every copy."""
    backend = store.backend
    backend.forget_copy(kind, key)
    return Path(backend.file(kind, key)).read_bytes()


def overwrite(store: Any, kind: str, key: str, change: Callable[[bytes], bytes]) -> None:
    """Other bytes at a key, as a failing disk or another program would leave them."""
    content = change(stored_bytes(store, kind, key))
    store.discard(kind, key)
    store.backend.put(kind, key, [content], durable=True)
