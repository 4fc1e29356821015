"""Fake workers: they speak a scheduler's protocol, and let the seconds of a task pass instead of computing."""

from __future__ import annotations

import argparse
import asyncio
import heapq
import itertools
import os
import pickle
import time
from dataclasses import dataclass, field
from typing import Any

from distributed.batched import BatchedSend
from distributed.comm import connect, listen
from distributed.core import rpc
from distributed.protocol import to_serialize
from distributed.versions import get_versions
from tornado.ioloop import IOLoop

from riskgrid.engine.task import Receipt, Task

__all__ = ["Fleet"]

#: Workers that join at once: an operator starts pods one after another too.
_JOINING = 32
#: Heartbeats on their way at once.
_BEATING = 32
_RECEIPT = {"type": pickle.dumps(Receipt), "typename": "riskgrid.engine.task.Receipt", "nbytes": 4096, "thread": 1}


@dataclass
class Fleet:
    """Fake workers of one process. cost : seconds of a valuation.   finished : receipts by key, until they are freed.

    Each has an address of its own in 127.0.0.0/8, all of them behind one socket; a few connections carry the
    heartbeats of all, where each real worker has one more for them.
    """

    scheduler: str
    threads: int
    cost: float
    finished: dict[str, Receipt] = field(default_factory=dict)

    async def run(self, first: int, count: int) -> None:
        """Join, print how long that took, and work until the scheduler has gone."""
        async with listen("tcp://0.0.0.0:0", self.serve, deserialize=False, allow_offload=False) as listener:
            port = listener.bound_address[1]
            workers = [Worker(self, f"tcp://{_host(at)}:{port}", f"fake-{at}") for at in range(first, first + count)]
            begun = time.perf_counter()
            gate, versions = asyncio.Semaphore(_JOINING), get_versions()
            async with rpc(self.scheduler) as scheduler:
                beating = asyncio.ensure_future(self.beat(workers, scheduler))
                await asyncio.gather(*(worker.join(gate, versions) for worker in workers))
                print(time.perf_counter() - begun, flush=True)
                await asyncio.gather(*(worker.work() for worker in workers))
                beating.cancel()

    async def serve(self, comm: Any) -> None:
        """Hand out receipts, whichever of the workers they are asked of."""
        try:
            while True:
                asked = await comm.read()
                if asked["op"] == "get_data":
                    found = {key: to_serialize(self.finished[key]) for key in asked["keys"] if key in self.finished}
                    await comm.write({"status": "OK", "data": found})
                    await comm.read()
                elif asked.get("reply", True):
                    await comm.write("OK")
        except OSError:
            await comm.close()

    async def beat(self, workers: list[Worker], scheduler: Any) -> None:
        """Heartbeats of all, as often as the scheduler wishes."""
        pause, under_way = 1.0, set[asyncio.Task[Any]]()
        while True:
            begun, joined = time.perf_counter(), [worker for worker in workers if worker.stream is not None]
            for at, worker in enumerate(joined, 1):
                if len(under_way) >= _BEATING:  # else late ones would take a socket each
                    await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                told = {"address": worker.address, "now": time.time(), "metrics": _metrics()}
                beat = asyncio.ensure_future(scheduler.heartbeat_worker(**told, executing={}, extensions={}))
                under_way.add(beat)
                beat.add_done_callback(under_way.discard)
                await asyncio.sleep(max(begun + pause * at / len(joined) - time.perf_counter(), 0.0))
            pause = (await beat).get("heartbeat-interval", pause) if joined else 1.0
            await asyncio.sleep(0.0 if joined else 1.0)


