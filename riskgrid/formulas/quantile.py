"""The quantile of the normal distribution."""

import numpy as np

from riskgrid.formulas.arrays import Values
from riskgrid.formulas.compiled import loop, scalar
from riskgrid.formulas.elementary import log_number
from riskgrid.formulas.kernel import kernel
from riskgrid.formulas.lane import at, fma, line, row
from riskgrid.formulas.memory import widest
from riskgrid.formulas.reference import ndtri


@scalar
def central(r):  # type: ignore[no-untyped-def]
    """Numerator and denominator for abs(p - 0.5) <= 0.425."""
    p = fma(2509.0809287301226727, r, 33430.575583588128105)
    p = fma(p, r, 67265.770927008700853)
    p = fma(p, r, 45921.953931549871457)
    p = fma(p, r, 13731.693765509461125)
    p = fma(p, r, 1971.5909503065514427)
    p = fma(p, r, 133.14166789178437745)
    p = fma(p, r, 3.3871328727963666080)
    q = fma(5226.4952788528545610, r, 28729.085735721942674)
    q = fma(q, r, 39307.895800092710610)
    q = fma(q, r, 21213.794301586595867)
    q = fma(q, r, 5394.1960214247511077)
    q = fma(q, r, 687.18700749205790830)
    q = fma(q, r, 42.313330701600911252)
    q = fma(q, r, 1.0)
    return p, q


@scalar
def near_tail(r):  # type: ignore[no-untyped-def]
    """Numerator and denominator for sqrt(-log(tail)) - 1.6 up to 3.4."""
    p = fma(7.74545014278341407640e-4, r, 0.0227238449892691845833)
    p = fma(p, r, 0.241780725177450611770)
    p = fma(p, r, 1.27045825245236838258)
    p = fma(p, r, 3.64784832476320460504)
    p = fma(p, r, 5.76949722146069140550)
    p = fma(p, r, 4.63033784615654529590)
    p = fma(p, r, 1.42343711074968357734)
    q = fma(1.05075007164441684324e-9, r, 5.47593808499534494600e-4)
    q = fma(q, r, 0.0151986665636164571966)
    q = fma(q, r, 0.148103976427480074590)
    q = fma(q, r, 0.689767334985100004550)
    q = fma(q, r, 1.67638483018380384940)
    q = fma(q, r, 2.05319162663775882187)
    q = fma(q, r, 1.0)
    return p, q


@scalar
def far_tail(r):  # type: ignore[no-untyped-def]
    """Numerator and denominator for sqrt(-log(tail)) - 5 above 0."""
    p = fma(2.01033439929228813265e-7, r, 2.71155556874348757815e-5)
    p = fma(p, r, 0.00124266094738807843860)
    p = fma(p, r, 0.0265321895265761230930)
    p = fma(p, r, 0.296560571828504891230)
    p = fma(p, r, 1.78482653991729133580)
    p = fma(p, r, 5.46378491116411436990)
    p = fma(p, r, 6.65790464350110377720)
    q = fma(2.04426310338993978564e-15, r, 1.42151175831644588870e-7)
    q = fma(q, r, 1.84631831751005468180e-5)
    q = fma(q, r, 7.86869131145613259100e-4)
    q = fma(q, r, 0.0148753612908506148525)
    q = fma(q, r, 0.136929880922735805310)
    q = fma(q, r, 0.599832206555887937690)
    q = fma(q, r, 1.0)
    return p, q


@scalar
def norm_ppf_number(probability):  # type: ignore[no-untyped-def]
    """All three ranges are computed and one is chosen: a choice keeps vectors, a branch would end them."""
    offset = probability - 0.5
    middle = abs(offset) <= 0.425
    tail = probability if offset < 0.0 else 1.0 - probability
    root = np.sqrt(-log_number(tail))
    p, q = central(fma(-offset, offset, 0.180625))
    near_p, near_q = near_tail(root - 1.6)
    far_p, far_q = far_tail(root - 5.0)
    far = root > 5.0
    tail_p = far_p if far else near_p
    tail_q = far_q if far else near_q
    tail_p = -tail_p if offset < 0.0 else tail_p
    value = (offset * p if middle else tail_p) / (q if middle else tail_q)
    value = -np.inf if probability == 0.0 else value
    return np.inf if probability == 1.0 else value


@loop("out")
def norm_ppf_loop(probability, out):  # type: ignore[no-untyped-def]
    """Quantile of every lane."""
    widest()
    for i in range(out.shape[0]):
        probability_row, out_row = row(probability, i), line(out, i)
        for j in range(out_row.shape[0]):
            out_row[j] = norm_ppf_number(at(probability_row, j))


@kernel(norm_ppf_loop)
def norm_ppf(probability: Values) -> Values:
    """The x with N(x) = probability. Relative error at most 2e-15; -inf at 0, inf at 1, NaN outside [0, 1].

    probability : (trade, state), no unit.  Source: Wichura (1988), algorithm AS 241, Applied Statistics 37, 477-484.

    >>> round(float(norm_ppf(0.99)), 12)
    2.326347874041
    """
    return ndtri(probability)
