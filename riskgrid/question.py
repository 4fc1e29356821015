"""What a run asks: a portfolio, a market, a scenario set and a spec, checked, with a digest of all of it."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import xarray as xr

from riskgrid.engine.budget import Limits
from riskgrid.engine.numerics import engine_code
from riskgrid.engine.plan import Pricing
from riskgrid.engine.size import TICK_BITS, bump_bits, tick_bits
from riskgrid.errors import BadSpec, UnknownName
from riskgrid.hashing import digest
from riskgrid.inputs import load_portfolio, load_scenarios, load_snapshot
from riskgrid.label import TradeLabels
from riskgrid.market.snapshot import MarketSnapshot
from riskgrid.portfolio import Portfolio
from riskgrid.registry import INSTRUMENTS
from riskgrid.scenarios import set as scenario_set
from riskgrid.store import Store

__all__ = [
    "CELL_LABELS",
    "Origin",
    "Question",
    "Spec",
    "ask",
    "code_of",
    "instrument_codes",
    "requested",
    "restored",
    "what_if_content",
]

#: Labels whose combinations are summed and kept in memory; region, desk and book always are.
CELL_LABELS = ("region", "desk", "book", "instrument", "currency")

_BUMPS = ("ladder", "grid")


@dataclass(frozen=True)
class Spec:
    """What a run asks beside its inputs."""

    pricing: Pricing
    cell_labels: tuple[str, ...]

    @classmethod
    def of(cls, form: Mapping[str, Any]) -> Spec:
        """From a manifest or what :meth:`to_dict` wrote."""
        bits = int(form["bits"])
        pricing = Pricing(form["reporting"], bits, int(form["cut"]), _wide(bits))
        return cls(pricing, tuple(form["cell_labels"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        pricing = self.pricing
        return {
            "reporting": pricing.reporting,
            "bits": pricing.bits,
            "cut": pricing.cut,
            "cell_labels": list(self.cell_labels),
        }


@dataclass(frozen=True)
class Origin:
    """The run that a what-if changes, and what is changed. content_id : of the what-if.   changes : for people.

    known_as : the id of the run as people know it.
    """

    run_id: str
    content_id: str
    changes: str
    known_as: str


@dataclass(frozen=True)
class Question:
    """Checked inputs and the spec of a run; of a what-if that is answered in full, where it comes from.

    rights : the books of who asks, as :attr:`riskgrid.books.Books.key` writes them; empty for every book.
    """

    portfolio: Portfolio
    market: MarketSnapshot
    scenarios: xr.Dataset
    spec: Spec
    origin: Origin | None = None
    rights: str = ""

    @functools.cached_property
    def scenario_digest(self) -> bytes:
        """Digest of the scenario set."""
        return scenario_set.digest(self.scenarios)

    @functools.cached_property
    def content_id(self) -> str:
        """Digest of the spec and all inputs: the same question has the same one."""
        if self.origin is not None:
            return self.origin.content_id
        pricing = self.spec.pricing
        lost = tuple(map(str, self.portfolio.rejected))  # rows left out move no value, but every answer says it
        spec = self.spec
        asked: tuple[Any, ...] = (pricing.reporting, pricing.bits, pricing.cut, pricing.wide, spec.cell_labels, lost)
        if self.rights:  # what one may not see is not found by another's asking
            asked = (*asked, self.rights)
        return digest(
            "run", asked, self.portfolio.digest, self.market.digest, self.market.origin, self.scenario_digest
        ).hex()

    @property
    def code(self) -> str:
        """Digest of the code that answers it."""
        return code_of(self.portfolio.instruments)


def ask(  # noqa: PLR0913, options of the one verb, each of which may be left out
    portfolio: Portfolio,
    market: MarketSnapshot,
    scenarios: xr.Dataset,
    *,
    reporting: str | None = None,
    cell_labels: Sequence[str] = CELL_LABELS,
    bits: int | None = None,
    cut: int = 4096,
    origin: Origin | None = None,
    held: bool = False,
    rights: str = "",
) -> Question:
    """A question from inputs and options as :func:`riskgrid.running.run` takes them.

    held : cell labels that no trade has are empty, as where a what-if has dropped the last of them.
    rights : the books of who asks, see :class:`Question`.
    BadSpec, BadScenarios or UnknownName for what cannot be asked.
    """
    _check_kinds(portfolio, market, scenarios)
    scenarios = scenario_set.check_against(scenarios, market)
    bumps = _bumps_alone(scenarios.attrs["kind"], scenarios.attrs["provenance"])
    fineness = (bump_bits if bumps else tick_bits) if bits is None else bits
    spec = _spec(
        portfolio, market, reporting=reporting, cell_labels=tuple(cell_labels), bits=fineness, cut=cut, held=held
    )
    if scenarios.sizes["scenario"] == 0:
        raise BadSpec("the scenario set has no scenario; a run needs one or more")
    return Question(
        portfolio.in_order(), market, scenarios, spec, origin, rights
    )  # two orders of the same rows are one question


def what_if_content(of: str, changes: bytes, rights: str | None = None) -> str:
    """Digest of the question of a what-if. of : that of its run.   changes : their digest.

    rights : of who asks, where they are not the run's: what one asks is not found by another who sees less or more.
    """
    return digest("what-if", of, changes, *([] if rights is None else [rights])).hex()


def requested(asked: Question, inputs: Mapping[str, str], limits: Limits | None = None) -> dict[str, Any]:
    """The question as plain values, for whoever answers it later. inputs : keys of the three in the store."""
    told = {} if limits is None else {name: value for name, value in asdict(limits).items() if value is not None}
    return {"kind": "run", "inputs": dict(inputs), "spec": asked.spec.to_dict(), "limits": told}


def restored(store: Store, request: Mapping[str, Any]) -> Question:
    """The question that was requested. StoreError where an input can no longer be read."""
    inputs, spec = request["inputs"], Spec.of(request["spec"])
    market = load_snapshot(store, inputs["market"])
    scenarios = scenario_set.check_against(load_scenarios(store, inputs["scenarios"]), market)
    return Question(load_portfolio(store, inputs["portfolio"]).in_order(), market, scenarios, spec)


def instrument_codes(instruments: Sequence[str]) -> dict[str, str | None]:
    """Digest of the code of each instrument's pricer, None where it cannot be told."""
    codes = {name: INSTRUMENTS[name].code for name in instruments}
    return {name: None if code is None else code.hex() for name, code in codes.items()}


