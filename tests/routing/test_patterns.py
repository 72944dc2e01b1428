"""Route constraints: the meaning of `re`, in time that only the value's length decides (T37)."""

import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.exceptions import RoutingError
from lineside.routing._patterns import MAX_POSITIONS, MAX_VALUE_CHARS, Pattern, compile_constraint


def matches(pattern: str, value: str) -> bool:
    return compile_constraint(pattern, parameter="id").fullmatch(value)


@pytest.mark.parametrize(
    ("pattern", "accepted", "refused"),
    [
        (r"\d+", ["1", "007"], ["", "a", "1a", "1\n", "\u0661"]),
        (r"^\d{4}$", ["2026"], ["202", "20266", "2026\n"]),
        (r"[a-z0-9]+(-[a-z0-9]+)*", ["a", "my-post-2"], ["-a", "a-", "a--b", "A"]),
        (
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            ["123e4567-e89b-12d3-a456-426614174000"],
            ["123e4567"],
        ),
        (r"(?:en|de|fr)(?:_[A-Z]{2})?", ["en", "de_AT"], ["it", "en_", "en_us"]),
        (r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])", ["2026-12"], ["2026-13"]),
        (r"[^/.]+", ["a b", "é"], ["a/b", "a.b", ""]),
        (r".*", ["", "anything"], ["a\nb"]),
        (r"a{2,3}?b??", ["aa", "aaab"], ["a", "aaaa"]),
        (r"x{,2}", ["", "xx"], ["xxx"]),
        (r"x{2,}", ["xx", "xxxxx"], ["x"]),
        (r"[]a]+", ["]a"], ["b"]),
        (r"[^]a]", ["b"], ["]", "a"]),
        (r"\x41\u00e9\.\-", ["Aé.-"], ["Ae.-"]),
        (r"(a|b|)c", ["ac", "c"], ["abc"]),
        (r"[\w.+-]+@\w+\.\w+", ["a.b+c@d.org"], ["a@b"]),
        (r"", [""], ["a"]),
    ],
)
def test_the_usual_patterns_mean_what_they_mean_in_re(
    pattern: str, accepted: list[str], refused: list[str]
) -> None:
    """Each accepted and refused value gets the same answer from `re.fullmatch` with `re.ASCII`."""
    constraint = compile_constraint(pattern, parameter="id")
    for value in accepted + refused:
        assert constraint.fullmatch(value) is (value in accepted), value
        assert constraint.fullmatch(value) is bool(re.fullmatch(pattern, value, re.ASCII)), value
    assert constraint.pattern == pattern
    assert pattern == "" or repr(pattern) in repr(constraint)


atoms = st.sampled_from(
    ["a", "b", ".", r"\d", r"\w", r"\W", r"\s", "[ab]", "[^a]", r"[\d-]", "[a-c1]", r"\.", "é", "-", "}", "]"]
)
repeats = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{,2}", "{1,}", "*?", "+?", "??", "{0}"])


def _bigger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join).map("({})".format),
        st.tuples(inner, repeats).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


patterns = st.recursive(st.tuples(atoms, repeats).map("".join), _bigger, max_leaves=6)


@settings(max_examples=600, deadline=None)
@given(patterns, st.lists(st.text("aabb1.- \né_]}", max_size=7), min_size=1, max_size=6))
def test_random_patterns_agree_with_re(pattern: str, values: list[str]) -> None:
    """On the supported subset there is no pattern and no short value on which the two differ."""
    constraint = compile_constraint(pattern, parameter="id")
    for value in values:
        assert constraint.fullmatch(value) is bool(re.fullmatch(pattern, value, re.ASCII)), (pattern, value)


