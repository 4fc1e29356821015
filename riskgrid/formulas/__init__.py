"""Compiled array kernels, each beside the NumPy function that specifies it."""

from riskgrid.formulas.bachelier import bachelier_value
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.black import black_value
from riskgrid.formulas.checksum import checksum_multipliers, checksum_of_length, row_checksums
from riskgrid.formulas.curve import discount_factors, paid_growth, weighted_nodes
from riskgrid.formulas.elementary import exp, log
from riskgrid.formulas.flow import check_flows, checked_flow_sum, flow_sum
from riskgrid.formulas.greek import black_delta, black_gamma, black_vega
from riskgrid.formulas.group import add_exactly, group_rows, sum_cells, sum_groups, sum_tree
from riskgrid.formulas.kernel import Kernel, kernel
from riskgrid.formulas.normal import norm_cdf, norm_pdf
from riskgrid.formulas.option import Greeks, forward_greeks, spot_greeks
from riskgrid.formulas.quantile import norm_ppf
from riskgrid.formulas.surface import surface_vol
from riskgrid.formulas.tail import lowest_values, tail_index, tail_select
from riskgrid.formulas.tick import to_ticks

__all__ = [
    "BACKEND",
    "Greeks",
    "Kernel",
    "add_exactly",
    "bachelier_value",
    "black_delta",
    "black_gamma",
    "black_value",
    "black_vega",
    "check_flows",
    "checked_flow_sum",
    "checksum_multipliers",
    "checksum_of_length",
    "discount_factors",
    "exp",
    "flow_sum",
    "forward_greeks",
    "group_rows",
    "kernel",
    "log",
    "lowest_values",
    "norm_cdf",
    "norm_pdf",
    "norm_ppf",
    "paid_growth",
    "row_checksums",
    "spot_greeks",
    "sum_cells",
    "sum_groups",
    "sum_tree",
    "surface_vol",
    "tail_index",
    "tail_select",
    "to_ticks",
    "weighted_nodes",
]
