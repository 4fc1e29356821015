"""A run that a service holds: what it says of it, and how it is shown."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from riskgrid.client.exchange import Manner
from riskgrid.client.orders import run_path

__all__ = ["Remote", "signed"]


def signed[C](methods: type[C]) -> type[C]:
    """A class whose methods, made of verbs, show names and signatures of their own."""
    for name, method in vars(methods).items():
        verb = getattr(method, "__wrapped__", None)
        if verb is None:
            continue
        shown = inspect.signature(verb)
        first, *rest = shown.parameters.values()
        comes = method.__annotations__["return"].removeprefix("Steps[").removesuffix("]")
        mine = first.replace(name="self", annotation=inspect.Parameter.empty)
        method.__signature__ = shown.replace(parameters=[mine, *rest], return_annotation=comes)
        method.__annotations__ = {key: value for key, value in method.__annotations__.items() if key != first.name}
        method.__annotations__["return"] = comes
        method.__name__, method.__qualname__ = name, f"{methods.__name__}.{name}"
        method.__module__ = methods.__module__
    return methods


@dataclass(frozen=True, repr=False)
class Remote:
    """A run of a service, as one sees it. facts : what the service said of it last."""

    facts: Mapping[str, Any]
    manner: Manner

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return str(self.facts["run_id"])

    @property
    def known_as(self) -> str:
        """The id by which people know it."""
        return self.run_id

    @property
    def path(self) -> str:
        """Of its resource."""
        return run_path(self.run_id)

    @property
    def name(self) -> str:
        """What it was called when it was asked."""
        return str(self.facts["name"])

    @property
    def status(self) -> str:
        """``queued, running, complete, partial, finished, failed`` or ``cancelled``, as of when the service said it."""
        return str(self.facts["status"])

    @property
    def as_of(self) -> str:
        """Valuation date."""
        return str(self.facts["as_of"])

    @property
    def parent_id(self) -> str | None:
        """Id of the run that a what-if changes."""
        return self.facts["parent"] and str(self.facts["parent"])

    def __getattr__(self, name: str) -> Any:
        said = f"'{type(self).__name__}' object has no attribute {name!r}"
        if not name.startswith("_"):  # a function of the library may have been given it
            said += "; a run of a service is asked itself: run.report(...), not riskgrid.report(run, ...)"
        raise AttributeError(said, name=name, obj=self)

    def __repr__(self) -> str:
        told = f", what-if of {self.parent_id}" if self.parent_id else ""
        return (
            f"{type(self).__name__}({self.run_id}{told}, as of {self.as_of}, {self._counts(' x ')}, {self.status}, "
            f"at {self.manner.url})"
        )

    def _repr_html_(self) -> str:
        told = f" (what-if of {escape(self.parent_id)})" if self.parent_id else ""
        named = f" <i>{escape(self.name)}</i>" if self.name else ""
        return (
            f"<b>Run {escape(self.run_id)}</b>{named}{told} as of {escape(self.as_of)}: {self._counts(' &times; ')}, "
            f"{escape(self.status)}; at {escape(self.manner.url)}"
        )

    def _counts(self, times: str) -> str:
        trades = self.facts["trades"]
        mine = "your trades" if trades is None else f"{trades:,} trades"
        return f"{mine}{times}{self.facts['scenarios']:,} scenarios"
