"""What a process says about itself: lines of JSON or of text, each with the request and the run that it is about.

Everything speaks through the standard library's loggers. Where structlog is installed, which comes with the extra
``api``, it writes the lines; else the standard library does, with the same facts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TextIO

from riskgrid.errors import InputError

__all__ = ["FORMS", "LEVELS", "about", "carried", "facts", "note", "set_up", "speaking"]

#: How lines are written; ``auto`` is text on a terminal, else JSON.
FORMS = ("auto", "json", "text")

LEVELS = ("debug", "info", "warning", "error")

#: Keys, tokens and the credentials of URLs: a library's message may quote one.
_SECRET = re.compile(r"rgk_\w+|eyJ[\w-]+\.[\w-]*\.[\w-]*|(?<=://)[^\s/]*@|(?i:(?<=bearer )\S+)")

_FACTS: ContextVar[MutableMapping[str, str] | None] = ContextVar("riskgrid_facts", default=None)

_SET: dict[str, str] = {}


@contextlib.contextmanager
def about(**told: str) -> Iterator[None]:
    """What is said inside is about these: a request, a principal, a run.

    >>> with about(run="0f3a"), about(request="q1"):
    ...     dict(facts())
    {'run': '0f3a', 'request': 'q1'}
    """
    token = _FACTS.set({**facts(), **told})
    try:
        yield
    finally:
        _FACTS.reset(token)


def note(**told: str) -> None:
    """Add to what is said until the innermost :func:`about` ends, also by whoever copied its context before."""
    held = _FACTS.get()
    if held is not None:
        held.update(told)


def facts() -> Mapping[str, str]:
    """What is being talked about."""
    return MappingProxyType(_FACTS.get() or {})


def carried() -> dict[str, str]:
    """The facts for whoever works elsewhere on the same thing; none where this process was never set up to speak."""
    return {**facts(), "log": _SET["form"], "level": _SET["level"]} if _SET else {}


@contextlib.contextmanager
def speaking(given: Mapping[str, str]) -> Iterator[None]:
    """Work on what :func:`carried` told of, in any thread or process; a silent process is set up as that one was."""
    if not given:
        yield
        return
    told = dict(given)
    form, level = told.pop("log"), told.pop("level")
    if not _SET:
        set_up(form, level)
    with about(**told):
        yield


def set_up(form: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Have this process write its lines. stream : by default standard error.   InputError for an unknown form or level.

    Every line of JSON has ``event``, ``level``, ``logger``, ``timestamp`` (UTC) and the facts.
    """
    if form not in FORMS or level not in LEVELS:
        right = f"one of {', '.join(FORMS)} and one of {', '.join(LEVELS)}"
        raise InputError(f"log lines are to be {form!r} from the level {level!r} on; {right} is right")
    out = sys.stderr if stream is None else stream
    text = form == "text" or (form == "auto" and out.isatty())
    handler = _Lines(stream)
    handler.setFormatter(_formatter(text, out.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [*(other for other in root.handlers if not isinstance(other, _Lines)), handler]
    root.setLevel(logging.INFO)
    logging.getLogger("riskgrid").setLevel(level.upper())
    for noisy in ("alembic", "httpx", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    _SET.update(form=form if form != "auto" else "text" if text else "json", level=level)


class _Lines(logging.StreamHandler[Any]):
    """Writes to a stream, else to what is standard error when it writes."""

    def __init__(self, stream: TextIO | None) -> None:
        self._chosen = stream
        super().__init__()

    @property
    def stream(self) -> Any:
        """Where lines go."""
        return sys.stderr if self._chosen is None else self._chosen

    @stream.setter
    def stream(self, value: Any) -> None:
        """Nothing: the standard library sets what was standard error when the handler was made."""


def _formatter(text: bool, colours: bool) -> logging.Formatter:
    if importlib.util.find_spec("structlog") is None:
        return _Plain("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    import structlog

    # a traceback without the values of variables: they may be trades, or keys
    plain = structlog.dev.plain_traceback
    lines: Any = (
        structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)
        if text
        else structlog.processors.JSONRenderer()
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper("iso", utc=True),
            _with_facts,
            _without_secrets,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _without_secrets,
            lines,
        ],
    )


class _Plain(logging.Formatter):
    """Lines of text with the facts at their end."""

    def format(self, record: logging.LogRecord) -> str:
        told = {**facts(), **getattr(record, "facts", {})}
        line = super().format(record) + "".join(f" {name}={value}" for name, value in told.items())
        return _SECRET.sub("...", line)


def _with_facts(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    event.update(facts())
    event.update(getattr(event["_record"], "facts", {}))
    return event


def _without_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ARG001
    for name in ("event", "exception"):
        if isinstance(event.get(name), str):
            event[name] = _SECRET.sub("...", event[name])
    return event
