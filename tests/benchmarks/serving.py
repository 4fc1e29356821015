"""How fast does a service answer fifty people at once, on two cores that also make their load?

`riskgrid serve` on a store with the sample book of 10,000 trades under all its scenarios, in processes of its own.
Fifty clients on connections that stay open ask at random moments, 50 questions a second in all: reports, P&L and
contributions by random labels, filters and levels, a third of them asked before. Then what-ifs of 100 trades, one after
another, of one desk and of the whole book; then again while the runner executes batch runs. From the first byte of the
request to the last of the answer; memory is that of the serving process.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import psutil

import riskgrid as rg
from tests.benchmarks.measure import Figure, cold_store

_CLIENTS, _RATE, _SECONDS = 50, 50.0, 120.0
_LABELS = ("region", "desk", "book", "instrument", "currency")
_HOST = "127.0.0.1"


def figures(*, quick: bool = False) -> list[Figure]:
    """Lines of the table."""
    trades, seconds, asked = (500, 5.0, 5) if quick else (10_000, _SECONDS, 60)
    with cold_store() as folder:
        store = rg.Store(folder)
        book, market = rg.sample.portfolio(trades=trades), rg.sample.market()
        scenarios = rg.sample.scenarios(count=50) if quick else rg.sample.scenarios()
        run = rg.run(book, market, scenarios, store=store, progress=None)
        for name, given in (("book", book), ("market", market), ("scenarios", scenarios)):
            rg.keep(given, name, store=store)
        one_desk = run.trade_table({"desk": "FX Options"})["trade_id"].values.tolist()
        every = run.trade_table()["trade_id"].values.tolist()
        with _served(folder) as (port, process):
            load = asyncio.run(_load(port, process, run.run_id, seconds))
            made = [*_of_load(load, quick)]
            draw = np.random.default_rng(5)
            for what, ids in (("of a desk", one_desk), ("of the whole book", every)):
                spent = asyncio.run(_what_ifs(port, run.run_id, ids, draw, asked))
                made.append(_what_if_line(f"100 trades {what}", spent, 25.0, 50.0))
            busy = asyncio.run(_while_batch(port, run.run_id, one_desk, draw, asked))
            made.append(_what_if_line("100 trades of a desk while batch runs execute", busy, None, 200.0))
    return made


# -- the service -----------------------------------------------------------------------------------------------


@contextmanager
def _served(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """The port and the process of a service that is ready."""
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "riskgrid", "serve", "--store", str(folder), "--no-sample", "--development"]
    with (folder / "serve.log").open("wb") as log:
        server = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    try:
        _await_ready(port, server)
        yield port, psutil.Process(server.pid)
    finally:
        server.terminate()
        server.wait(60)


def _await_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError(f"the service ended with {server.returncode} before it was ready")
        try:
            status, _, _ = asyncio.run(_once(port, "GET", "/ready"))
            if status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the service was not ready after 30 s")


# -- a client that costs little --------------------------------------------------------------------------------


class _Connection:
    """One connection that stays open: HTTP/1.1 by hand, as a client library would take more time than the service."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        if self._pair is None:
            self._pair = await asyncio.open_connection(_HOST, self._port)
        reader, writer = self._pair
        kind = "Content-Type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: {_HOST}\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        status = int((await reader.readline()).split()[1])
        told: dict[str, str] = {}
        while line := (await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            told[name.lower()] = value.strip()
        return status, told, await reader.readexactly(int(told.get("content-length", "0")))

    def close(self) -> None:
        """Let go of it."""
        if self._pair is not None:
            self._pair[1].close()


async def _once(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    connection = _Connection(port)
    try:
        return await connection.ask(method, path, body)
    finally:
        connection.close()


# -- drill-down ------------------------------------------------------------------------------------------------


async def _load(port: int, process: psutil.Process, run_id: str, seconds: float) -> dict[str, Any]:
    """Milliseconds of every answer, statuses that are no success, and the service's memory as it went."""
    found: dict[str, Any] = {"ms": [], "wrong": [], "memory": []}
    draw = random.Random(3)
    before = [_question(draw, run_id) for _ in range(200)]
    for path in before:
        await _once(port, "GET", path)
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        mine, connection = random.Random(number), _Connection(port)
        while time.perf_counter() < until:
            await asyncio.sleep(mine.expovariate(_RATE / _CLIENTS))
            path = mine.choice(before) if mine.random() < 1 / 3 else _question(mine, run_id)
            begun = time.perf_counter()
            status, _, _ = await connection.ask("GET", path)
            found["ms"].append(1e3 * (time.perf_counter() - begun))
            if status != 200:
                found["wrong"].append((status, path))
        connection.close()

    async def watch() -> None:
        while time.perf_counter() < until:
            found["memory"].append(process.memory_info().rss / 1e6)
            await asyncio.sleep(seconds / 60)

    await asyncio.gather(watch(), *(client(number) for number in range(_CLIENTS)))
    return found


def _question(draw: random.Random, run_id: str) -> str:
    by = draw.sample(_LABELS, draw.randint(1, 2))
    query: list[tuple[str, str]] = [("by", label) for label in by]
    if draw.random() < 0.5:
        query.append(("where", draw.choice(("region=EMEA", "region=APAC", "desk=Rates", "desk=FX Options"))))
    kind = draw.choice(("report", "report", "report", "contributions", "pnl"))
    if kind == "report":
        query += [("var_level", f"0.{draw.randint(900, 995)}"), ("es_level", f"0.{draw.randint(900, 990)}")]
    if kind == "pnl":
        query = [("by", "desk"), ("where", f"region={draw.choice(('EMEA', 'APAC', 'Americas'))}")]
    return f"/api/v1/runs/{run_id}/{kind}?{urlencode(query)}"


def _of_load(load: dict[str, Any], quick: bool) -> Iterator[Figure]:
    ms, memory = load["ms"], load["memory"]
    wrong = f", {len(load['wrong'])} answers that were none, e.g. {load['wrong'][0]}" if load["wrong"] else ", no error"
    note = f"{len(ms):,} questions at {_RATE:g} a second from {_CLIENTS} clients{wrong}"
    yield Figure("serving", "drill-down p50", statistics.median(ms), "ms", note=note, at_most=15.0)
    yield Figure("serving", "drill-down p99", float(np.percentile(ms, 99)), "ms", note=note, at_most=100.0)
    third = max(len(memory) // 3, 1)
    grown = statistics.median(memory[-third:]) / statistics.median(memory[third : 2 * third] or memory)
    told = f"{memory[-1]:.0f} MB at the end; last third of the time against the second"
    yield Figure(
        "serving",
        "memory",
        memory[-1],
        "MB",
        grown,
        "a third of the time before",
        told,
        at_most=None if quick else 1.05,
        less_is_better=True,
    )


# -- what-ifs --------------------------------------------------------------------------------------------------


async def _what_ifs(port: int, run_id: str, ids: list[str], draw: np.random.Generator, count: int) -> list[float]:
    """Milliseconds of what-ifs that resize 100 trades, one after another; the first few, which warm up, left out."""
    connection, spent = _Connection(port), []
    for _ in range(count + 3):
        picked = draw.choice(ids, min(100, len(ids)), replace=False).tolist()
        changes = {"resize": {trade: float(draw.uniform(0.5, 2.0)) for trade in picked}}
        begun = time.perf_counter()
        status, _, body = await connection.ask(
            "POST", f"/api/v1/runs/{run_id}/what-ifs", json.dumps({"changes": changes}).encode(), "Prefer: wait=10\r\n"
        )
        spent.append(1e3 * (time.perf_counter() - begun))
        if status != 201:
            raise RuntimeError(f"a what-if was answered {status}: {body[:300]!r}")
    connection.close()
    return spent[3:]


async def _while_batch(port: int, run_id: str, ids: list[str], draw: np.random.Generator, count: int) -> list[float]:
    """The same while the runner has batch runs to execute, each of the whole book."""
    spent: list[float] = []
    bits = 0
    while len(spent) < count:
        bits = bits % 20 + 1
        body = {"portfolio": "book", "market": "market", "scenarios": "scenarios", "bits": bits, "name": "batch"}
        status, told, answer = await _once(port, "POST", "/api/v1/runs", json.dumps(body).encode())
        if status != 202:
            raise RuntimeError(f"a run was answered {status}: {answer[:300]!r}")
        where = told["location"]
        while json.loads((await _once(port, "GET", where))[2])["status"] == "queued":
            await asyncio.sleep(0.01)
        spent += await _what_ifs(port, run_id, ids, draw, 10)
    return spent


def _what_if_line(what: str, ms: list[float], middle: float | None, high: float) -> Figure:
    p95 = float(np.percentile(ms, 95))
    if middle is None:
        note = f"p50 {statistics.median(ms):.1f} ms"
        return Figure("serving", f"p95 of {what}", p95, "ms", note=note, at_most=high, rounds=tuple(ms))
    note = f"p95 {p95:.1f} ms, at most {high:g} asked for: {'met' if p95 <= high else 'NOT met'}"
    return Figure("serving", what, statistics.median(ms), "ms", note=note, at_most=middle, rounds=tuple(ms))
