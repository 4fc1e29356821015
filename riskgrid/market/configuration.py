"""The conventions of a market: which curve discounts what, how it is quoted and interpolated, frozen calendars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml

from riskgrid.conventions import DAY_COUNTS, tenor_years
from riskgrid.errors import BadMarket, InputError
from riskgrid.hashing import digest
from riskgrid.market.curves import EXTRAPOLATIONS, INTERPOLATIONS

__all__ = [
    "QUOTES",
    "STICKY_RULES",
    "Conventions",
    "Frozen",
    "bad_market",
    "check_conventions",
    "read_yaml",
    "write_yaml",
]

QUOTES = ("par", "zero")
STICKY_RULES = ("sticky_moneyness", "sticky_strike")

_SECTIONS = ("curves", "discount", "indices", "surfaces", "calendars")
_REQUIRED = object()

type Check = Callable[[Any], str]  # what would be right, empty where the value is


class Frozen(Mapping[str, Any]):
    """A nested mapping that cannot change and can be pickled; its digest is :func:`riskgrid.hashing.digest` of it.

    >>> Frozen({"discount": {"USD": "USD-TREASURY"}})["discount"]["USD"]
    'USD-TREASURY'
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[str, Any] | None = None) -> None:
        self._entries = {str(key): _frozen(value) for key, value in (entries or {}).items()}

    def __getitem__(self, key: str) -> Any:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __hash__(self) -> int:
        return hash(digest(self))

    def __repr__(self) -> str:
        return f"Frozen({self.plain()!r})"

    def plain(self) -> dict[str, Any]:
        """Dicts and lists with the same contents, as YAML writes them."""
        return {key: _plain(value) for key, value in self._entries.items()}


class Conventions(Frozen):
    """Conventions that were checked; snapshots of many dates share them, so that their digest is taken once."""

    __slots__ = ("_digest",)

    def __init__(self, entries: Mapping[str, Any] | None = None) -> None:
        super().__init__(entries)
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """Digest of the contents."""
        if self._digest is None:
            self._digest = digest("conventions", dict(self))
        return self._digest


def check_conventions(raw: Mapping[str, Any], place: str = "conventions") -> Conventions:
    """Frozen in canonical form: every section and every default written out, calendars sorted.

    raw : sections ``curves, discount, indices, surfaces, calendars``, each optional; what was checked before is given
    back as it is.   place : named in errors.
    Raises one BadMarket that lists every unknown or missing key, unknown scheme and name that is not defined.

    >>> made = check_conventions({"curves": {"EUR": {"quotes": "zero"}}, "discount": {"EUR": "EUR"}})
    >>> made["curves"]["EUR"]["interpolation"]
    'linear_zero'
    """
    if isinstance(raw, Conventions):
        return raw
    problems: list[str] = []
    for key in sorted(set(map(str, raw)) - set(_SECTIONS)):
        problems.append(f"key '{key}' is unknown; known: {', '.join(_SECTIONS)}")
    sections = {name: _section(raw.get(name), name, problems) for name in _SECTIONS}
    curves = {name: _curve(entry, f"curves.{name}", problems) for name, entry in sections["curves"].items()}
    calendars = {name: _holidays(days, name, problems) for name, days in sections["calendars"].items()}
    rules: dict[str, tuple[Check, Any]] = {
        "currency": (_is_text, _REQUIRED),
        "curve": (_one_of(curves, "a curve that is defined"), _REQUIRED),
        "tenor": (_is_tenor, _REQUIRED),
        "day_count": (_one_of(DAY_COUNTS, "a day count"), _REQUIRED),
        "fixing_lag": (_is_count, 2),
        "calendar": (_one_of([*calendars, "weekends"], "a calendar that is defined"), "weekends"),
    }
    indices = {name: _entry(entry, f"indices.{name}", rules, problems) for name, entry in sections["indices"].items()}
    sticky = {"sticky": (_one_of(STICKY_RULES, "a sticky rule"), "sticky_moneyness")}
    named = {"default": {}, **sections["surfaces"]}
    surfaces = {name: _entry(entry, f"surfaces.{name}", sticky, problems) for name, entry in named.items()}
    for currency, curve in sections["discount"].items():
        _require(curve, _one_of(curves, "a curve that is defined"), f"discount.{currency}", problems)
    bad_market(place, problems)
    discount = sections["discount"]
    made = {"curves": curves, "discount": discount, "indices": indices, "surfaces": surfaces, "calendars": calendars}
    return Conventions({name: dict(sorted(entries.items())) for name, entries in made.items()})


