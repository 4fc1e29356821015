"""How far a run has come, for people: a bar in a terminal or a notebook."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

from riskgrid.engine.outcome import Progress

__all__ = ["shown", "stepped"]

#: At most this many updates a second; a person sees no more.
_UPDATES = 8.0


@contextlib.contextmanager
def shown(
    progress: Callable[[Progress], None] | Literal["auto"] | None,
) -> Iterator[Callable[[Progress], None] | None]:
    """The callback of a run: the caller's own, or with ``auto`` a bar where someone can see it, else none."""
    if progress != "auto":
        yield progress
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield None
        return
    with _bar(console) as bar:
        yield _Bar(bar)


@contextlib.contextmanager
def stepped(what: str, total: int, progress: Literal["auto"] | None) -> Iterator[Callable[[str], None]]:
    """Called with a few words after each of ``total`` steps; ``auto`` shows a bar where someone can see it."""
    from rich.console import Console

    console = Console(stderr=True)
    if progress is None or not (console.is_terminal or console.is_jupyter):
        yield lambda _: None
        return
    with _bar(console) as bar:
        task = bar.add_task(what, total=total, detail="")
        yield lambda detail: bar.update(task, advance=1, detail=detail, refresh=True)


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar, self._task, self._last = bar, bar.add_task("planning", total=None, detail=""), -1.0

    def __call__(self, at: Progress) -> None:
        if not at.planned and at.seconds - self._last < 1.0 / _UPDATES:
            return
        self._last = at.seconds
        speed = at.valuations / at.seconds if at.seconds else 0.0
        parts = [f"{at.priced:,} priced", f"{at.found:,} found"] if at.valuations or at.found else []
        parts += [f"{at.failed:,} failed"] if at.failed else []
        parts += [f"{speed / 1e6:.1f} M valuations/s"] if at.valuations else []
        self._bar.update(
            self._task, description="blocks", total=at.total, completed=at.done, detail=", ".join(parts), refresh=True
        )


def _bar(console: Any) -> Any:
    from rich import progress as rich_progress

    return rich_progress.Progress(
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn("{task.fields[detail]}"),
        rich_progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        auto_refresh=False,
    )
