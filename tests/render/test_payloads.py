"""Rich payloads become a value, safe HTML and text; a bad one shows as it came and never raises."""

from __future__ import annotations

import base64
import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secgemini_jupyter.render.images import RasterImage, read_image
from secgemini_jupyter.render.payloads import read_table, render_content
from secgemini_jupyter.render.tables import MAX_ROWS, Table

from .dom import assert_harmless

TYPES = [
    *[f"sec-gemini/{n}" for n in ("table timeline graph code json html canvas image markdown future").split()],
    *("text/plain text/markdown text/csv text/html text/python text/x application/json application/jsonl").split(),
    *("image/png image/svg+xml image/tiff application/pdf").split(),
]
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'\x1b[2J\u202e [/x] [link=https://evil.com]"
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", struct.pack(">IIBBBBB", 2, 3, 8, 0, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"\0\x80\x80" * 3)),
            (b"IEND", b""),
        )
    )
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(EVIL),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(["rows", "columns", "title", "events", "nodes", "edges", "id", "label", "source", "target",
                         "timestamp", "end", "code", "language", "output", "content", EVIL]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("mime_type", TYPES)
@settings(max_examples=15, deadline=None)
@given(content=JSON.map(json.dumps) | st.text(max_size=80) | st.just(EVIL), defang=st.booleans())
def test_any_payload_is_harmless_and_never_raises(mime_type: str, content: str, defang: bool) -> None:
    shown = render_content(mime_type, content, defang=defang)
    assert_harmless(shown.html)
    assert not set("\x1b\x9b\r\u202e\x00") & set(shown.text)


@pytest.mark.parametrize("mime_type", TYPES)
@pytest.mark.parametrize(
    "content", ["[" * 100_000, '{"a":' * 50_000, "", "null", "[]", "{}", "\ud800", "NaN", "[1e999]"]
)
def test_hostile_json_is_harmless(mime_type: str, content: str) -> None:
    assert_harmless(render_content(mime_type, content).html)


@pytest.mark.parametrize(
    ("mime_type", "content"),
    [
        ("sec-gemini/table", '[{"host": "a", "n": 1}, {"host": "b", "n": 2.5}]'),
        ("sec-gemini/table", '{"columns": ["host", "n"], "rows": [["a", 1], ["b", 2.5]]}'),
        ("sec-gemini/table", '{"rows": [{"host": "a", "n": 1}, {"host": "b", "n": 2.5}]}'),
        ("sec-gemini/table", "host,n\na,1\nb,2.5\n"),
        ("text/csv", "host,n\r\na,1\r\nb,2.5\r\n"),
        ("text/csv; charset=utf-8", "\ufeffhost,n\na,1\nb,2.5\n"),
    ],
)
def test_every_way_to_write_a_table_is_read(mime_type: str, content: str) -> None:
    shown = render_content(mime_type, content)
    assert shown.table == read_table(mime_type, content)
    assert shown.table is not None
    assert shown.table.columns == ("host", "n")
    assert [tuple(map(str, row)) for row in shown.table.rows] == [("a", "1"), ("b", "2.5")]
    cells = assert_harmless(shown.html).all("td")
    assert [cell.text for cell in cells] == ["a", "1", "b", "2.5"]
    assert ["text-align:right" in cell.attributes["style"] for cell in cells] == [False, True, False, True]


def test_rows_of_unequal_length_and_missing_keys_are_filled() -> None:
    assert read_table("sec-gemini/table", '[{"a": 1}, {"b": 2}]') == Table(("a", "b"), [(1, None), (None, 2)])
    assert read_table("text/csv", "a,b\n1\n1,2,3\n") == Table(("a", "b", "3"), [("1", None, None), ("1", "2", "3")])


@pytest.mark.parametrize(
    "content", ["not a table", "[1, 2]", '{"rows": 3}', "[{}, 1]", "[", '{"columns": 1, "rows": [[1]]}']
)
def test_what_is_no_table_shows_as_it_came(content: str) -> None:
    assert read_table("sec-gemini/table", content) is None
    assert content in assert_harmless(render_content("sec-gemini/table", content).html).text


def test_names_and_cells_with_html_are_text() -> None:
    shown = render_content("sec-gemini/table", json.dumps([{EVIL: EVIL, "=HYPERLINK()": "=cmd|' /C calc'!A0"}]))
    dom = assert_harmless(shown.html)
    assert dom.text.count("<script>alert(1)</script>") == 2
    assert "=HYPERLINK()" in dom.text


def test_a_long_table_says_what_it_leaves_out() -> None:
    dom = assert_harmless(Table(("n",), [(n,) for n in range(2_000)]).to_html())
    assert len(dom.all("tr")) == MAX_ROWS + 1
    assert f"{2_000 - MAX_ROWS:,} more rows in the answer's data" in dom.text


def test_indicators_are_defanged_on_display_and_exact_in_data() -> None:
    shown = render_content("sec-gemini/table", '[{"host": "evil.com"}]')
    assert shown.table is not None
    assert shown.table.rows == [("evil.com",)]
    assert "evil[.]com" in assert_harmless(shown.html).text
    assert "evil[.]com" in shown.text
    assert "evil.com" in render_content("sec-gemini/table", '[{"host": "evil.com"}]', defang=False).text


def test_a_timeline_is_a_table_in_utc() -> None:
    events = [
        {"timestamp": 0, "title": "start"},
        {"timestamp": "2026-01-02T03:04:05+01:00", "title": "then"},
        {"timestamp": "9999-99-99", "title": "never"},
    ]
    shown = render_content("sec-gemini/timeline", json.dumps({"events": events}))
    assert shown.table is not None
    assert [row[0] for row in shown.table.rows] == ["1970-01-01 00:00:00 UTC", "2026-01-02 02:04:05 UTC", "9999-99-99"]
    assert shown.value == {"events": events}


@pytest.mark.parametrize(
    "graph",
    [
        {"nodes": [{"id": 1, "label": "a"}, {"id": 2, "label": "b"}], "edges": [{"source": 1, "target": 2}]},
        {"a": {"b": {}}},
    ],
)
def test_a_graph_is_a_table_of_its_edges(graph: object) -> None:
    shown = render_content("sec-gemini/graph", json.dumps(graph))
    assert shown.table is not None
    assert shown.table.rows[0][:2] == ("a", "b")


def test_json_is_a_tree_that_stops_growing() -> None:
    shown = render_content("sec-gemini/json", json.dumps({"a": {"b": [1, "<b>"]}, "many": list(range(5_000))}))
    dom = assert_harmless(shown.html)
    assert len(dom.all("details")) == 3
    assert "more entries in the answer's data" in dom.text
    assert len(dom.elements) < 3_000
    assert isinstance(shown.value, dict)


def test_code_shows_its_output_and_error() -> None:
    code = {"language": "python", "code": "print('<b>')", "output": "<b>", "error": "boom"}
    dom = assert_harmless(render_content("sec-gemini/code", json.dumps(code)).html)
    assert [pre.text for pre in dom.all("pre")] == ["print('<b>')", "<b>", "boom"]


@pytest.mark.parametrize("mime_type", ["sec-gemini/html", "text/html"])
def test_html_is_shown_as_source(mime_type: str) -> None:
    assert "<script>alert(1)</script>" in assert_harmless(render_content(mime_type, EVIL).html).text


def test_svg_is_shown_as_source() -> None:
    svg = base64.b64encode(b'<svg onload="alert(1)"/>').decode()
    dom = assert_harmless(render_content("image/svg+xml", svg).html)
    assert dom.all("img") == []
    assert '<svg onload="alert(1)"/>' in dom.text


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:image/svg+xml;base64,"])
def test_an_image_is_what_its_bytes_say(prefix: str) -> None:
    shown = render_content("sec-gemini/image", prefix + base64.b64encode(PNG).decode())
    assert shown.value == RasterImage("image/png", 2, 3, PNG)
    (image,) = assert_harmless(shown.html).all("img")
    assert image.attributes["src"] == "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "data",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000),
        b"GIF89a" + struct.pack("<HH", 0, 10),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff" + b"\xff" * 1_000,
        b"RIFF0000WEBPVP8X",
        b"\x89PNG\r\n\x1a\n",
        PNG + b"\0" * 2_000_000,
    ],
)
def test_other_bytes_and_bombs_are_no_image(data: bytes) -> None:
    content = base64.b64encode(data).decode()
    assert read_image(content) is None
    assert assert_harmless(render_content("sec-gemini/image", content).html).all("img") == []


@given(
    st.binary(max_size=60).flatmap(lambda b: st.sampled_from([PNG[:20] + b, b"\xff\xd8\xff" + b, b"RIFFxxxxWEBP" + b]))
)
def test_cut_images_never_raise(data: bytes) -> None:
    read_image(base64.b64encode(data).decode())


def test_keys_of_a_json_tree_are_defanged() -> None:
    content = json.dumps({"http://evil.test/a": {"1.2.3.4": "b"}})
    shown, exact = (render_content("sec-gemini/json", content, defang=defang) for defang in (True, False))
    for bad in ("http://evil.test", "1.2.3.4"):
        assert bad not in shown.html + shown.text
        assert bad in exact.html


def test_small_json_is_shown_open() -> None:
    small = render_content("sec-gemini/json", json.dumps({"a": {"b": {"c": [{"d": 1}]}}})).html
    large = render_content("sec-gemini/json", json.dumps([{"a": {"b": n}} for n in range(20)])).html
    assert small.count("<details") == small.count('open="open"') == 4
    assert large.count('open="open"') == 20
    assert large.count("<details") == 40
