"""The one place that decides whether compiled kernels or their NumPy specifications run."""

import importlib.util
import os

BACKENDS = ("numba", "numpy")


def chosen_backend(wanted: str | None) -> str:
    """Name of the backend to use.

    wanted : "numba", "numpy", or None or "" for Numba where it is installed and NumPy elsewhere.
    Raises ValueError for any other name, and ImportError where "numba" is asked for and not installed.

    >>> chosen_backend("numpy")
    'numpy'
    """
    if wanted and wanted not in BACKENDS:
        raise ValueError(f"RISKGRID_BACKEND: unknown backend {wanted!r}; known: {', '.join(map(repr, BACKENDS))}")
    installed = importlib.util.find_spec("numba") is not None
    if wanted == "numba" and not installed:
        raise ImportError("RISKGRID_BACKEND is 'numba' but numba is not installed; install numba or say 'numpy'")
    return wanted or ("numba" if installed else "numpy")


BACKEND: str = chosen_backend(os.environ.get("RISKGRID_BACKEND"))
