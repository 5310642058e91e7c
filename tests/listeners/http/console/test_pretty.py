"""Bodies as people read them."""

from __future__ import annotations

import pytest

from rmimom.listeners.http.console.pretty import hex_dump, pretty_json, pretty_xml


@pytest.mark.parametrize(
    ("text", "pretty"),
    [
        ("<a/>", "<a/>"),
        ("<a>x</a>", "<a>x</a>"),
        ("<a></a>", "<a></a>"),
        ('<a b="x>">y</a>', '<a b="x>">y</a>'),
        ("<a >x</a >", "<a >x</a >"),
        ("<a><!-- b</a>", None),
        ("<!-- >" * 100_000, None),
        ("<" + "a" * 1_000_000, None),
        ("<>", None),
        (
            '<?xml version="1.0"?>\n<!-- <c> -->\n<a b="1"><b>x &amp; y</b><c/><![CDATA[<z>]]></a>',
            '<?xml version="1.0"?>\n<!-- <c> -->\n<a b="1">\n  <b>x &amp; y</b>\n  <c/>\n  <![CDATA[<z>]]>\n</a>',
        ),
        ("<a>x<b/>y</a>", "<a>x\n  <b/>\n  y\n</a>"),
        ("<a><b></a></b>", None),
        ("<a>", None),
        ("</a>", None),
        ("<a", None),
        ("a < b", None),
        ("", None),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><x>&a;</x>', None),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><x>&a;</x>', '<!DOCTYPE x SYSTEM "file:///etc/passwd">\n<x>&a;</x>'),
    ],
)
def test_xml(text: str, pretty: str | None) -> None:
    assert pretty_xml(text) == pretty


def test_deep_xml_stays_small() -> None:
    text = "<a>" * 10_000 + "</a>" * 10_000
    found = pretty_xml(text)
    assert found is not None
    assert len(found) < 200 * len(text)
    assert found.replace("\n", "").replace(" ", "") == text


@pytest.mark.parametrize(
    ("text", "pretty"),
    [
        ('{"b":1e400,"a":[1.10]}', '{\n  "b": 1e400,\n  "a": [\n    1.10\n  ]\n}'),
        ('{"a":1,"a":2}', '{\n  "a": 1,\n  "a": 2\n}'),
        ("[]", "[]"),
        ("{", None),
        ("5", None),
        ("plain", None),
        ("[" * 100_000, None),
        ('["\ud800"]', None),
    ],
)
def test_json(text: str, pretty: str | None) -> None:
    assert pretty_json(text) == pretty


def test_hex() -> None:
    assert hex_dump(b"") == ""
    lines = hex_dump(bytes(range(60, 80))).split("\n")
    assert lines == [
        "00000000  3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK",
        "00000010  4c 4d 4e 4f                                      LMNO",
    ]
    assert hex_dump(b"\x00\x7f\xff") == f"00000000  {'00 7f ff':<48} ..."