# Each pattern with the piece that is repeated and the tail that makes it fail: from the literature and
# from advisories about e-mail, URL, number, markup and path validators.
HOSTILE = [
    (r"(a+)+", "a", "!"),
    (r"(a+)+$", "a", "!"),
    (r"(a*)*b", "a", "c"),
    (r"(a|a)*", "a", "!"),
    (r"(a|aa)+", "a", "!"),
    (r"(a|a?)+", "a", "!"),
    (r"(.*a){12}", "a", "!\n"),
    (r"([a-zA-Z]+)*", "a", "1"),
    (r"(x+x+)+y", "x", "z"),
    (r"(.*)*x", "a", "\n"),
    (r"(\w+\s?)*", "aa ", "!"),
    (r"(\d+)*\.", "1", "a"),
    (r"(0|1|01|10)*", "01", "2"),
    (r"(\s+)+x", " ", "!"),
    (r"a*a*a*a*a*a*b", "a", "c"),
    (r"\d*\d*\d*\d*x", "1", "y"),
    (
        r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}"
        r"[a-z]{2,3}))$",
        "a",
        "!",
    ),
    (r"([a-zA-Z0-9_\-.]+)+@example\.com", "a", "!"),
    (r"(([^<>()\[\]]+\.)*[^<>()\[\]]+)+@", "a.", "<"),
    (r"(https?://)?([\w-]+\.)+[\w-]+(/[\w-]*)*", "a.", "!"),
    (r"(/[^/]*)*x", "/a", "\n"),
    (r"([^/]+/?)+#", "a/", "!"),
    (r"(-?\d+(\.\d+)?,?)+", "1.1", "x"),
    (r"(,?\d{1,3})+(\.\d*)?", "1", "x"),
    (r"(([a-z])+.)+[A-Z]([a-z])+", "a", "1"),
    (r"(\(.*\)|[^()]*)*z", "(a)", "!"),
    (r"<(\w+\s*)+>", "<a ", "!"),
    (r"(<!--.*-->)*x", "<!---->", "!"),
    (r"\s*#?\s*\n?x*\s*!", " ", "?"),
    (r"((ab)*)+c", "ab", "d"),
    (r"(a?){30}a{30}b", "a", "c"),
    (r"(a|b|ab)*c", "ab", "d"),
    (r"(foo|foofoo)*bar", "foo", "!"),
    (r"([0-9]+|[0-9a-f]+)*g", "1", "h"),
    (r"(\w*)*-", "w", "!"),
    (r"(.|\w)*!", "a", "\n"),
    (r"(a+b?)*c", "a", "d"),
    (r"(b?a+)*c", "a", "d"),
    (r"((a{1,3}){1,3}){1,3}b", "a", "c"),
    (r"(\d+,)*\d+;", "1,", "x"),
    (r"([\w.]+)+\.(jpg|png)", "a.", "!"),
    (r"(.+)+\.html", "a", "!"),
    (r"(_?a_?)*z", "_a_", "!"),
    (r"(\\.|[^\\])*\"", "\\\\", "\\"),
    (r"(\"[^\"]*\"|[^\"])*;", '"a"', "!"),
    (r"(?:a|b)*?(?:a|b)*?c", "ab", "!"),
    (r"([^=]+=[^&]*&?)*#", "a=b&", "!"),
    (r"(\d{1,3}\.?)+x", "1.", "!"),
    (r"(.*,)*(.*,)*x", ",", "!"),
    (r"([a-z]+[0-9]*)+_", "a", "!"),
    (r"(a*b*c*)*d", "abc", "e"),
]


@pytest.mark.parametrize(("pattern", "piece", "tail"), HOSTILE)
def test_a_hostile_value_costs_no_more_than_its_length(pattern: str, piece: str, tail: str) -> None:
    """10 kB against each known bad pattern: at once with the bound, and linear without it."""
    value = (piece * 10_000)[:10_000] + tail
    bounded = compile_constraint(pattern, parameter="id")
    unbounded = compile_constraint(pattern, parameter="id", max_chars=20_000)

    def seconds(given: str, *, bound: bool) -> float:
        """Take the best of three: a busy machine must not decide; exponential time would never come back."""
        return min(_seconds(bounded if bound else unbounded, given) for _ in range(3))

    assert seconds(value, bound=True) < 0.010
    assert seconds(value[: MAX_VALUE_CHARS - 1] + tail[:1], bound=True) < 0.050
    assert seconds(value, bound=False) < 0.100