# calendars are thousands of dates: where PyYAML was built with libyaml that is a tenth of the time
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.  Raises BadMarket where there is no such file or no mapping in it."""
    if not path.is_file():
        raise BadMarket(f"no file {path.name} in {path.parent}; it names the numeraire, curves and calendars")
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.YAMLError as error:
        raise BadMarket(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise BadMarket(f"{path}: holds no mapping of keys to values")
    return raw


def write_yaml(path: Path, contents: Mapping[str, Any]) -> None:
    """Write a mapping so that :func:`read_yaml` reads an equal one."""
    text = yaml.dump(Frozen(contents).plain(), Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120)
    path.write_text(text, encoding="utf-8", newline="\n")


def bad_market(place: str, problems: Iterable[str]) -> None:
    """Raise one BadMarket that lists all problems of a file or object, if there are any."""
    listed = list(problems)
    if len(listed) == 1:
        raise BadMarket(f"{place}: {listed[0]}")
    if listed:
        shown = "\n".join(f"  {problem}" for problem in listed[:50])
        more = f"\n  and {len(listed) - 50} more" if len(listed) > 50 else ""
        raise BadMarket(f"{place}: {len(listed)} problems:\n{shown}{more}")


def _section(raw: Any, name: str, problems: list[str]) -> dict[str, Any]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        problems.append(f"key '{name}' holds {raw!r}; a mapping of names is right")
        return {}
    return {str(key): value for key, value in raw.items()}


def _curve(raw: Any, place: str, problems: list[str]) -> dict[str, Any]:
    rules: dict[str, tuple[Check, Any]] = {
        "quotes": (_one_of(QUOTES, "what is quoted"), _REQUIRED),
        "interpolation": (_one_of(INTERPOLATIONS, "an interpolation"), "linear_zero"),
        "extrapolation": (_one_of(EXTRAPOLATIONS, "an extrapolation"), "flat_zero"),
    }
    if not (isinstance(raw, Mapping) and raw.get("quotes") == "zero"):
        rules["payments_per_year"] = (_one_of((1, 2, 3, 4, 6, 12), "a number of payments"), 2)
        rules["simple_up_to"] = (_is_tenor, "6M")
    return _entry(raw, place, rules, problems)


def _entry(raw: Any, place: str, rules: Mapping[str, tuple[Check, Any]], problems: list[str]) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        problems.append(f"key '{place}' holds {raw!r}; a mapping with {', '.join(rules)} is right")
        return {}
    for key in sorted(set(map(str, raw)) - set(rules)):
        problems.append(f"key '{place}.{key}' is unknown; known: {', '.join(rules)}")
    made = {}
    for key, (check, default) in rules.items():
        made[key] = raw.get(key, default)
        if made[key] is _REQUIRED:
            problems.append(f"key '{place}.{key}' is missing; {check(None)}")
        else:
            _require(made[key], check, f"{place}.{key}", problems)
    return made


def _require(value: Any, check: Check, place: str, problems: list[str]) -> None:
    if right := check(value):
        problems.append(f"key '{place}' is {value!r}; {right}")


def _holidays(raw: Any, name: str, problems: list[str]) -> list[date]:
    if name == "weekends":
        problems.append("key 'calendars.weekends' cannot be redefined; it has Saturdays and Sundays alone")
    days = raw if isinstance(raw, (list, tuple)) else [raw]
    bad = [day for day in days if not isinstance(day, date) or isinstance(day, datetime)]
    if bad:
        problems.append(f"key 'calendars.{name}' holds {bad[0]!r}; a list of dates such as 2016-01-01 is right")
        return []
    return sorted(set(days))


def _one_of(known: Iterable[Any], what: str) -> Check:
    listed = list(known)
    right = f"{what} is right: {', '.join(map(str, listed)) or 'none is there'}"
    # 2.0 and True equal an allowed number but would have other canonical bytes
    return lambda value: "" if any(type(value) is type(one) and value == one for one in listed) else right


def _is_text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "a name is right"


def _is_count(value: Any) -> str:
    return "" if type(value) is int and value >= 0 else "a whole number, 0 or above, is right"


def _is_tenor(value: Any) -> str:
    try:
        tenor_years(value if isinstance(value, str) else "")
    except InputError:
        return "a tenor such as 6M is right"
    return ""


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return Frozen(value)
    return tuple(_frozen(part) for part in value) if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Frozen):
        return value.plain()
    return [_plain(part) for part in value] if isinstance(value, tuple) else value