def code_of(instruments: Sequence[str]) -> str:
    """Digest of the code that prices these instruments; of nothing else where one's cannot be told."""
    parts = [INSTRUMENTS[name].code for name in instruments]
    return digest(engine_code(), parts).hex() if None not in parts else uuid.uuid4().hex


def _spec(
    portfolio: Portfolio,
    market: MarketSnapshot,
    *,
    reporting: str | None,
    cell_labels: tuple[str, ...],
    bits: int | Callable[[Portfolio, MarketSnapshot, str], int],
    cut: int,
    held: bool,
) -> Spec:
    currency = reporting or market.numeraire
    known = {market.numeraire, *(factor[3:] for factor in market.factors if factor.startswith("fx:"))}
    if currency not in known:
        raise UnknownName("reporting currency", currency, known)
    if cut < 16 or cut & (cut - 1):
        raise BadSpec(f"cut is {cut}; a power of two, 16 or above, is right")
    if not callable(bits) and not 0 <= bits <= 32:
        raise BadSpec(f"bits is {bits}; 0 to 32 is right")
    labels = TradeLabels(lambda: portfolio)
    for label in cell_labels:
        if label not in labels and not held:
            raise UnknownName("label", label, labels)
    twice = [label for at, label in enumerate(cell_labels) if label in cell_labels[:at]]
    if twice:
        raise BadSpec(f"cell_labels name '{twice[0]}' twice; once is right")
    always = [label for label in ("region", "desk", "book") if label not in cell_labels and label in labels]
    chosen = bits(portfolio, market, currency) if callable(bits) else bits
    return Spec(Pricing(currency, chosen, cut, _wide(chosen)), (*always, *cell_labels))


def _wide(bits: int) -> bool:
    """Whether ticks are 64-bit: those finer than any that is chosen to fit 32 bits."""
    return bits > max(TICK_BITS)


def _bumps_alone(kind: str, provenance: str) -> bool:
    """Whether a set is of bumps, or is put together from such sets."""
    if kind in _BUMPS:
        return True
    facts = json.loads(provenance) if kind == "concatenate" else {}
    return bool(facts) and all(part["provenance"].get("kind") in _BUMPS for part in facts["parts"])


def _check_kinds(portfolio: Any, market: Any, scenarios: Any) -> None:
    for given, kind, what in (
        (portfolio, Portfolio, "portfolio"),
        (market, MarketSnapshot, "market"),
        (scenarios, xr.Dataset, "scenario set"),
    ):
        if not isinstance(given, kind):
            raise BadSpec(
                f"the {what} of a run is a {type(given).__name__}; run(portfolio, market, scenarios) takes a "
                "Portfolio, a MarketSnapshot and a scenario set"
            )
