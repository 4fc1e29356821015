"""What a place must be able to do to hold the objects of a store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["Backend", "Entry"]


@dataclass(frozen=True)
class Entry:
    """An object that is there. modified : seconds since 1970, by the clock of the place.   key : "" of a leftover."""

    key: str
    size: int
    modified: float


class Backend(Protocol):
    """Bytes by kind and key, written whole or not at all. Every failure is a StoreError."""

    @property
    def torn(self) -> bool:
        """Whether a crash of the machine can damage what was not written durably."""
        ...

    def has(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys are there, as the place itself says now."""
        ...

    def put(self, kind: str, key: str, chunks: Sequence[bytes | memoryview], *, durable: bool) -> int:
        """Write an object, return its size in bytes. durable : it outlives a crash from now on."""
        ...

    def file(self, kind: str, key: str) -> Path:
        """A file of this machine that holds the object; FileNotFoundError where there is none."""
        ...

    def name(self, kind: str, key: str) -> str:
        """Where the object lies, for people."""
        ...

    def forget_copy(self, kind: str, key: str) -> bool:
        """Throw away this machine's copy of an object that lies elsewhere; whether there was one."""
        ...

    def renew(self, kind: str, keys: Iterable[str]) -> None:
        """These objects are needed now, as if they had just been written; what is not there is passed over."""
        ...

    def modified(self, kind: str, key: str) -> float | None:
        """When an object was written or renewed, None where it is gone or nobody can tell."""
        ...

    def remove(self, kind: str, key: str) -> None:
        """Forget an object, if it is there."""
        ...

    def list(self, kind: str) -> Iterator[Entry]:
        """Every object of a kind."""
        ...

    def leftovers(self) -> Iterator[tuple[Path, Entry]]:
        """What writers that were killed left behind."""
        ...

    def check_writable(self) -> None:
        """Raise the StoreError that a ``put`` would raise."""
        ...

    def free_bytes(self) -> int | None:
        """Bytes free there; None where nobody can tell."""
        ...
