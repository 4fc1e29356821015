"""Changes on their way: what somebody has put together and not yet run, as the text of an address and back."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from riskgrid.errors import BadChanges, BadSpec
from riskgrid.rehang import Rehang

__all__ = ["Draft"]

#: Bytes of an address that a draft may take: servers and proxies refuse longer ones.
_MOST_TEXT = 6_000

#: Bytes that one may unpack to.
_MOST = 200_000

#: Parts of several changes each, beside trades that are added.
_MANY = ("amend", "resize", "drop", "rehang", "shift")

#: Parts that are one thing each, with the words that tell of it.
_ONE = {
    "scenarios": "Scenarios {} instead",
    "snapshot": "The market kept as {}",
    "date": "The market of {}",
    "overlay": "{} on top of every scenario",
}


@dataclass(frozen=True)
class Draft:
    """Changes in their plain form, see :meth:`riskgrid.change.Changes.from_dict`, inputs by the names they are kept by.

    >>> draft = Draft().dropped("T-1").shifted("equity:*", "-5%")
    >>> [words for words, _ in draft.lines()], Draft.of(draft.text) == draft
    (['Drop T-1', 'Shift equity:* -5%'], True)
    """

    form: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Draft:
        """What :attr:`text` wrote. BadSpec for a text that is none."""
        if not text:
            return cls()
        try:
            unpacking = zlib.decompressobj()
            plain = unpacking.decompress(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), _MOST)
            form = json.loads(plain) if unpacking.eof else None
        except (ValueError, binascii.Error, zlib.error):
            form = None
        if not isinstance(form, dict):
            raise BadSpec("the draft in this address is cut short or changed; the address as it was copied is right")
        return cls(form)

    @property
    def text(self) -> str:
        """As a word of an address, empty for no changes. BadChanges for more than an address holds."""
        if not self.form:
            return ""
        packed = zlib.compress(json.dumps(self.form, separators=(",", ":")).encode(), 9)
        text = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        if len(text) > _MOST_TEXT:
            raise BadChanges(
                f"the draft has {len(self):,} changes, more than an address holds; run it, and go on from there"
            )
        return text

    # -- what is put in ----------------------------------------------------------------------------------------

    def added(self, instrument: str, row: Mapping[str, Any]) -> Draft:
        """With one more trade."""
        rows = [each for each in self._add.get(instrument, []) if each.get("trade_id") != row.get("trade_id")]
        return self._with("add", {**self._add, instrument: [*rows, dict(row)]})

    def resized(self, trade_id: str, quantity: float | None) -> Draft:
        """With another quantity of a trade; None for the one that it has."""
        sizes = {name: size for name, size in self._part("resize", {}).items() if name != trade_id}
        kept = self.dropped(trade_id, out=False) if quantity is not None else self
        return kept._with("resize", sizes if quantity is None else {**sizes, trade_id: quantity})

    def dropped(self, trade_id: str, *, out: bool = True) -> Draft:
        """Without a trade; with it again where it is not to be ``out``."""
        left = [name for name in self._part("drop", []) if name != trade_id]
        return (self.resized(trade_id, None) if out else self)._with("drop", [*left, trade_id] if out else left)

    def shifted(self, pattern: str, shock: str | float) -> Draft:
        """With the factors that a pattern names elsewhere today; a later line comes after an earlier one."""
        lines = {name: each for name, each in self._part("shift", {}).items() if name != pattern}
        return self._with("shift", {**lines, pattern: shock})

    def laid_over(self, name: str, lines: Sequence[tuple[str, str | float]]) -> Draft:
        """With one stress on top of every scenario."""
        return self._with("overlay", {name: [{pattern: shock} for pattern, shock in lines]})

    def over(self, episode: str) -> Draft:
        """With what the sample's history did in an episode on top of every scenario."""
        return self._with("overlay", {"episode": episode})

    def rehung(self, where: Mapping[str, str], to: Mapping[str, str]) -> Draft:
        """With one more rule that changes labels. BadChanges where it is none."""
        return self._with("rehang", [*self._part("rehang", []), Rehang.of({"where": where, "to": to}).to_dict()])

    def replacing(self, part: str, value: Any) -> Draft:
        """With another ``snapshot, scenarios`` or ``date``; a market has one of snapshot and date."""
        other = {"snapshot": "date", "date": "snapshot"}.get(part, "")
        return Draft({key: each for key, each in self.form.items() if key != other})._with(part, value)

    # -- what it says ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """How many changes there are."""
        trades = sum(map(len, self._add.values()))
        return trades + sum(len(self._part(key, ())) for key in _MANY) + sum(key in self.form for key in _ONE)

    def lines(self) -> Iterator[tuple[str, Draft]]:
        """Every change in words, each with the draft without it."""
        yield from self._of_trades()
        for at, rule in enumerate(self._part("rehang", [])):
            rest = [each for place, each in enumerate(self.form["rehang"]) if place != at]
            yield f"Re-hang {Rehang.of(rule)}", self._with("rehang", rest)
        for pattern, shock in self._part("shift", {}).items():
            yield f"Shift {pattern} {shock}", self._without("shift", pattern)
        for key, words in _ONE.items():
            if key in self.form:
                yield words.format(_of_input(self.form[key])), self._with(key, None)

    def _of_trades(self) -> Iterator[tuple[str, Draft]]:
        for instrument, rows in self._add.items():
            for row in rows:
                rest = [each for each in rows if each is not row]
                left = (
                    {**self._add, instrument: rest} if rest else {k: v for k, v in self._add.items() if v is not rows}
                )
                yield f"Add {_of_trade(instrument, row)}", self._with("add", left)
        for trade, columns in self._part("amend", {}).items():
            told = ", ".join(f"{name} {value}" for name, value in columns.items())
            yield f"Amend {trade}: {told}", self._without("amend", trade)
        for trade, size in self._part("resize", {}).items():
            yield f"Resize {trade} to {size:,.10g}", self._without("resize", trade)
        for trade in self._part("drop", []):
            yield f"Drop {trade}", self.dropped(trade, out=False)

    @property
    def _add(self) -> Mapping[str, list[dict[str, Any]]]:
        found: Mapping[str, list[dict[str, Any]]] = self._part("add", {})
        return found

    def _part(self, key: str, none: Any) -> Any:
        return self.form.get(key, none)

    def _with(self, key: str, value: Any) -> Draft:
        return Draft(
            {**{name: each for name, each in self.form.items() if name != key}, **({key: value} if value else {})}
        )

    def _without(self, key: str, name: str) -> Draft:
        return self._with(key, {each: value for each, value in self.form[key].items() if each != name})


def _of_input(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "history" in value:
        return str(value["date"])
    return f"What {value['episode']} did" if isinstance(value.get("episode"), str) else ", ".join(value)


def _of_trade(instrument: str, row: Mapping[str, Any]) -> str:
    labels = ("trade_id", "region", "desk", "book", "counterparty", "netting_set", "trade_date")
    terms = ", ".join(f"{name.replace('_', ' ')} {_plain(value)}" for name, value in row.items() if name not in labels)
    into = f" in {row['book']}" if row.get("book") else ""
    return f"{row.get('trade_id', '')}, {instrument.replace('_', ' ')}{into}: {terms}"


def _plain(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
