"""The bar shows what a callback hears."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from riskgrid import progress
from riskgrid.engine.outcome import Progress


def at(done: int, seconds: float, *, planned: bool = False, failed: int = 0) -> Progress:
    return Progress(10, done, 0, failed, done * 1_000_000, seconds, planned)


def test_shown__passes_a_callers_callback_through() -> None:
    with progress.shown(print) as tell:
        assert tell is print
    with progress.shown(None) as tell:
        assert tell is None


def test_auto__is_silent_where_nobody_looks() -> None:
    with progress.shown("auto") as tell:
        assert tell is None


def test_auto__shows_blocks_speed_and_failures_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=140)
    monkeypatch.setattr("rich.console.Console", lambda **_: screen)
    with progress.shown("auto") as tell:
        assert tell is not None
        tell(at(2, 1.0))
        tell(at(3, 1.01))  # too soon after the last update to be drawn
        tell(at(10, 2.0, planned=True, failed=1))
    drawn = screen.file.getvalue()  # type: ignore[attr-defined]
    assert "2/10" in drawn
    assert "3/10" not in drawn
    assert "1 failed" in drawn
    assert "5.0 M valuations/s" in drawn