@dataclass
class Worker:
    """A pod of so many threads. waiting : tasks by priority, of which those in ``queued`` are still wanted."""

    fleet: Fleet
    address: str
    name: str
    free: int = 0
    comm: Any = None
    stream: Any = None
    waiting: list[tuple[Any, int, dict[str, Any]]] = field(default_factory=list)
    queued: set[str] = field(default_factory=set)
    order: itertools.count[int] = field(default_factory=itertools.count)

    async def join(self, gate: asyncio.Semaphore, versions: dict[str, Any]) -> None:
        """Register as a worker does."""
        async with gate:
            self.free, self.comm = self.fleet.threads, await connect(self.fleet.scheduler, timeout=600)
            told = {"op": "register-worker", "reply": False, "address": self.address, "status": "running"}
            told |= {"nthreads": self.free, "name": self.name, "server_id": self.name, "nanny": None, "services": {}}
            told |= {"resources": {}, "memory_limit": 16 << 30, "local_directory": "", "pid": os.getpid(), "extra": {}}
            told |= {"versions": versions, "metrics": _metrics(), "now": time.time(), "stimulus_id": _moment()}
            await self.comm.write(told, serializers=["msgpack"])
            answer = await self.comm.read(deserializers=["msgpack"])
        if answer["status"] != "OK":
            raise ConnectionError(f"the scheduler refuses {self.name}: {answer}")
        self.stream = BatchedSend(interval="2ms", loop=IOLoop.current())
        self.stream.start(self.comm)

    async def work(self) -> None:
        """Do what the scheduler says until it says close, or is gone."""
        try:
            while True:
                for message in await self.comm.read():
                    if message["op"] == "close":
                        return
                    self.take(message)
        except OSError:
            return

    def take(self, message: dict[str, Any]) -> None:
        """One message of the scheduler."""
        match message["op"]:
            case "compute-task":
                heapq.heappush(self.waiting, (tuple(message["priority"]), next(self.order), message))
                self.queued.add(message["key"])
                self.start()
            case "free-keys":
                for key in message["keys"]:
                    self.fleet.finished.pop(key, None)
            case "cancel-compute":
                self.queued.discard(message["key"])
            case "steal-request":
                state = "ready" if message["key"] in self.queued else "executing"
                self.queued.discard(message["key"])
                self.tell("steal-response", message, state=state, stimulus_id=message["stimulus_id"])

    def start(self) -> None:
        """Tasks for the threads that are free: each is over when its seconds are."""
        while self.free and self.waiting:
            _, _, message = heapq.heappop(self.waiting)
            if message["key"] in self.queued:
                self.queued.discard(message["key"])
                self.free -= 1
                task: Task = message["run_spec"].args[0]
                receipt = _receipt(task, self.fleet.cost)
                asyncio.get_running_loop().call_later(receipt.seconds, self.finish, message, receipt, time.time())

    def finish(self, message: dict[str, Any], receipt: Receipt, begun: float) -> None:
        """Say that a task is over."""
        self.fleet.finished[message["key"]] = receipt
        spent = ({"action": "compute", "start": begun, "stop": time.time()},)
        told = {"status": "OK", "metadata": {}, "startstops": spent, "stimulus_id": _moment(), **_RECEIPT}
        self.tell("task-finished", message, run_id=message["run_id"], **told)
        self.free += 1
        self.start()

    def tell(self, kind: str, message: dict[str, Any], **facts: Any) -> None:
        """Answer a message."""
        if not self.stream.closed():
            self.stream.send({"op": kind, "key": message["key"], **facts})


def _receipt(task: Task, cost: float) -> Receipt:
    """What a worker would send back. cost : seconds of a valuation."""
    sizes = [(work.stop - work.start) * len(work.states) for work in task.works]
    seconds = [cost * size for size in sizes]
    name = task.instrument if isinstance(task.instrument, str) else task.instrument.name
    return Receipt(task.works, name, sum(seconds), valuations=sum(sizes), priced=len(sizes), blocks=seconds)


def _metrics() -> dict[str, Any]:
    """What a worker tells of itself with every heartbeat."""
    network = {"incoming_bytes": 0, "incoming_count": 0, "outgoing_bytes": 0, "outgoing_count": 0}
    rates = {"read_bps": 0.0, "write_bps": 0.0}
    return {
        "bandwidth": {"total": 1e8, "workers": {}, "types": {}},
        "digests_total_since_heartbeat": {},
        "managed_bytes": 0,
        "spilled_bytes": {"memory": 0, "disk": 0},
        "memory": 400 << 20,
        "cpu": 100.0,
        "num_fds": 40,
        "event_loop_interval": 0.02,
        "task_counts": {},
        "transfer": network,
        "host_net_io": rates,
        "host_disk_io": rates,
        "time": time.time(),
    }


def _moment() -> str:
    return f"fake-{time.time()}"


def _host(number: int) -> str:
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scheduler")
    for option, kind in {"--first": int, "--count": int, "--threads": int, "--cost": float}.items():
        parser.add_argument(option, type=kind, required=True)
    asked = parser.parse_args()
    asyncio.run(Fleet(asked.scheduler, asked.threads, asked.cost).run(asked.first, asked.count))
