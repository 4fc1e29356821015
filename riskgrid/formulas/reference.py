"""The SciPy functions that specifications use, imported when first called: compiled kernels start without SciPy."""

from riskgrid.formulas.arrays import Values


def ndtr(x: Values) -> Values:
    """Cumulative probability of the standard normal, any shape.

    >>> float(ndtr(0.0))
    0.5
    """
    from scipy import special

    result: Values = special.ndtr(x)
    return result


def ndtri(probability: Values) -> Values:
    """Quantile of the standard normal, any shape.

    >>> float(ndtri(0.5))
    0.0
    """
    from scipy import special

    result: Values = special.ndtri(probability)
    return result
