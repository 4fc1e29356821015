"""Commands of a service: everything in one, the API or the dashboard alone, and what it is set to."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from riskgrid.cli.group import STORE, cli, table

if TYPE_CHECKING:
    from fastapi import FastAPI

    from riskgrid.api.service import Service

__all__ = ["api", "config", "dashboard", "serve"]

_HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
_PORT = click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any.")
_DEVELOPMENT = click.option("--development", is_flag=True, help="Ask nobody who he is; for this machine alone.")
_PROXIES = click.option("--trusted-proxies", metavar="ADDRESSES", help="Whose X-Forwarded headers are believed.")
_METRICS = click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Counts for scrapers, without a token.")
_METRICS_HOST = click.option("--metrics-host", default="127.0.0.1", show_default=True, help="Its address.")


@cli.command()
@_HOST
@_PORT
@_DEVELOPMENT
@click.option("--sample/--no-sample", default=True, help="Give the sample to a store that holds nothing.")
@click.option("--trades", default=10_000, show_default=True, type=click.IntRange(1), help="Of the sample.")
@click.option("--cluster", default="threads", show_default=True, help="Of the runner: threads:N, processes:N.")
@STORE
def serve(
    host: str, port: int, *, development: bool, sample: bool, trades: int, cluster: str, store: str | None
) -> None:
    """Serve dashboard and API here and answer runs in a child process; a busy port gives way to the next."""
    from riskgrid.api.app import make_app
    from riskgrid.api.child import Child, runner_command
    from riskgrid.api.opening import give_sample, open_service
    from riskgrid.api.server import bound, listen
    from riskgrid.store import store_of

    _speak()
    kept = store_of(store)
    service = open_service(kept, host, development=development, fallback=True)
    kept.check_writable()
    pages = not _missing()
    with bound(host, port, move_on=True) as at:
        if sample:
            give_sample(service.door, trades=trades)
        with Child(runner_command(kept.where, cluster)):
            app = make_app(service, home="/desk") if pages else make_app(service)
            if pages:
                _mount(app, service)
            _say_where(at, service.development, pages=pages)
            listen(app, at, service.tailer.close)


def _alone[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """Options of a role that stands behind a balancer."""
    for option in (STORE, _METRICS, _METRICS_HOST, _PROXIES, _DEVELOPMENT, _PORT, _HOST):
        command = option(command)
    return command


@cli.command()
@_alone
def api(**chosen: Any) -> None:
    """Serve the API alone; 'riskgrid runner' answers what is asked of it."""
    _serve(chosen)


@cli.command()
@_alone
def dashboard(**chosen: Any) -> None:
    """Serve the dashboard alone; 'riskgrid runner' answers what is asked at its pages."""
    from riskgrid.errors import BadSpec

    if missing := _missing():
        raise BadSpec(missing)
    _serve(chosen, pages=True)


def _serve(chosen: Mapping[str, Any], *, pages: bool = False) -> None:
    """Serve one of the two. chosen : what the options say."""
    from riskgrid.api.app import make_app
    from riskgrid.api.opening import open_service
    from riskgrid.api.scraping import scraped
    from riskgrid.api.server import bound, listen
    from riskgrid.store import store_of

    _speak()
    service = open_service(store_of(chosen["store"]), chosen["host"], development=chosen["development"])
    app = make_app(service, home="/desk", interface=False) if pages else make_app(service)
    if pages:
        _mount(app, service)
    counts = scraped(service.metrics.registry, chosen["metrics_host"], chosen["metrics_port"])
    with bound(chosen["host"], chosen["port"]) as at, counts:
        _say_where(at, service.development, pages=pages or None, interface=not pages)
        listen(app, at, service.tailer.close, proxies=chosen["trusted_proxies"])


@cli.command()
@click.option("--show", is_flag=True, help="Print every setting; this is what it does in any case.")
def config(show: bool) -> None:  # noqa: ARG001, one day it may do more
    """Print every setting, its value without secrets, and where that comes from."""
    from riskgrid.settings import told

    rows = [[each.variable, each.value, each.origin, each.meaning] for each in told()]
    table(["variable", "value", "from", "meaning"], rows)


def _speak() -> None:
    from riskgrid import log
    from riskgrid.settings import settings

    chosen = settings()
    log.set_up(chosen.log, chosen.log_level)


def _missing() -> str:
    """What to do for the dashboard where its extra is not installed; nothing where it is."""
    if all(importlib.util.find_spec(name) for name in ("panel", "panel_material_ui", "websockets")):
        return ""
    return "the dashboard is an extra; pip install 'riskgrid[dashboard]' installs it"


def _mount(app: FastAPI, service: Service) -> None:
    from riskgrid.dashboards.desk import Desk
    from riskgrid.dashboards.entrance.mount import mount

    mount(app, Desk(service.door, service.quota, service.slots.taken, service.development), service.known)


def _say_where(at: object, development: bool, *, pages: bool | None = None, interface: bool = True) -> None:
    """Where somebody finds it. pages : None where nobody has asked for any."""
    host, port = at.getsockname()[:2]  # type: ignore[attr-defined]
    shown = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    mode = " in development mode: nobody is asked who he is" if development else ""
    if pages:
        click.echo(f"the dashboard is at {shown}/desk")
    elif pages is not None:
        click.echo(_missing())
    documentation = f"; its documentation is at {shown}/docs" if interface else ""
    click.echo(f"riskgrid serves {shown}{mode}{documentation}")
