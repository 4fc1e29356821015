"""How results are shown: sections of a table, sentences and figures, as text and as one page that needs no network."""

from __future__ import annotations

import functools
import io
import math
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskgrid import embedding, plots
from riskgrid.errors import BadSpec

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__ = ["Column", "Front", "Row", "Section", "Shown", "headed", "money", "notebook_html", "percent", "share"]


@dataclass(frozen=True)
class Column:
    """A column's head.

    kind : ``money, number`` (red below zero), ``share, status`` (mark gaps), ``count, text, sentence``.
    """

    head: str
    unit: str = ""
    kind: str = "money"


@dataclass(frozen=True)
class Row:
    """A row's cells as text. partial : its numbers do not cover all trades.   parent : rows of more depth follow."""

    name: str
    cells: Sequence[str]
    depth: int = 0
    partial: bool = False
    parent: bool = False


@dataclass(frozen=True)
class Section:
    """A table, what its numbers mean, and its figures. Without rows there is no table, and the sentences say why.

    names : head of the column of names; empty for a table without heads.   drawings : makes title to Bokeh figure,
    or to the sentence that stands for it; asked for in HTML only.
    """

    title: str
    names: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    sentences: Sequence[str] = ()
    drawings: Callable[[], Mapping[str, Any]] = dict

    @classmethod
    def of_tree(cls, title: str, names: str, columns: Sequence[Column], rows: Iterable[Row], **rest: Any) -> Section:
        """With every row marked that has rows below it."""
        found = list(rows)
        depths = [*(row.depth for row in found[1:]), 0][: len(found)]
        marked = [
            Row(row.name, row.cells, row.depth, row.partial, below > row.depth)
            for row, below in zip(found, depths, strict=True)
        ]
        return cls(title, names.replace("_", " ").capitalize() or "Portfolio", columns, marked, **rest)


@dataclass(frozen=True)
class Front:
    """What stands above the sections of a page. facts : each with whether it tells of a gap.

    note : the figures of note, (head, value, unit).   notices : sentences on what keeps the numbers from being whole.
    """

    title: str
    facts: Sequence[tuple[str, bool]] = ()
    note: Sequence[tuple[str, str, str]] = ()
    notices: Sequence[str] = ()


class Shown(ABC):
    """A result that shows itself as sections: printed, in a notebook, and on a page of its own or of another result."""

    @abstractmethod
    def sections(self) -> Sequence[Section]:
        """Tables with their sentences and figures, the main one first."""

    def front(self) -> Front:
        """What stands above them on a page."""
        return Front(self.sections()[0].title)

    def to_html(self, path: str | Path | None = None, *, also: Sequence[Shown] = ()) -> str:
        """One self-contained page with tables and figures, which needs no network; written to ``path`` where given.

        also : results whose sections follow.   Raises BadSpec where the extra ``plots`` is not installed.
        """
        front = self.front()
        made = _html(front, _told_once(front, [self.sections(), *(other.sections() for other in also)]))
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(made, encoding="utf-8")
        return made

    def __repr__(self) -> str:
        return _text(self.sections())

    def __str__(self) -> str:
        return _text(self.sections())

    def __rich__(self) -> Any:
        """The tables for a terminal; ``print`` adds the sentences below each."""
        from rich.console import Group

        return Group(*map(_terminal, self.sections()))

    def _repr_html_(self) -> str:
        return notebook_html(self.sections())


def notebook_html(sections: Sequence[Section]) -> str:
    """Sections as a part of a notebook: in its theme, and with their figures where
    :func:`riskgrid.embedding.show_figures` has run.

    Without the extra ``plots`` they are plain text.
    """
    try:
        template = _template("page.html")
        figures, drawn = _drawn(sections)
        items, places = embedding.in_notebook(figures)
    except BadSpec:
        return f"<pre>{escape(_text(sections))}</pre>"
    shown = list(zip(sections, _placed(drawn, places), strict=True))
    return str(template.module.fragment(shown, items if figures else "", plots.COLOURS, plots.FONT))


def _drawn(sections: Iterable[Section]) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """All figures, by place and title, and the drawings of each section."""
    drawn = [section.drawings() for section in sections]
    figures = {
        f"{at}-{title}": figure
        for at, drawings in enumerate(drawn)
        for title, figure in drawings.items()
        if not isinstance(figure, str)
    }
    return figures, drawn


def _placed(drawn: Iterable[Mapping[str, Any]], places: Mapping[str, str]) -> list[list[tuple[str, Any, Any]]]:
    """Title, place (None for a sentence that stands for a figure) and figure of each drawing, by section."""
    return [
        [(title, places.get(f"{at}-{title}"), figure) for title, figure in drawings.items()]
        for at, drawings in enumerate(drawn)
    ]


