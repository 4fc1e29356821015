"""The library's verbs over HTTP: the same objects, with the same digits, from a service that holds the runs.

:func:`connect` gives a :class:`Client`; :class:`AsyncClient` has the same verbs to be awaited.
"""

from __future__ import annotations

from riskgrid.client.awaiting import AsyncClient, AsyncRemoteRun
from riskgrid.client.blocking import Client, RemoteRun, connect
from riskgrid.client.following import Event

__all__ = ["AsyncClient", "AsyncRemoteRun", "Client", "Event", "RemoteRun", "connect"]
