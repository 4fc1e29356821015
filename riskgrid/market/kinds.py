"""What factors there are: how many of which kinds, and where their numbers come from, in a line and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from riskgrid.page import Section

__all__ = ["kinds_section", "kinds_text"]


def kinds_text(factors: Sequence[str]) -> str:
    """How many factors of which kinds, in a line.

    >>> kinds_text(["fx:EUR", "par:USD:1Y", "par:USD:2Y"])
    '3 factors: 1 fx, 2 par'
    """
    kinds = Counter(factor.split(":")[0] for factor in factors)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{len(factors)} factors" + (f": {listed}" if listed else "")


def kinds_section(title: str, factors: Sequence[str], origin: Mapping[str, str], said: Sequence[str]) -> Section:
    """A row for each kind and origin: how many factors of how many market objects, and what is said of most of them.

    origin : factor to a sentence that begins with ``real``, ``derived`` or ``synthetic``.   said : below the table.
    """
    from riskgrid.page import Column, Row, Section

    found: dict[tuple[str, str], tuple[Counter[str], set[str]]] = {}
    for factor in sorted(factors):
        text = origin.get(factor, "not stated")
        texts, objects = found.setdefault((factor.split(":")[0], text.split(":")[0]), (Counter(), set()))
        texts[text] += 1
        objects.add(":".join(factor.split(":")[:2]))
    rows = []
    for (kind, source), (texts, objects) in sorted(found.items()):
        sentence = texts.most_common(1)[0][0].partition(":")[2].strip()
        sentence = f"{sentence.rstrip('.')}; and others" if len(texts) > 1 else sentence
        rows.append(Row(kind, [f"{len(objects):,}", f"{texts.total():,}", source, sentence]))
    heads = [Column("Objects", kind="count"), Column("Factors", kind="count")]
    heads += [Column("Origin", kind="text"), Column("Where most of them are from", kind="sentence")]
    return Section(title, "Kind", heads, rows, said)
