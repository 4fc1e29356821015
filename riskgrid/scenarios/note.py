"""What a reader must know of how scenarios were made, beyond the name of their set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["notes_of"]


def notes_of(provenance: str) -> list[str]:
    """Sentences from the provenance of a set, one with ``*`` where something was mended.

    >>> notes_of('{"kind": "age_weighted", "decay": 0.97}')
    ['Weights of scenarios fade with age, by 0.97 from each to the next older one.']
    """
    facts: Mapping[str, Any] = json.loads(provenance or "{}")
    said = []
    if facts.get("kind") == "age_weighted":
        said.append(f"Weights of scenarios fade with age, by {facts['decay']:g} from each to the next older one.")
    if facts.get("repair", "none") != "none":
        said.append(
            f"* The covariance given was not positive semi-definite (smallest eigenvalue of its correlation "
            f"{facts['smallest_eigenvalue']:.3g}); it was repaired ({facts['repair']}), which moved it by "
            f"{facts['moved']:.3g}."
        )
    return said
