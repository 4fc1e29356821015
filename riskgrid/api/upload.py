"""What is uploaded: a body within limits, and its files in a folder as long as they are read."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from riskgrid.api.deps import ServiceOf, Who
from riskgrid.api.enclosed import check_csv, check_parquet, check_yaml
from riskgrid.api.service import Sizes
from riskgrid.errors import BadMarket, BadScenarios, InputError

__all__ = ["PARQUET_FILE", "ZIP", "Upload", "Uploaded", "described_body"]

ZIP = "application/zip"
PARQUET_FILE = "application/vnd.apache.parquet"

_CHECKS = {".csv": check_csv, ".parquet": check_parquet, ".yaml": check_yaml}


@dataclass(frozen=True)
class Upload:
    """The body of a request. media : what it says it is."""

    media: str
    content: bytes
    sizes: Sizes

    def only(self, *known: str) -> str:
        """What it is. 415 where that is none of these."""
        if self.media not in known:
            raise HTTPException(415, f"Content-Type is {self.media!r}; {', '.join(known)} are right")
        return self.media

    def json[T](self, form: TypeAdapter[T]) -> T:
        """What the JSON of the body holds. RequestValidationError lists what is wrong with it."""
        try:
            return form.validate_json(self.content)
        except ValidationError as error:
            told: Any = error.errors(include_url=False, include_context=False, include_input=False)
            raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in told]) from None

    @contextmanager
    def unpacked(self, suffixes: Collection[str]) -> Iterator[Path]:
        """A folder with the files of the archive. 413 for too many or too large ones, InputError for others."""
        with _folder() as folder:
            for name, content in self._files(suffixes):
                self._check(folder / name, content)
            yield folder

    @contextmanager
    def kept(self, name: str) -> Iterator[Path]:
        """The body as a file."""
        with _folder() as folder:
            self._check(folder / name, self.content)
            yield folder / name

    def _check(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        _CHECKS[path.suffix](path, self.sizes)

    def _files(self, suffixes: Collection[str]) -> Iterator[tuple[str, bytes]]:
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                names = [_name(entry, suffixes) for entry in archive.infolist()]
                if len(names) > self.sizes.files:
                    raise HTTPException(413, f"the archive has {len(names):,} files; {self.sizes.files} are right")
                if len(set(names)) < len(names):
                    twice = next(name for name in names if names.count(name) > 1)
                    raise InputError(f"the archive has two files {twice!r}; one is right")
                left = self.sizes.body
                for name in names:
                    with archive.open(name) as file:  # what the archive says of its sizes is not believed
                        content = file.read(left + 1)
                    left -= len(content)
                    if left < 0:
                        told = f"the files of the archive have more than {self.sizes.body:,} bytes"
                        raise HTTPException(413, f"{told}, as many as are right; send fewer or smaller ones")
                    yield name, content
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
            raise InputError(f"the body is no ZIP archive that can be read: {error}") from None


def _name(entry: zipfile.ZipInfo, suffixes: Collection[str]) -> str:
    """The name of a file of an archive. InputError for a path, a folder or another kind of file."""
    name = entry.filename
    plain = name.isprintable() and not set(name) & set("/\\:") and not name.startswith((".", "_"))
    if not plain or len(name) > 100 or Path(name).suffix not in suffixes:
        right = ", ".join(f"NAME{suffix}" for suffix in sorted(suffixes))
        raise InputError(f"the archive holds {name[:100]!r}; files {right} without any folder are right")
    if entry.flag_bits & 1:
        raise InputError(f"file {name!r} of the archive is encrypted; a plain one is right")
    return name


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder whose address no error tells."""
    with tempfile.TemporaryDirectory(prefix="riskgrid-") as made:
        try:
            yield Path(made)
        except InputError as error:
            if type(error) not in (InputError, BadMarket, BadScenarios) or made not in str(error):
                raise
            raise type(error)(str(error).replace(f"{made}/", "").replace(made, "the archive")) from None


async def _uploaded(request: Request, who: Who, service: ServiceOf) -> Upload:
    who.require("run")
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > service.sizes.body:
            raise HTTPException(413, f"the body has more than {service.sizes.body:,} bytes, as many as are right")
        parts.append(part)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Upload(media, b"".join(parts), service.sizes)


Uploaded = Annotated[Upload, Depends(_uploaded)]


def described_body(*media: str, **schemas: Any) -> dict[str, Any]:
    """For the OpenAPI document: a body of files, or of JSON of the schema ``json``."""
    file = {"schema": {"type": "string", "format": "binary"}}
    content = dict.fromkeys(media, file)
    if "json" in schemas:
        content["application/json"] = {"schema": schemas["json"]}
    return {"requestBody": {"required": True, "content": content}}
