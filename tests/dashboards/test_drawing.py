from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr

from riskgrid import charts, plots
from riskgrid.dashboards.drawing import recoloured, redrawn, with_links
from riskgrid.dashboards.state import State

pytest.importorskip("bokeh")


def told(figure: object) -> list[object]:
    """Everything that a browser would draw, without the ids."""
    from bokeh.core.serialization import Serializer

    return Serializer(deferred=False).serialize(figure).content, None  # type: ignore[return-value]


def drawn(values: list[float], names: list[str] | None = None) -> object:
    return charts.waterfall(names or [f"step {at}" for at in range(len(values))], np.array(values))


def plain(value: object) -> object:
    """A serialised model without ids."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items() if key != "id"}
    return [plain(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("after", [[1.0, -2.0], [5.0, 5.0], [-1.0, 0.0, 3.0], [float("nan"), 1.0]])
def test_redrawn__is_as_the_new_figure_is(after: list[float]) -> None:
    old, new = drawn([1.0, 2.0]), drawn(after)
    assert redrawn(old, new)
    assert plain(told(old)[0]) == plain(told(new)[0])


def test_redrawn__of_a_figure_that_a_browser_has_measured_is_as_any() -> None:
    old, new = drawn([1.0, 2.0]), drawn([3.0, -2.0])
    old.set_from_json("inner_width", 900)  # type: ignore[attr-defined]
    old.y_range.set_from_json("end", 3.0)  # type: ignore[attr-defined]
    assert redrawn(old, new)
    bars = [list(each.data_source.data["right"]) for each in old.renderers if "right" in each.data_source.data]  # type: ignore[attr-defined]
    assert bars == [[3.0], [1.0], [1.0]]


def test_redrawn__leaves_another_build_alone() -> None:
    old = drawn([1.0, 2.0])
    before = plain(told(old)[0])
    pnl = xr.DataArray([1.0, -1.0, 2.0], dims="scenario")
    measure = xr.DataArray(1.0)
    assert not redrawn(old, plots.pnl_distribution(pnl, measure, measure))
    assert plain(told(old)[0]) == before


def test_colours__come_back_after_dark_and_light() -> None:
    figure = drawn([1.0, -2.0])
    light = str(plain(told(figure)[0]))
    recoloured(figure, dark=True)
    dark = str(plain(told(figure)[0]))
    assert plots.COLOURS["bar"][0] in light
    assert plots.COLOURS["bar"][0] not in dark
    assert plots.COLOURS["bar"][1] in dark
    assert plots.COLOURS["ink"][0] not in dark
    recoloured(figure, dark=False)
    assert str(plain(told(figure)[0])) == light


def test_links__lead_from_the_names_of_a_figure() -> None:
    figure = with_links(drawn([1.0], ["Rates"]), {"Rates": State(by="book")})
    assert "?by=book" in str(told(figure)[0])


def test_links__of_nothing_add_no_tool() -> None:
    assert "TapTool" not in str(told(with_links(drawn([1.0]), {}))[0])


def test_axis_that_a_browser_has_measured__is_left_to_it() -> None:
    def distribution(size: float) -> Any:
        pnl = xr.DataArray(np.linspace(-size, size, 50), dims="scenario")
        return plots.pnl_distribution(pnl, xr.DataArray(size / 2), xr.DataArray(size / 1.5))

    old = distribution(1.0)
    old.x_range.update(start=-1.1, end=1.1)  # as a browser says once it has drawn it
    assert redrawn(old, distribution(100.0))
    assert (old.x_range.start, old.x_range.end) == (-1.1, 1.1)
    tops = [each.data_source.data["top"] for each in old.renderers if "top" in each.data_source.data]
    assert sum(map(sum, tops)) == 50
