"""Operations of the row machine on strips of states: each is a loop that becomes vectors."""

import numpy as np

from riskgrid.formulas.compiled import scalar
from riskgrid.formulas.elementary import exp_number, log_number
from riskgrid.formulas.lane import fma
from riskgrid.formulas.memory import memory, widest
from riskgrid.formulas.normal import INVERSE_ROOT_TWO_PI, exp_half_square, norm_cdf_number
from riskgrid.formulas.opcode import (
    ABSOLUTE,
    ADD,
    AND,
    DIVIDE,
    EQUAL,
    EXP,
    FMAX,
    FMIN,
    GREATER,
    GREATER_EQUAL,
    IS_FINITE,
    IS_NAN,
    LESS,
    LESS_EQUAL,
    LOG,
    MAXIMUM,
    MINIMUM,
    MULTIPLY,
    NEGATIVE,
    NORM_CDF,
    NORM_PDF,
    NOT,
    NOT_EQUAL,
    OR,
    POSITIVE,
    SQRT,
    SQUARE,
    SUBTRACT,
    XOR,
)


@scalar
def spread(number, out):  # type: ignore[no-untyped-def]
    """One number in every state."""
    widest()
    for j in range(out.shape[0]):
        out[j] = number


@scalar
def arithmetic(op, a, b, x, y, out):  # type: ignore[no-untyped-def]  # noqa: PLR0912, an operation each
    """The four operations on strips a, b; x, y : the numbers where the next codes ask for them instead."""
    widest()
    n = out.shape[0]
    if op == ADD:
        for j in range(n):
            out[j] = a[j] + b[j]
    elif op == ADD + 1:
        for j in range(n):
            out[j] = a[j] + y
    elif op == ADD + 2:
        for j in range(n):
            out[j] = x + b[j]
    elif op == SUBTRACT:
        for j in range(n):
            out[j] = a[j] - b[j]
    elif op == SUBTRACT + 1:
        for j in range(n):
            out[j] = a[j] - y
    elif op == SUBTRACT + 2:
        for j in range(n):
            out[j] = x - b[j]
    elif op == MULTIPLY:
        for j in range(n):
            out[j] = a[j] * b[j]
    elif op == MULTIPLY + 1:
        for j in range(n):
            out[j] = a[j] * y
    elif op == MULTIPLY + 2:
        for j in range(n):
            out[j] = x * b[j]
    elif op == DIVIDE:
        for j in range(n):
            out[j] = a[j] / b[j]
    elif op == DIVIDE + 1:
        for j in range(n):
            out[j] = a[j] / y
    else:
        for j in range(n):
            out[j] = x / b[j]


@scalar
def choice(op, a, b, out):  # type: ignore[no-untyped-def]  # noqa: PLR0912, an operation each
    """Greater and lesser numbers, and logic of flags; NaN counts as true, as it does in NumPy."""
    widest()
    n = out.shape[0]
    if op == MAXIMUM:
        for j in range(n):
            out[j] = a[j] if (a[j] > b[j]) | (a[j] != a[j]) else b[j]
    elif op == MINIMUM:
        for j in range(n):
            out[j] = a[j] if (a[j] < b[j]) | (a[j] != a[j]) else b[j]
    elif op == FMAX:
        for j in range(n):
            out[j] = a[j] if (a[j] > b[j]) | (b[j] != b[j]) else b[j]
    elif op == FMIN:
        for j in range(n):
            out[j] = a[j] if (a[j] < b[j]) | (b[j] != b[j]) else b[j]
    elif op == AND:
        for j in range(n):
            out[j] = 1.0 if (a[j] != 0.0) & (b[j] != 0.0) else 0.0
    elif op == OR:
        for j in range(n):
            out[j] = 1.0 if (a[j] != 0.0) | (b[j] != 0.0) else 0.0
    elif op == XOR:
        for j in range(n):
            out[j] = 1.0 if (a[j] != 0.0) ^ (b[j] != 0.0) else 0.0


@scalar
def comparison(op, a, b, out):  # type: ignore[no-untyped-def]
    """1 where the comparison holds, else 0."""
    widest()
    n = out.shape[0]
    if op == EQUAL:
        for j in range(n):
            out[j] = 1.0 if a[j] == b[j] else 0.0
    elif op == NOT_EQUAL:
        for j in range(n):
            out[j] = 1.0 if a[j] != b[j] else 0.0
    elif op == LESS:
        for j in range(n):
            out[j] = 1.0 if a[j] < b[j] else 0.0
    elif op == LESS_EQUAL:
        for j in range(n):
            out[j] = 1.0 if a[j] <= b[j] else 0.0
    elif op == GREATER:
        for j in range(n):
            out[j] = 1.0 if a[j] > b[j] else 0.0
    elif op == GREATER_EQUAL:
        for j in range(n):
            out[j] = 1.0 if a[j] >= b[j] else 0.0


@scalar
def of_one(op, a, out):  # type: ignore[no-untyped-def]  # noqa: PLR0912, an operation each
    """Operations of one strip."""
    widest()
    n = out.shape[0]
    if op == NEGATIVE:
        for j in range(n):
            out[j] = -a[j]
    elif op == POSITIVE:
        for j in range(n):
            out[j] = a[j]
    elif op == ABSOLUTE:
        for j in range(n):
            out[j] = abs(a[j])
    elif op == SQRT:
        for j in range(n):
            out[j] = np.sqrt(a[j])
    elif op == SQUARE:
        for j in range(n):
            out[j] = a[j] * a[j]
    elif op == NOT:
        for j in range(n):
            out[j] = 1.0 if a[j] == 0.0 else 0.0
    elif op == IS_NAN:
        for j in range(n):
            out[j] = 1.0 if a[j] != a[j] else 0.0
    elif op == IS_FINITE:
        for j in range(n):
            out[j] = 1.0 if abs(a[j]) < np.inf else 0.0


@scalar
def function(op, a, out):  # type: ignore[no-untyped-def]
    """Exponential, logarithm and the normal distribution."""
    widest()
    n = out.shape[0]
    if op == EXP:
        for j in range(n):
            out[j] = exp_number(a[j])
    elif op == LOG:
        for j in range(n):
            out[j] = log_number(a[j])
    elif op == NORM_CDF:
        for j in range(n):
            out[j] = norm_cdf_number(a[j])
    elif op == NORM_PDF:
        for j in range(n):
            out[j] = INVERSE_ROOT_TWO_PI * exp_half_square(a[j])


@scalar
def node_sum(panel, stride, rows, weights, out):  # type: ignore[no-untyped-def]
    """Sum of weights times rows of the panel at an address, in order."""
    widest()
    n = out.shape[0]
    for j in range(n):
        out[j] = 0.0
    for k in range(rows.shape[0]):
        node, share = memory(panel + rows[k] * stride, n), weights[k]
        for j in range(n):
            out[j] = fma(share, node[j], out[j])
