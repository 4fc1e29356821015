"""Try a step of the store again when it fails for a reason that may be over in a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from riskgrid.errors import StoreError

__all__ = ["PAUSES", "patiently"]

#: Seconds between one attempt and the next; when they are used up, the error stands.
PAUSES = (0.1, 0.4, 1.6)


def patiently[Result](
    call: Callable[..., Result],
    *args: Any,
    noted: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    **options: Any,
) -> Result:
    """``call(*args, **options)``, again after a pause where it raises a StoreError that is transient.

    noted : called with the sentence of each failure that is tried again.
    """
    for pause in PAUSES:
        try:
            return call(*args, **options)
        except StoreError as error:
            if not error.transient:
                raise
            if noted is not None:
                noted(str(error))
            sleep(pause)
    return call(*args, **options)
