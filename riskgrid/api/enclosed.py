"""Uploaded files looked at before they are read: how much they unfold to, and what they make their reader do."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from starlette.exceptions import HTTPException

from riskgrid.api.service import Sizes
from riskgrid.errors import InputError

__all__ = ["check_csv", "check_parquet", "check_yaml"]

_LINE = re.compile(rb"[^\r\n]+")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def check_csv(path: Path, sizes: Sizes) -> None:
    """413 for a file of more lines than an upload may have rows, or more columns."""
    content = path.read_bytes()
    _check_rows(path, content.count(b"\n") - 1, sizes)
    header = _LINE.match(content.lstrip())
    _check_columns(path, 1 + header[0].count(b",") if header else 0, sizes)


def check_parquet(path: Path, sizes: Sizes) -> None:
    """413 for a file that unfolds to more rows, columns or bytes than one may have. InputError where it is none."""
    try:
        facts = pq.read_metadata(path)
        _check_rows(path, facts.num_rows, sizes)
        _check_columns(path, facts.num_columns, sizes)
        chunks = [
            facts.row_group(at).column(of) for at in range(facts.num_row_groups) for of in range(facts.num_columns)
        ]
        _check_bytes(path, sum(chunk.total_uncompressed_size for chunk in chunks), sizes)
        _check_bytes(path, sum(8 * chunk.num_values for chunk in chunks), sizes)
        _check_bytes(path, _text_bytes(path), sizes)
    except (pa.ArrowException, OSError, ValueError) as error:
        told = str(error).partition("\n")[0].replace(str(path), path.name)
        raise InputError(f"{path.name} is not a Parquet file, or a damaged one: {told}") from None


def check_yaml(path: Path, sizes: Sizes) -> None:
    """InputError for a file that is too deep, or whose aliases would unfold it."""
    depth = 0
    try:
        for event in yaml.parse(path.read_text(encoding="utf-8"), _LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > sizes.depth:
                raise InputError(f"{path.name} is nested more than {sizes.depth} deep; as many levels are right")
            if isinstance(event, yaml.AliasEvent):
                raise InputError(f"{path.name} refers to itself by '*{event.anchor}'; written out it is right")
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from None


def _text_bytes(path: Path) -> int:
    """Bytes of all texts of a Parquet file: a dictionary may hold one that every row refers to."""
    names = [field.name for field in pq.read_schema(path) if _is_text(field.type)]
    if not names:
        return 0
    found = 0
    for batch in pq.ParquetFile(path, read_dictionary=names).iter_batches(columns=names):
        for column in batch.columns:
            lengths = pc.binary_length(column.dictionary)
            found += pc.sum(lengths.take(column.indices)).as_py() or 0
    return found


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(inner) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))


def _check_rows(path: Path, rows: int, sizes: Sizes) -> None:
    if rows > sizes.rows:
        raise HTTPException(413, f"{path.name} has {rows:,} rows; at most {sizes.rows:,} are right")


def _check_columns(path: Path, columns: int, sizes: Sizes) -> None:
    if columns > sizes.columns:
        raise HTTPException(413, f"{path.name} has {columns:,} columns; at most {sizes.columns:,} are right")


def _check_bytes(path: Path, size: int, sizes: Sizes) -> None:
    if size > sizes.body:
        raise HTTPException(413, f"{path.name} unfolds to {size:,} bytes; at most {sizes.body:,} are right")
