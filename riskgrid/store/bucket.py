"""A bucket of an object store (the S3 protocol) as the place of a store, read through copies on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from riskgrid.errors import BadSpec, StoreError
from riskgrid.hashing import digest
from riskgrid.settings import Settings, settings
from riskgrid.store.backend import Entry
from riskgrid.store.copies import Copies

__all__ = ["Bucket", "bucket_of"]

#: Requests on their way at a time: most of one is waiting.
_AT_ONCE = 16

#: How often a request is repeated at most.
_REPEATS = 5


class Bucket:
    """Objects as ``prefix/kind/ab/abcd...``. url : ``s3://bucket/prefix``.

    Credentials and region are those of the environment (``AWS_ACCESS_KEY_ID`` ..., or the machine's role), as obstore
    reads them; ``RISKGRID_S3_ENDPOINT`` names another service than Amazon's. An object is written in one request, so
    it is there whole or not at all. BadSpec for another URL, or without the extra ``s3``.
    """

    torn = False

    def __init__(self, url: str, chosen: Settings) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
            raise BadSpec(f"'{_public(url)}' is no place for a store; a folder or s3://bucket/prefix is right")
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as error:
            raise BadSpec("a store in a bucket is an extra; pip install 'riskgrid[s3]' installs it") from error
        self.url, self.bucket, self._seconds = url, parts.netloc, chosen.s3_seconds
        self.place = _public(chosen.s3_endpoint) if chosen.s3_endpoint else "Amazon S3"
        self._obstore = obstore
        endpoint = {} if chosen.s3_endpoint is None else {"endpoint": chosen.s3_endpoint}
        limit = timedelta(seconds=chosen.s3_seconds)
        self._store = S3Store(
            self.bucket,
            prefix=parts.path.strip("/") or None,
            client_options={
                "timeout": limit,
                "connect_timeout": min(limit, timedelta(seconds=5)),
                "allow_http": str(chosen.s3_endpoint).startswith("http://"),
            },
            retry_config={"max_retries": _REPEATS, "retry_timeout": limit},
            **endpoint,  # type: ignore[arg-type]
        )
        folder = digest(self.place, url).hex()[:16]
        self.copies = Copies(chosen.cache / "buckets" / folder, chosen.cache_bytes)

    def name(self, kind: str, key: str) -> str:
        """The object's URL."""
        return f"{self.url}/{_path(kind, key)}"

    def has(self, kind: str, keys: Iterable[str]) -> set[str]:
        """Which of these keys are there: one request a key, or where that is fewer, one listing for their folder."""
        wanted = sorted(set(keys))
        folders = {key[:2] for key in wanted}
        if len(wanted) <= 2 * len(folders):
            there = self._each(lambda key: self._is_there(kind, key), wanted)
            return {key for key, found in zip(wanted, there, strict=True) if found}
        listed = self._each(lambda folder: {one.key for one in self._listed(f"{kind}/{folder}")}, sorted(folders))
        return set().union(*listed) & set(wanted)

    def put(self, kind: str, key: str, chunks: Sequence[bytes | memoryview], *, durable: bool) -> int:  # noqa: ARG002
        """Write an object in one request; it is durable when the service says that it has it."""
        content = b"".join(chunks)
        with self._told("write"):
            self._obstore.put(self._store, _path(kind, key), content, use_multipart=False)
        return len(content)

    def file(self, kind: str, key: str) -> Path:
        """A copy of the object on this machine. FileNotFoundError where there is none."""
        found = self.copies.found(kind, key)
        if found is not None:
            return found
        with self._told("read"):
            content = self._obstore.get(self._store, _path(kind, key)).bytes()
        return self.copies.keep(kind, key, [memoryview(content)])

    def forget_copy(self, kind: str, key: str) -> bool:
        """Remove this machine's copy; whether there was one."""
        return self.copies.forget(kind, key)

    def renew(self, kind: str, keys: Iterable[str]) -> None:
        """A bucket's objects keep the time at which they were written."""

    def modified(self, kind: str, key: str) -> float | None:  # noqa: ARG002, see Backend
        """Not told: what was listed is not asked again."""
        return None

    def remove(self, kind: str, key: str) -> None:
        """Remove the object and this machine's copy."""
        with self._told("remove"), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, _path(kind, key))
        self.copies.forget(kind, key)

    def list(self, kind: str) -> Iterator[Entry]:
        """Every object of a kind."""
        return self._listed(kind)

    def leftovers(self) -> Iterator[tuple[Path, Entry]]:
        """None: what was not written whole is not there."""
        return iter(())

    def check_writable(self) -> None:
        """Raise the StoreError that a ``put`` would raise, before any work is done."""
        probe = f"probe/{uuid.uuid4().hex}"
        with self._told("write"):
            self._obstore.put(self._store, probe, b"0", use_multipart=False)
            self._obstore.delete(self._store, probe)

    def free_bytes(self) -> None:
        """A bucket has no end."""
        return

    def _is_there(self, kind: str, key: str) -> bool:
        with self._told("read"):
            try:
                self._store.head(_path(kind, key))
            except FileNotFoundError:
                return False
        return True

    def _listed(self, prefix: str) -> Iterator[Entry]:
        with self._told("read"):
            for page in self._obstore.list(self._store, prefix, chunk_size=1000):
                for one in page:
                    yield Entry(one["path"].rpartition("/")[2], one["size"], one["last_modified"].timestamp())

    def _each[T](self, ask: Callable[[str], T], names: Sequence[str]) -> Sequence[T]:
        if len(names) < 2:
            return [ask(name) for name in names]
        with ThreadPoolExecutor(min(len(names), _AT_ONCE), thread_name_prefix="riskgrid-s3") as pool:
            return [*pool.map(ask, names)]

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        """Failures as sentences. FileNotFoundError where it is the object alone that is not there."""
        errors = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError as error:
            if "NoSuchBucket" not in str(error):
                raise FileNotFoundError(verb) from None
            raise self._no_bucket() from None
        except (errors.BaseError, OSError) as error:
            raise self._sentence(verb, error) from None  # its text names hosts and headers

    def _no_bucket(self) -> StoreError:
        return StoreError(f"there is no bucket '{self.bucket}' at {self.place}; make it, or correct RISKGRID_STORE")

    def _sentence(self, verb: str, error: Exception) -> StoreError:
        text, errors = str(error), self._obstore.exceptions
        status = re.search(r"status code: (\d{3})", text)
        if "NoSuchBucket" in text:
            return self._no_bucket()
        if isinstance(error, errors.PermissionDeniedError | errors.UnauthenticatedError | PermissionError) or (
            status and status[1] in ("401", "403")
        ):
            return StoreError(
                f"cannot {verb} {self.url}: {self.place} denied it; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must "
                "be of somebody who may"
            )
        if status is None or status[1][0] == "5":
            said = f"it answers with {status[1]}" if status else "no answer"
            made = StoreError(
                f"cannot {verb} {self.url}: {self.place} cannot be reached ({said} within {self._seconds:g} "
                "seconds, RISKGRID_S3_TIMEOUT)"
            )
            made.transient = True
            return made
        code = re.search(r"<Code>(\w+)</Code>", text)
        return StoreError(f"cannot {verb} {self.url}: {self.place} answers with {code[1] if code else status[1]}")


def bucket_of(url: str) -> Bucket:
    """The bucket of a URL under the settings of now; a process has one for each, as it takes a while to connect."""
    return _connected(url, settings(), os.getpid())


@functools.lru_cache(maxsize=16)
def _connected(url: str, chosen: Settings, process: int) -> Bucket:  # noqa: ARG001 (what a fork inherits is of no use)
    return Bucket(url, chosen)


def _path(kind: str, key: str) -> str:
    return f"{kind}/{key[:2]}/{key}"


def _public(url: str) -> str:
    parts: Any = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()  # type: ignore[no-any-return]
