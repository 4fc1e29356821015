"""Where workers are: threads, processes, a scheduler's address, Kubernetes; the only place that knows."""

from riskgrid.cluster.connecting import connect
from riskgrid.cluster.threads import Here, Threads
from riskgrid.cluster.workers import Expected, Fact, Workers

__all__ = ["Expected", "Fact", "Here", "Threads", "Workers", "connect"]