def _seconds(constraint: Pattern, value: str) -> float:
    # The time of this process: what others do on the machine does not count.
    began = time.process_time()
    constraint.fullmatch(value)
    return time.process_time() - began


def test_fifty_patterns_are_known() -> None:
    """The corpus is as large as the threat row asks."""
    assert len({pattern for pattern, _, _ in HOSTILE}) >= 50


def test_a_long_value_does_not_match() -> None:
    """The bound comes first: one character more than 256 and the route falls through."""
    assert matches(".*", "a" * MAX_VALUE_CHARS)
    assert not matches(".*", "a" * (MAX_VALUE_CHARS + 1))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "the '(' is never closed"),
        ("a)", "closes nothing"),
        ("[a", "the '[' is never closed"),
        ("[]", "unterminated character set"),
        ("[b-a]", "bad character range"),
        ("*a", "nothing to repeat"),
        ("a|+", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        ("{2}", "repeats nothing"),
        ("a{x}", "is no count"),
        ("a{3,2}", "above the most"),
        ("a**", "a repeat of a repeat"),
        ("a{2}{3}", "a repeat of a repeat"),
        ("a++", "possessive"),
        ("a^b", "belongs at the start"),
        ("a$b", "belongs at the end"),
        ("(?=a)a", "pass a function instead"),
        ("(?!a)b", "pass a function instead"),
        ("(?<=a)b", "pass a function instead"),
        ("(?i)a", "pass a function instead"),
        ("(?>a)", "pass a function instead"),
        (r"(?P<x>a)(?P=x)", "pass a function instead"),
        (r"(a)\1", "escape is not supported"),
        (r"\bword", "escape is not supported"),
        (r"\Aa", "escape is not supported"),
        ("\\", "escape is not supported"),
        ("a" * 1_001, "longer than 1000"),
        ("(" * 60 + ")" * 60, "nested more than 50"),
        (f"a{{{MAX_POSITIONS + 1}}}", "more than 512 positions"),
        ("(((a{99}){99}){99}){99}", "more than 512 positions"),
    ],
)
def test_what_cannot_be_matched_safely_is_refused_when_declared(pattern: str, reason: str) -> None:
    """The error names the parameter, the pattern, the position and what to do."""
    with pytest.raises(RoutingError) as caught:
        compile_constraint(pattern, parameter="slug")
    assert reason in str(caught.value)
    assert "'slug'" in str(caught.value)
    assert repr(pattern) in str(caught.value)
    assert "position" in str(caught.value)


def test_an_empty_group_repeated_is_nothing_and_costs_nothing() -> None:
    """Counts on nothing are not written out."""
    began = time.perf_counter()
    assert matches("((((){9999}){9999}){9999}|)x", "x")
    assert time.perf_counter() - began < 1


def test_what_a_constraint_remembers_is_bounded() -> None:
    """A million different characters leave no more than the caches' size behind."""
    constraint = compile_constraint(r"(\w|[^a])*", parameter="id")
    for start in range(0, 60_000, 200):
        constraint.fullmatch("".join(map(chr, range(start, start + 200))))
    caches = [value for value in vars(constraint).values() if hasattr(value, "cache_info")]
    assert caches
    assert all(cache.cache_info().currsize <= cache.cache_info().maxsize <= 1_024 for cache in caches)


def test_one_constraint_serves_many_threads() -> None:
    """Sync routes run in threads; the automaton is shared."""
    constraint = compile_constraint(r"([a-z]+-)*[a-z]+", parameter="slug")
    wrong: list[str] = []

    def work(offset: int) -> None:
        for number in range(300):
            value = "-".join(chr(97 + (number + offset + step) % 26) for step in range(1 + number % 9))
            if not constraint.fullmatch(value) or constraint.fullmatch(value + "-"):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not wrong
