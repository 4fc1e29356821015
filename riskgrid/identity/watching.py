"""Rights from a file that may change while they are used."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from riskgrid.errors import BadSpec
from riskgrid.identity.rights import Rights

__all__ = ["RightsFile"]

_LOG = logging.getLogger(__name__)


class RightsFile:
    """A file of rights, read again when it changes. A version that cannot be read leaves the last one in force.

    BadSpec where there is no good one to begin with.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._looked = self._look()
        self._rights = Rights.read(path)

    @property
    def rights(self) -> Rights:
        """Those in force."""
        looked = self._look()
        if looked != self._looked:
            with self._lock:
                if looked != self._looked:
                    self._read_again()
                    self._looked = looked
        return self._rights

    def _read_again(self) -> None:
        try:
            self._rights = Rights.read(self.path)
        except BadSpec as error:
            _LOG.error("%s; the rights that were read before stay in force", error)
        else:
            _LOG.info("rights were read again from %s", self.path)

    def _look(self) -> tuple[int, ...]:
        """What another version of the file differs in; of one that is not there, nothing."""
        try:
            found = os.stat(self.path)
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino
