"""Bodies within bounds: bytes, decompressed bytes, depth, codings."""

import asyncio
import gzip
import json

import pytest
from starlette.exceptions import HTTPException

from riskgrid.api.body import check_depth, check_members, decompressed, read_body
from riskgrid.errors import InputError


def read(chunks, most=1000, depth=8, **headers):
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting = iter([*messages, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive():
        return next(waiting)

    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(read_body(receive, given, most=most, depth=depth))


def refused(*args, **named):
    with pytest.raises(HTTPException) as found:
        read(*args, **named)
    return found.value.status_code, found.value.detail


def test_read_body__joins_its_parts():
    assert read([b'{"drop":', b' ["T-1"]}']) == b'{"drop": ["T-1"]}'


def test_read_body__stops_at_its_limit_however_it_comes():
    assert refused([b"1" * 600] * 2) == (413, "the body has more than 1,000 bytes, decompressed; send it in parts")
    assert len(read([b"1" * 500] * 2)) == 1000


def test_read_body__decompresses_within_the_limit_and_no_further():
    assert read([gzip.compress(b"[1, 2]")], content_encoding="gzip") == b"[1, 2]"
    bomb = gzip.compress(b"0" * 50_000_000)
    assert refused([bomb], most=100_000, content_encoding="gzip")[0] == 413


@pytest.mark.parametrize(
    "spoilt",
    [b"no gzip", gzip.compress(b"[1]" * 100)[:-9], gzip.compress(b"1") + b"more", gzip.compress(b"1") * 2],
    ids=["another form", "cut short", "more behind it", "two streams"],
)
def test_read_body__that_says_it_is_gzip_must_be_one_whole_stream(spoilt):
    with pytest.raises(HTTPException) as found:
        decompressed(spoilt, 1000)
    assert found.value.status_code == 400


def test_read_body__of_another_coding_names_the_right_one():
    assert refused([b"1"], content_encoding="br") == (415, "Content-Encoding is 'br'; gzip or none is right")


def test_read_body__of_a_client_that_leaves_is_no_body():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(HTTPException, match="the client left"):
        asyncio.run(read_body(receive, {}, most=10, depth=8))


@pytest.mark.parametrize(
    "deep",
    [b"[" * 100 + b"]" * 100, b'{"a":' * 100 + b"1" + b"}" * 100, b"[" * 1_000_000, b'["\\"", ' + b'{"a": [' * 8],
    ids=["lists", "objects", "without an end", "behind a quotation mark"],
)
def test_check_depth__refuses_what_is_nested_deeper(deep):
    with pytest.raises(HTTPException) as found:
        check_depth(deep, 8)
    assert found.value.status_code == 413
    assert "8 is right at most" in found.value.detail


@pytest.mark.parametrize(
    "shallow",
    [
        json.dumps([[i] for i in range(1000)]).encode(),
        json.dumps({"drop": ["[[[[[[[[[[[[[[", 'a"[[[[[[[[[', "b\\", "[" * 50]}).encode(),
        b'["an unfinished text' + b"[" * 50,
        b'["a last backslash' + b"[" * 50 + b"\\",
        b"]" * 50,
    ],
    ids=["many", "brackets in texts", "unfinished text", "last backslash", "only closing"],
)
def test_check_depth__counts_nothing_that_is_not_nested(shallow):
    check_depth(shallow, 8)


@pytest.mark.parametrize("spoilt", [b'"' + b'\\"' * 500_000, b'"' + b'\\"' * 500_000 + b"\\"])
def test_check_depth__takes_time_in_proportion_to_the_body(spoilt):
    check_depth(spoilt + b"[" * 40, 8)  # a pattern that tried each quotation mark anew would not end


def test_read_body__looks_for_depth_in_json_alone():
    assert read([b"[" * 100], content_type="application/vnd.apache.parquet") == b"[" * 100
    assert refused([b"[" * 100], content_type="application/json")[0] == 413
    assert refused([b"[" * 100_000], most=1_000_000)[0] == 413


@pytest.mark.parametrize(
    ("twice", "sentence"),
    [
        (b'{"equity": [], "equity": [1]}', "the body has the member 'equity' twice; once is right"),
        (b'{"a": {"resize": {"EQ-1": 1, "x": 0, "EQ-\\u0031": 2}}}', "a.resize has the member 'EQ-1' twice"),
        (b'{"equity": [{"a": 1}, [{"q": [], "q": {}}]]}', "equity.1.0 has the member 'q' twice"),
        (b'{"a": {"b": 1, "b": 2}, "a": 3}', "a has the member 'b' twice"),
        (b'{"n": ' + b"1" * 5000 + b', "a": NaN, "a": 1e999}', "the body has the member 'a' twice"),
        ('{"a": 1, "a": 2}'.encode("utf-16"), "the body has the member 'a' twice"),
        (b"\xef\xbb\xbf" + b'{"a": 1, "a": 2}', "the body has the member 'a' twice"),
    ],
    ids=["top", "escaped", "in lists", "two of them", "large numbers", "UTF-16", "byte order mark"],
)
def test_check_members__names_the_member_that_stands_twice_and_its_place(twice, sentence):
    with pytest.raises(InputError) as found:
        check_members(twice)
    assert sentence in str(found.value)


@pytest.mark.parametrize(
    "plain",
    [b'{"a": {"x": 1}, "b": {"x": 1}}', b'[{"a": 1}, {"a": 1}]', b'{"a": 1, "A": 2}', b'{"a": 1, "a"', b"", b"\xff"],
    ids=["elsewhere", "in a list", "another case", "no end", "nothing", "no text"],
)
def test_check_members__leaves_everything_else_to_others(plain):
    check_members(plain)


def test_read_body__looks_for_members_in_json_alone_and_in_bodies_of_any_size():
    twice = b'{"a": 1, "a": 2}'
    assert read([twice], content_type="text/csv") == twice
    for padding in (b"", b" " * 100_000):
        with pytest.raises(InputError):
            read([twice, padding], most=1_000_000, content_type="application/JSON")
