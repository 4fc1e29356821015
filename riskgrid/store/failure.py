"""Why the store cannot be read or written, in a sentence that says what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from riskgrid.errors import StoreError

__all__ = ["explained"]

#: What a shared file system says while a server or the way to it is down.
_TRANSIENT = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN})

_DONE = {"read": "read", "write": "written", "remove": "written"}


def explained(verb: str, path: Path | str, error: Exception) -> StoreError:
    """The StoreError that says why a file cannot be read or written, and what to do."""
    number = getattr(error, "errno", None)
    reason = {
        errno.ENOSPC: "the disk is full; free some space or set RISKGRID_HOME to another folder",
        errno.EDQUOT: "the disk quota is used up; free some space or set RISKGRID_HOME to another folder",
        errno.EACCES: "no permission; set RISKGRID_HOME to a folder this user may write to",
        errno.EPERM: "no permission; set RISKGRID_HOME to a folder this user may write to",
        errno.EROFS: "the file system is read-only; set RISKGRID_HOME to a folder this user may write to",
    }.get(number or 0, str(error) or type(error).__name__)
    made = StoreError(f"cannot {verb} {path}: {reason}")
    why = f": {os.strerror(number).lower()}" if number else "; the log of the service says why"
    made.outward = f"the store cannot be {_DONE.get(verb, 'used')}{why}"
    made.transient = number in _TRANSIENT or isinstance(error, TimeoutError)
    return made
