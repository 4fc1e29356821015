"""The conventions of VaR and ES that a page can be read in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["CONVENTIONS", "measures_of"]

#: Name to its words and to the levels and methods of :func:`riskgrid.reporting.report`.
CONVENTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "": ("VaR 99 % / ES 97.5 %", {}),
    "interpolated": ("VaR 99 % / ES 97.5 %, interpolated", {"var_method": "linear"}),
    "var-99-es-99": ("VaR 99 % / ES 99 %", {"es_level": "0.99"}),
    "var-975-es-975": ("VaR 97.5 % / ES 97.5 %", {"var_level": "0.975"}),
    "var-95-es-95": ("VaR 95 % / ES 95 %", {"var_level": "0.95", "es_level": "0.95"}),
}


def measures_of(name: str) -> Mapping[str, Any]:
    """Levels and methods of a convention; those of the first where the name is unknown.

    >>> measures_of("var-95-es-95")["var_level"]
    '0.95'
    """
    return CONVENTIONS.get(name, CONVENTIONS[""])[1]
