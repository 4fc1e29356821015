"""What is registered, as JSON Schema: the columns of an instrument's trades, the options of measures and generators."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from riskgrid.portfolio.header import layout
from riskgrid.registry import INSTRUMENTS, MEASURES, SCENARIO_SETS
from riskgrid.terms import Term

__all__ = ["generator_schema", "instrument_schema", "measure_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

_TYPES = {"float": "number", "int": "integer", "date": "string", "name": "string"}

_PLAIN = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    Decimal: "string",
    Path: "string",
    type(None): "null",
}


def instrument_schema(name: str) -> dict[str, Any]:
    """A trade of an instrument: every column with type, unit, choices, bounds and default. UnknownName.

    A column that is no term is a label of the user's own, and text. ``x-unit`` and ``x-family`` say what a form may
    show and look up; ``x-default-from`` names the term that stands in for an absent one.

    >>> schema = instrument_schema("fx_forward")
    >>> schema["required"]
    ['trade_id', 'trade_date', 'bought', 'sold', 'notional', 'rate', 'maturity']
    >>> schema["properties"]["notional"]["exclusiveMinimum"]
    0.0
    """
    found = INSTRUMENTS[name]
    terms = layout(found)
    example = {key: value for key, value in dataclasses.asdict(found.example).items() if _plain_value(value)}
    return {
        "$schema": _DRAFT,
        "title": name,
        "description": inspect.getdoc(found.price) or "",
        "type": "object",
        "properties": {term.name: _term(term) for term in terms},
        "required": [term.name for term in terms if term.required],
        "additionalProperties": {"type": "string", "description": "a label of your own"},
        "examples": [{"trade_id": "T-1", "trade_date": "2016-06-30", **example}],
    }


def measure_schema(name: str) -> dict[str, Any]:
    """The options of a measure, what it is taken of, and what it is checked against. UnknownName.

    >>> measure_schema("value_at_risk")["properties"]["method"]["default"]
    'inverted_cdf'
    """
    found = MEASURES[name]
    schema = _options(name, found.function, given=found.inputs)
    if found.hands_on:
        own = measure_schema("tail_weights")["properties"]  # by default those of the measure it is of
        schema["properties"] |= {each: own[each] for each in ("level", "method")}
    return schema | {
        "x-of": list(found.inputs),
        "x-consumes": found.consumes,
        "x-reference": found.reference,
        "x-source": found.source,
        "x-error": found.error,
    }


def generator_schema(name: str) -> dict[str, Any]:
    """The options of a way to make a scenario set, and what it is made of. UnknownName.

    >>> generator_schema("historical")["x-of"]
    ['history', 'market']
    """
    made = SCENARIO_SETS[name]
    hints = dict(_hints(made))
    given = [each for each, (_, hint, _) in hints.items() if hint is None and each in ("history", "market")]
    return _options(name, made, given=given) | {"x-of": given}


def _term(term: Term) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _TYPES[term.kind.storage]}
    if term.kind.storage == "date":
        schema["format"] = "date"
    if term.choices:
        schema["enum"] = list(term.choices)
    if term.bounds is not None:
        if math.isfinite(term.bounds.low):
            schema["exclusiveMinimum" if term.bounds.exclusive else "minimum"] = term.bounds.low
        if math.isfinite(term.bounds.high):
            schema["maximum"] = term.bounds.high
    if term.required and term.kind.storage == "name" and not term.choices:
        schema["minLength"] = 1
    if term.default_from is not None:
        schema["x-default-from"] = term.default_from
    elif not term.required:
        schema["default"] = term.default
    told = [term.unit, f"by default that of '{term.default_from}'" if term.default_from else ""]
    marks = {"description": "; ".join(filter(None, told)), "x-unit": term.unit, "x-family": term.kind.family}
    return schema | {key: value for key, value in marks.items() if value}


def _options(name: str, function: Callable[..., Any], given: collections.abc.Collection[str]) -> dict[str, Any]:
    properties, required = {}, []
    for option, (parameter, hint, told) in _hints(function):
        if option in given or option == "convention":
            continue
        properties[option] = _of_hint(hint) if hint is not None else {"description": told}
        if parameter is None:
            continue
        if parameter.default is inspect.Parameter.empty:
            required.append(option)
        elif _plain_value(parameter.default):
            properties[option]["default"] = _plain(parameter.default)
    return {
        "$schema": _DRAFT,
        "title": name,
        "description": inspect.getdoc(function) or "",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _hints(function: Callable[..., Any]) -> Iterator[tuple[str, tuple[inspect.Parameter | None, Any, str]]]:
    """Options with their parameter, what they may be (None where that is an object of the library), and the text of it.

    ``**rules: Unpack[Rules]`` gives the options of ``Rules``, which have no parameter of their own.
    """
    for name, parameter in inspect.signature(function).parameters.items():
        hint = _resolved(function, name)
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            yield name, (parameter, hint, str(parameter.annotation))
            continue
        for form in typing.get_args(hint):
            for option, each in typing.get_type_hints(form).items():
                yield option, (None, each, str(each))


def _resolved(function: Callable[..., Any], name: str) -> Any:
    """An annotation, None where it names what is imported for type checkers alone."""
    holder = types.SimpleNamespace(__annotations__={name: function.__annotations__.get(name, "object")})
    try:
        return typing.get_type_hints(holder, globalns=getattr(function, "__globals__", {}))[name]
    except NameError:
        return None


def _of_hint(hint: Any) -> dict[str, Any]:
    """What a value may be; nothing is said of what JSON cannot hold."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, typing.TypeAliasType):
        return _of_hint(hint.__value__)
    if origin in (typing.NotRequired, typing.Required, typing.Annotated):
        return _of_hint(inside[0])
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (typing.Union, types.UnionType):
        return _of_any(inside)
    if origin is None:
        return {"type": _PLAIN[hint]} if hint in _PLAIN else {}
    return _of_many(origin, inside)


def _of_any(inside: tuple[Any, ...]) -> dict[str, Any]:
    kinds = [each for each in map(_of_hint, inside) if each]
    if all(kind == {"type": "null"} for kind in kinds):
        return {}
    distinct = [each for at, each in enumerate(kinds) if each not in kinds[:at]]
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


def _of_many(origin: Any, inside: tuple[Any, ...]) -> dict[str, Any]:
    if origin is tuple and Ellipsis not in inside:
        return {"type": "array", "prefixItems": [_of_hint(each) for each in inside], "minItems": len(inside)}
    if issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _of_hint(inside[1])}
    return {"type": "array", "items": _of_hint(inside[0])} if issubclass(origin, collections.abc.Sequence) else {}


def _plain_value(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_plain_value, value))
    return value is None or (isinstance(value, (str, int, float, bool)) and value == value)  # noqa: PLR0124


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
