"""A service put together from settings: who is let in, what a new store holds."""

from __future__ import annotations

import logging

from riskgrid import sample
from riskgrid.access import Door
from riskgrid.acting import Asked, ask_run, keep_input
from riskgrid.api.server import is_loopback
from riskgrid.api.service import Service, Sizes
from riskgrid.engine.budget import Limits
from riskgrid.errors import BadSpec
from riskgrid.identity.authenticate import is_configured, of_settings
from riskgrid.principal import EVERYTHING
from riskgrid.settings import settings
from riskgrid.store import BATCH, INTERACTIVE, Store

__all__ = ["SAMPLE", "give_sample", "open_service"]

_LOG = logging.getLogger(__name__)

#: The name under which the inputs and the run of the sample are kept.
SAMPLE = "sample"

#: Its dates; the last is that of the inputs called just so.
_DATES = ("2016-06-23", "2016-06-24", "2016-06-30", "2016-07-01")

_WARNING = (
    "DEVELOPMENT MODE: nobody is asked who he is, everybody who reaches %s may do everything; configure an issuer of "
    "tokens (RISKGRID_OIDC_ISSUER) or make a key ('riskgrid keys make') for anything but this machine"
)


def open_service(store: Store, host: str, *, development: bool = False, fallback: bool = False) -> Service:
    """The service of a store at an address.

    development : nobody is asked who he is; only this machine may reach it, and only an embedded catalogue is served.
    fallback : the same where nothing ever said how anybody is recognised.   BadSpec for what must not be so.
    """
    chosen = settings()
    if not development and is_configured(store, chosen):
        return Service(_door(store), of_settings(store, chosen))
    if not development and (not fallback or store.keys.list()):
        raise BadSpec(
            "nothing says how anybody is recognised: name an issuer of tokens (RISKGRID_OIDC_ISSUER and "
            "RISKGRID_OIDC_AUDIENCE) or make a key ('riskgrid keys make'); on your own machine --development is right"
        )
    _check_development(store, host)
    _LOG.warning(_WARNING, host)
    return Service(_door(store), development=True)


def _door(store: Store) -> Door:
    """A door behind which no question has more revalued than somebody would wait for."""
    return Door(store, limits=Limits(valuations=Sizes().valuations))


def _check_development(store: Store, host: str) -> None:
    """BadSpec where others could reach what nobody guards."""
    why = "development mode asks nobody who he is"
    if not is_loopback(host):
        raise BadSpec(
            f"{why} and is for this machine alone: it does not listen at {host}; 127.0.0.1 is right, or an issuer of "
            "tokens or a key"
        )
    database = store.catalogue.database.address
    if not database.embedded:
        raise BadSpec(
            f"{why}: it does not open {database}, which others use; a store with a catalogue of its own is right, or "
            "an issuer of tokens or a key"
        )
    if is_configured(store, settings()):
        raise BadSpec(
            f"{why}, and there is an issuer of tokens or a key by which they can be recognised; without --development "
            "they are, or another --store is right"
        )


def give_sample(door: Door, *, trades: int = 10_000) -> str | None:
    """Keep the sample's inputs in a store that holds nothing, and ask its runs; the id of the latest, else None.

    The days of the Brexit vote and the last two of the history: each has a day before it to be held against.
    """
    if door.store.catalogue.count() or any(
        door.inputs.names(kind, EVERYTHING) for kind in ("portfolio", "market", "scenarios")
    ):
        return None
    keep_input(door, EVERYTHING, SAMPLE, sample.portfolio(trades))
    for date in _DATES:
        name = SAMPLE if date == _DATES[-1] else f"{SAMPLE} {date}"
        for given in (sample.market(date), sample.scenarios(date)):
            keep_input(door, EVERYTHING, name, given)
        first = INTERACTIVE if date == _DATES[-1] else BATCH  # what is looked at first is made first
        seen = ask_run(door, EVERYTHING, Asked(SAMPLE, name, name, name=SAMPLE, priority=first))
    _LOG.info("the store was empty: the sample is kept as '%s', its latest run is %s", SAMPLE, seen.row.run_id)
    return seen.row.run_id
