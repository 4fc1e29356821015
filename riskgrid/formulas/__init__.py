"""Compiled array kernels, each beside the NumPy function that specifies it."""

from riskgrid.formulas.bachelier import bachelier_value
from riskgrid.formulas.backend import BACKEND
from riskgrid.formulas.black import black_value
from riskgrid.formulas.curve import discount_factors, weighted_nodes
from riskgrid.formulas.elementary import exp, log
from riskgrid.formulas.flow import floating_sum, flow_sum
from riskgrid.formulas.kernel import Kernel, kernel
from riskgrid.formulas.normal import norm_cdf, norm_pdf
from riskgrid.formulas.quantile import norm_ppf
from riskgrid.formulas.surface import surface_vol
from riskgrid.formulas.tail import tail_index, tail_select
from riskgrid.formulas.tick import add_exactly, sum_cells, to_ticks

__all__ = [
    "BACKEND",
    "Kernel",
    "add_exactly",
    "bachelier_value",
    "black_value",
    "discount_factors",
    "exp",
    "floating_sum",
    "flow_sum",
    "kernel",
    "log",
    "norm_cdf",
    "norm_pdf",
    "norm_ppf",
    "sum_cells",
    "surface_vol",
    "tail_index",
    "tail_select",
    "to_ticks",
    "weighted_nodes",
]
