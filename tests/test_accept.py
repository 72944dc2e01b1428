"""The Accept header: RFC 9110 section 12.5.1, and whatever else clients send."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside._accept import MAX_ACCEPT_CHARS, best_match, parse_accept, quality

JSON, XML, HTML, TEXT = "application/json", "application/xml", "text/html", "text/plain"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "offered", "chosen"),
    [
        (None, [JSON, XML], JSON),
        ("", [JSON, XML], JSON),
        ("  ", [JSON, XML], JSON),
        ("*/*", [JSON, XML], JSON),
        ("*/*", [XML, JSON], XML),
        (XML, [JSON, XML], XML),
        ("Application/XML", [JSON, XML], XML),
        ("application/*", [TEXT, XML], XML),
        ("text/*;q=0.3, text/html;q=0.7", [TEXT, HTML], HTML),
        ("text/*, text/html;q=0.1", [HTML, TEXT], TEXT),
        ("application/json;q=0.5, application/xml;q=0.9", [JSON, XML], XML),
        ("application/json, */*", [HTML, JSON], JSON),
        ("application/json, text/plain, */*", [HTML, JSON], JSON),
        (BROWSER, [JSON, HTML], HTML),
        (BROWSER, [JSON], JSON),
        ("*/*, application/json;q=0", [JSON, XML], XML),
        ("application/json;q=0", [JSON], None),
        ("*/*;q=0", [JSON, XML], None),
        ("image/png", [JSON, XML], None),
        ("application/json;charset=utf-8", [JSON], JSON),
        ("application/json;profile=x", [JSON], None),
        ('text/html;level="1";q=0.4, text/html', ["text/html;level=1", HTML], HTML),
        ("text/html;level=1;q=0.9;ext=1, text/html;q=0.1", [HTML, "text/html;level=1"], "text/html;level=1"),
        ("application/json ; q=0.2 ,application/xml;Q=0.3", [JSON, XML], XML),
        ("application/json;q=2", [JSON], None),
        ("application/json;q=-1, application/xml", [JSON, XML], XML),
        ("application/json;q=0.1234, text/html;q=0.1", [JSON, HTML], HTML),
        ("garbage", [JSON], None),
        ("*/json, text", [JSON], None),
        (",,, ,application/xml,", [JSON, XML], XML),
        ('text/html;a="x,y", application/xml;q=0.1', [XML], XML),
        ("application/json;;q=0.5", [JSON], JSON),
        (JSON, [], None),
        (None, [], None),
    ],
)
def test_the_best_match(header: str | None, offered: list[str], chosen: str | None) -> None:
    """Weight first, then how exactly the client named it, then the order of the offer."""
    assert best_match(header, offered) == chosen


def test_parsing_keeps_the_clients_order_and_drops_malformed_parts() -> None:
    """A part that breaks the grammar costs the client that part and nothing else."""
    ranges = parse_accept("text/html;level=1;q=0.5, oops, */*;q=0.1, a/b;q=x")
    assert [(found.type, found.subtype, found.q) for found in ranges] == [
        ("text", "html", 0.5),
        ("*", "*", 0.1),
    ]
    assert [found.specificity for found in ranges] == [3, 0]


def test_the_most_specific_range_gives_the_quality() -> None:
    """`quality` says how much, and how exactly it was asked for."""
    header = "text/*;q=0.5, text/html;q=0.2, */*;q=0.9"
    assert quality(header, HTML) == (0.2, 2)
    assert quality(header, TEXT) == (0.5, 1)
    assert quality(header, JSON) == (0.9, 0)
    assert quality("text/html", JSON) == (0.0, -1)


def test_a_huge_header_is_cut_at_a_comma() -> None:
    """What lies beyond the bound is not read; what lies before it still counts."""
    assert best_match(f"{XML}," + "a/b," * 100_000 + JSON, [JSON, XML]) == XML
    assert parse_accept("a" * MAX_ACCEPT_CHARS + "/b") == ()
    assert best_match("a" * 2_000 + "/b, application/json", [JSON]) is None


@pytest.mark.parametrize(
    "header", ['"' * 9_999, '"\\' * 5_000, "a/b;" * 5_000, "a/b;x=" + '"\\"' * 900, " " * 9_999 + "a"]
)
def test_a_hostile_header_is_read_at_once(header: str) -> None:
    """No header makes the parser slow."""
    began = time.process_time()
    parse_accept(header)
    assert time.process_time() - began < 0.1


@given(st.text('ab/*;=q01.,"\\ -+', max_size=60))
def test_any_text_gets_an_answer(header: str) -> None:
    """Whatever the header says, the choice is one of the offers or none of them."""
    assert best_match(header, [JSON, HTML]) in (JSON, HTML, None)
