"""A column as it was handed in becomes a column of its kind, with a flag on every cell that does not fit."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from riskgrid.terms import Flags, Kind

__all__ = ["DICTIONARY", "STORAGE", "WANTED", "flags", "parse"]

DICTIONARY = pa.dictionary(pa.int32(), pa.string())

#: Arrow type of a kind's column.
STORAGE = {"float": pa.float64(), "int": pa.int64(), "date": pa.date32(), "name": DICTIONARY}

#: What a kind's cell should have been, as the end of a sentence.
WANTED = {
    "float": "is no number",
    "int": "is no whole number",
    "date": "is no date like 2024-03-28",
    "name": "is no text",
}

_NUMBER = r"(?i)^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$|^-?inf$"
_WHOLE = r"^-?\d{1,18}(\.0*)?$"


def parse(kind: Kind, raw: Any) -> tuple[Any, Flags]:
    """An Arrow array in the kind's storage, null where a cell is empty or does not fit, and which cells do not fit.

    raw : Arrow chunked array of any type. Empty text, and NaN and NaT of typed columns count as empty; the
    text ``nan`` is no number. TypeError where no cell can fit.

    >>> parsed, unfit = parse(Kind("float"), pa.chunked_array([["1.5", "", "x"]]))
    >>> parsed.to_pylist(), unfit.tolist()
    ([1.5, None, None], [False, False, True])
    """
    raw = _plain_text(raw) if kind.storage != "name" else raw
    if pa.types.is_null(raw.type) or raw.null_count == len(raw):
        return pa.nulls(len(raw), STORAGE[kind.storage]), _none(raw)
    reader = {"float": _floats, "int": _wholes, "date": _dates, "name": _names}[kind.storage]
    return reader(raw)


def flags(mask: Any) -> Flags:
    """An Arrow boolean array as NumPy flags, null as False."""
    mask = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
    return np.asarray(mask.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _floats(raw: Any) -> tuple[Any, Flags]:
    if pa.types.is_string(raw.type):
        texts, unfit = _matching(raw, _NUMBER)
        values = texts.cast(pa.float64())
    elif pa.types.is_integer(raw.type) or pa.types.is_floating(raw.type) or pa.types.is_decimal(raw.type):
        values, unfit = raw.combine_chunks().cast(pa.float64(), safe=False), _none(raw)
    else:
        raise TypeError(f"holds {raw.type}, no numbers")
    is_nan = pc.is_nan(values)
    return (pc.if_else(is_nan, None, values) if pc.any(is_nan).as_py() else values), unfit


def _wholes(raw: Any) -> tuple[Any, Flags]:
    if pa.types.is_integer(raw.type) and raw.type != pa.uint64():
        return raw.combine_chunks().cast(pa.int64()), _none(raw)
    if pa.types.is_string(raw.type):
        texts, unfit = _matching(raw, _WHOLE)
        return pc.replace_substring_regex(texts, r"\.0*$", "").cast(pa.int64()), unfit
    values, _ = _floats(raw)  # pandas makes floats of whole numbers as soon as one is missing
    numbers = values.fill_null(0.0).to_numpy()
    unfit = ~np.isfinite(numbers) | (np.trunc(numbers) != numbers) | (np.abs(numbers) >= 2.0**63)
    whole = np.where(unfit, 0.0, numbers).astype(np.int64)
    return pa.array(whole, mask=unfit | flags(values.is_null())), unfit


def _dates(raw: Any) -> tuple[Any, Flags]:
    if pa.types.is_string(raw.type):
        return _dates_of_text(raw.combine_chunks())
    if pa.types.is_date(raw.type):
        return raw.combine_chunks().cast(pa.date32()), _none(raw)
    if not pa.types.is_timestamp(raw.type):
        raise TypeError(f"holds {raw.type}, no dates")
    times = raw.combine_chunks()
    times = pc.local_timestamp(times) if raw.type.tz else times
    days = pc.floor_temporal(times, unit="day")
    unfit = flags(pc.not_equal(days, times))
    return pc.if_else(pa.array(~unfit), days, None).cast(pa.date32()), unfit


def _dates_of_text(texts: Any) -> tuple[Any, Flags]:
    encoded = pc.utf8_trim_whitespace(texts).dictionary_encode()
    # a portfolio has few distinct days, so a loop over the distinct texts is no loop over the rows
    days = [_day(text) for text in encoded.dictionary.to_pylist()]
    distinct = pa.array([day or None for day in days], pa.date32())
    is_unfit = np.array([day is None for day in days] or [False])
    codes = encoded.indices
    unfit = is_unfit[codes.fill_null(0).to_numpy()] & flags(codes.is_valid())
    return distinct.take(codes), unfit


def _day(text: str) -> date | str | None:
    """The day that a text names, empty text for none named, None where the text is no day."""
    if not text:
        return ""
    try:
        return date.fromisoformat(text) if len(text) == 10 and text[4] == text[7] == "-" else None
    except ValueError:
        return None


def _names(raw: Any) -> tuple[Any, Flags]:
    if pa.types.is_dictionary(raw.type):
        if not _is_text(raw.type.value_type):
            return _names(raw.cast(raw.type.value_type))
        encoded = raw.cast(DICTIONARY).unify_dictionaries().combine_chunks()
    elif _is_text(raw.type) or pa.types.is_integer(raw.type):
        encoded = raw.cast(pa.string()).combine_chunks().dictionary_encode()
    else:
        raise TypeError(f"holds {raw.type}, no text")
    is_empty = flags(pc.equal(encoded.dictionary, ""))
    if is_empty.any():
        codes = encoded.indices
        empty = is_empty[codes.fill_null(0).to_numpy()] & flags(codes.is_valid())
        codes = pc.if_else(pa.array(empty), None, codes)
        encoded = pa.DictionaryArray.from_arrays(codes, encoded.dictionary)
    return encoded, _none(raw)


def _matching(raw: Any, pattern: str) -> tuple[Any, Flags]:
    """Trimmed texts, null where empty or not of the pattern, and where they are not of the pattern."""
    texts = pc.utf8_trim_whitespace(raw.combine_chunks())
    texts = pc.replace_substring_regex(texts, r"^\+", "")
    fits = flags(pc.match_substring_regex(texts, pattern))
    unfit = ~fits & flags(pc.not_equal(texts, ""))
    return pc.if_else(pa.array(fits), texts, None), unfit


def _plain_text(raw: Any) -> Any:
    if pa.types.is_dictionary(raw.type):
        raw = raw.cast(raw.type.value_type)
    return raw.cast(pa.string()) if _is_text(raw.type) else raw


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _none(raw: Any) -> Flags:
    return np.zeros(len(raw), dtype=bool)