def _told_once(front: Front, results: Iterable[Sequence[Section]]) -> list[Section]:
    """The sections of all results, without the sentences of a main one that stand further up on the page.

    Sentences of other sections stay: they tell of their own table, in words that may be those of another.
    """
    told, made = set(front.notices), []
    for main, *rest in results:
        new = [sentence for sentence in main.sentences if sentence not in told]
        told |= set(new)
        made += [replace(main, sentences=new), *rest]
    return made


def _html(front: Front, sections: Sequence[Section]) -> str:
    plots.require()  # the sentences about a missing extra, before anything else
    template = _template("page.html")
    figures, drawn = _drawn(sections)
    script, places = embedding.on_page(figures)
    made: str = template.render(
        front=front,
        sections=list(zip(sections, _placed(drawn, places), strict=True)),
        colours=plots.COLOURS,
        font=plots.FONT,
        resources=embedding.resources(),
        script=script,
    )
    return made


def _terminal(section: Section) -> Table | Text:
    """The table, or its title alone where it has no rows."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    if not section.rows:
        return Text(f"{section.title}\n", style="table.title", no_wrap=True)
    table = Table(title=section.title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    table.add_column(section.names, no_wrap=True)
    for column in section.columns:
        justify: Any = "left" if column.kind in ("text", "sentence") else "right"
        table.add_column(f"{column.head}\n{column.unit}", justify=justify, no_wrap=True)
    for row in section.rows:
        cells = [Text(cell, style="red" if cell.startswith("-") else "") for cell in row.cells]
        table.add_row(Text("  " * row.depth + row.name), *cells, style="bold" if row.depth == 0 and row.parent else "")
    return table


def _text(sections: Sequence[Section]) -> str:
    """Tables, each with its sentences below it, as plain text, as wide as they need."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    wide, tables = Console(width=1000, force_jupyter=False), [_terminal(section) for section in sections]
    whole = max(Measurement.get(wide, wide.options, table).maximum for table in tables)
    width = max(whole, shutil.get_terminal_size((120, 24)).columns)  # a cut number is a wrong number
    # of Jupyter's own accord rich would show the text as an output, and leave the file empty
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False, force_jupyter=False)
    for section, table in zip(sections, tables, strict=True):
        if isinstance(table, Table):
            table.min_width = min(len(section.title), width)  # else a title wraps at the width of its table
        console.print(table)
        console.print("\n".join(section.sentences), highlight=False, markup=False)
    written: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in written.splitlines())


def headed(name: str) -> str:
    """A name as a head.

    >>> headed("cash and carry"), headed("FX translation"), headed("fx")
    ('Cash and carry', 'FX translation', 'FX')
    """
    return "FX" if name == "fx" else name[:1].upper() + name[1:]


def money(value: float) -> str:
    """An amount without cents.

    >>> money(-1234567.4), money(-0.2), money(float("nan"))
    ('-1,234,567', '0', 'no number')
    """
    if math.isnan(value):
        return "no number"
    digits = f"{value:,.0f}"
    return "0" if digits == "-0" else digits


def percent(share: float, *, up: bool = False) -> str:
    """A share in per cent; neither a gap nor a small share rounds away (``up`` for shares that should be zero).

    >>> percent(0.99999), percent(0.00001, up=True), percent(1.0)
    ('99.99 %', '0.01 %', '100 %')
    """
    if share in (0.0, 1.0) or math.isnan(share):
        return "no number" if math.isnan(share) else f"{share * 100:.0f} %"
    rounded = round(share * 100, 2)
    return f"{max(rounded, 0.01) if up else min(rounded, 99.99):.2f} %"


def share(part: float, whole: float = 1.0) -> str:
    """A part of a whole in per cent, of either sign and above 100; empty where there is no whole.

    A small one has two digits and never rounds away.

    >>> share(-3.0, 12.0), share(-1.0, 4_000.0), share(1.0, 0.0), share(0.0)
    ('-25.0 %', '-0.03 %', '', '0.0 %')
    >>> share(1.0, 1e6), share(-1.0, 1e6)
    ('<0.01 %', '>-0.01 %')
    """
    if math.isnan(part) or math.isnan(whole):
        return "no number"
    if not whole:
        return ""
    value = part / whole * 100
    if not value or abs(value) >= 0.05:
        return f"{value or 0.0:.1f} %"
    least = "<0.01 %" if value > 0.0 else ">-0.01 %"
    return f"{value:.2f} %" if abs(value) >= 0.005 else least


@functools.cache
def _template(name: str) -> Any:
    try:
        from jinja2 import Environment, PackageLoader
    except ImportError as error:
        raise BadSpec("a page needs Jinja, which is an extra; pip install 'riskgrid[plots]' installs it") from error
    environment = Environment(loader=PackageLoader("riskgrid"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["minus"] = lambda text: text.replace("-", "\N{MINUS SIGN}", 1) if text[:1] == "-" else text
    return environment.get_template(name)
