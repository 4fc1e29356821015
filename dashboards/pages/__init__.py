"""The pages, in the order in which a morning goes."""

from collections.abc import Mapping

from riskgrid.dashboards.page import Page
from riskgrid.dashboards.pages.drill_down.page import DRILL_DOWN
from riskgrid.dashboards.pages.overview import OVERVIEW
from riskgrid.dashboards.pages.runs.page import RUNS
from riskgrid.dashboards.pages.what_if.page import WHAT_IF

__all__ = ["PAGES"]

PAGES: Mapping[str, Page] = {page.key: page for page in (OVERVIEW, DRILL_DOWN, WHAT_IF, RUNS)}
