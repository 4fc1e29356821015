"""The row machine: a short program of operations, run trade by trade on strips of states that stay in the first cache.

A step of a pricer costs a pass over the first cache here, where an array operation of its own costs one over the second
cache; a row picked from a shared table costs nothing, because it is an operand's address. The instructions are those of
`riskgrid.formulas.opcode`.
"""

from riskgrid.formulas.bachelier import bachelier_number
from riskgrid.formulas.black import black_at, black_strip, strike_distance
from riskgrid.formulas.bracket import surface_strip
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.curve import discount_number
from riskgrid.formulas.lane import line
from riskgrid.formulas.memory import DOUBLE, ahead, memory, widest
from riskgrid.formulas.opcode import (
    BACHELIER,
    BLACK,
    BLACK_ROW,
    DISCOUNT,
    EQUAL,
    MAXIMUM,
    NEGATIVE,
    NODES,
    NUMBER,
    REGISTER,
    SHARED,
    SPREAD,
    SURFACE,
    TARGET,
    TICK,
    TILE,
    WHERE,
    A,
    B,
    C,
    D,
)
from riskgrid.formulas.strip import arithmetic, choice, comparison, function, node_sum, of_one, spread
from riskgrid.formulas.tick import AHEAD, narrow_lines, summed_tick_row


@scalar
def address(step, operand, tables, row, place):  # type: ignore[no-untyped-def]
    """Address of an operand's strip in a table; 0 for what is no strip. tables : their addresses and row strides.

    row : the trade's row numbers.   place : the trade's row in a tile, and the bytes before the strip.
    """
    kind, table = step[operand], step[operand + 1]
    if kind == REGISTER:
        return tables[0, table]
    if kind == SHARED:
        chosen = row[step[operand + 2]] if step[operand + 2] >= 0 else 0
        return tables[0, table] + chosen * tables[1, table] + place[1]
    if kind == TILE:
        return tables[0, table] + place[0] * tables[1, table] + place[1]
    return 0


@scalar
def strip(step, operand, tables, row, number, place, own, n):  # type: ignore[no-untyped-def]
    """An operand's strip of n states; a number that is to be spread goes to the operand's `own` strip."""
    found = address(step, operand, tables, row, place)
    if step[operand] == SPREAD:
        found = own
        spread(number[step[operand + 1]], memory(found, n))
    return memory(found, n)


@scalar
def option(op, a, b, c, d, number, step, out):  # type: ignore[no-untyped-def]
    """Option values of strips a, b, c, d: forward, strike, total volatility and flag."""
    widest()
    n = out.shape[0]
    if op == BLACK_ROW:
        black_strip(a, number[step[B + 1]], c, number[step[D + 1]] != 0.0, out)
    elif op == BLACK:
        for j in range(n):  # out is none of the operands
            out[j] = strike_distance(a[j], b[j], c[j])
        for j in range(n):
            out[j] = black_at(a[j], b[j], c[j], d[j] != 0.0, out[j])
    elif op == BACHELIER:
        for j in range(n):
            out[j] = bachelier_number(a[j], b[j], c[j], d[j] != 0.0)
    elif op == WHERE:
        for j in range(n):
            out[j] = b[j] if a[j] != 0.0 else c[j]


@scalar
def look_up(op, a, step, tables, row, number, grids, place, out):  # type: ignore[no-untyped-def]
    """Weighted rows of a panel, where D names the trade's own columns of row numbers and numbers."""
    widest()
    rows, weights, stride = row[step[D + 1] :], number[step[D + 2] :], tables[1, step[B + 1]]
    low = address(step, B, tables, row, place)
    if op == SURFACE:
        high, start, nodes = address(step, C, tables, row, place), rows[0], rows[1]
        grid, inverse_step = grids[0, start : start + nodes], grids[1, start : start + nodes]
        surface_strip(a, low, high, stride, weights, grid, inverse_step, out)
    else:
        nodes = step[C + 1]
        node_sum(low, stride, rows[:nodes], weights[:nodes], out)
        if op == DISCOUNT:
            for j in range(out.shape[0]):
                out[j] = discount_number(out[j])


@loop("scratch", "ticks", "base", "flags", "checksums")
def machine_loop(  # type: ignore[no-untyped-def]
    steps,
    tables,
    rows,
    numbers,
    grids,
    scratch,
    first,
    last,
    states,
    ticks,
    base,
    flags,
    checksums,
    multipliers,
    scale,
    skip,
    sets,
):
    """Runs the steps for the trades first to last, strip by strip of the scratch memory's width.

    steps : (step, word).   tables : (2, table), address and bytes from row to row.   rows, numbers : (trade, column).
    grids : (2, node), nodes of all grids one after another, and the inverse distance to the next.
    scratch : (strip, state).   Tables are written where a step's target says so; addresses must be valid.
    What `TICK` writes: ticks (trade - first, state - skip), where skip is 1 if the first state is the base and left
    out, else 0; base (trade,), read, and set from the first state if sets is 1; flags (trade,), those of `tick_row`,
    and checksums (trade,), of ticks times multipliers (1, state - skip), both added to.   scale : ticks per unit.
    """
    widest()
    lines = narrow_lines(ticks.shape[1])
    for begin in range(0, states, scratch.shape[1]):
        n = min(scratch.shape[1], states - begin)
        for t in range(first, last):
            row, number, place = line(rows, t), line(numbers, t), (t - first, begin * DOUBLE)
            for s in range(steps.shape[0]):
                step = line(steps, s)
                op = step[0]
                out = memory(address(step, TARGET, tables, row, place), n)
                a = strip(step, A, tables, row, number, place, tables[0, 0], n)
                if op == TICK:
                    here = skip if begin == 0 else 0
                    if begin == 0 and sets == 1:
                        base[t] = a[0] + 0.0  # minus nothing is nothing
                    ahead(ticks, t - first + AHEAD, lines)
                    target = line(ticks, t - first)[begin - skip + here : begin - skip + n]
                    times = line(multipliers, 0)[begin - skip + here : begin - skip + n]
                    flag, total = summed_tick_row(a[here:], base[t], scale, times, target)
                    flags[t] |= flag
                    checksums[t] += total
                    continue
                if op >= NODES:
                    look_up(op, a, step, tables, row, number, grids, place, out)
                    continue
                b = strip(step, B, tables, row, number, place, tables[0, 1], n)
                if op < MAXIMUM:
                    x = number[step[A + 1]] if step[A] == NUMBER else 0.0
                    y = number[step[B + 1]] if step[B] == NUMBER else 0.0
                    arithmetic(op, a, b, x, y, out)
                elif op < EQUAL:
                    choice(op, a, b, out)
                elif op < NEGATIVE:
                    comparison(op, a, b, out)
                elif op < WHERE:
                    of_one(op, a, out)
                elif WHERE < op < BLACK:
                    function(op, a, out)
                else:
                    c = strip(step, C, tables, row, number, place, tables[0, 2], n)
                    d = strip(step, D, tables, row, number, place, tables[0, 3], n)
                    option(op, a, b, c, d, number, step, out)
