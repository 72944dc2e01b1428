"""``${VAR}`` and ``${VAR:-default}`` inside values."""

from typing import Any

import pytest

from lineside.config import ConfigFileError, UnsetVariableError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "db1"),
        ("pg://${HOST}:${PORT}/app", "pg://db1:5432/app"),
        ("${PORT}", 5432),
        ("${NONE:-3000}", 3000),
        ("${NONE:-}", ""),
        ("${EMPTY:-filled}", "filled"),
        ("${EMPTY}", ""),
        ("${HOST:-unused}", "db1"),
        ("${NONE:-${OTHER:-${HOST}}}", "db1"),
        ("${HOST:-${NOT_NEEDED}}", "db1"),
        ("${NONE:-a b:c}", "a b:c"),
        ("${NONE:-{}}-x", "{}-x"),
        ("${HOST:-{}}-x", "db1-x"),
        ("$${HOST}", "${HOST}"),
        ("a$${HOST}b${HOST}", "a${HOST}bdb1"),
        ("$HOST costs 5$ {}", "$HOST costs 5$ {}"),
        ("}${HOST}{", "}db1{"),
    ],
)
def test_references(files: Any, text: str, value: object) -> None:
    """References work anywhere in a value, several times, nested and escaped."""
    config = files.load(f"a: '{text}'", {"HOST": "db1", "PORT": "5432", "EMPTY": ""})
    assert config.get("a") == value


def test_references_in_nested_maps_and_lists(files: Any) -> None:
    """Values deep inside maps and lists are expanded too."""
    config = files.load("a: [{b: ['x${V}', '${V}']}]", {"V": "1"})
    assert config.dump()["a"] == [{"b": ["x1", 1]}]


def test_a_whole_reference_is_typed_and_keeps_its_text(files: Any) -> None:
    """``zip: ${ZIP}`` is a number, and still the exact text for who asks for a string."""
    config = files.load("zip: ${ZIP}\nopts: ${OPTS}", {"ZIP": "01234", "OPTS": '{"a": [1]}'})
    assert config.get_str("zip") == "01234"
    assert config.get("opts.a.0") == 1
    assert config.get_str("opts") == '{"a": [1]}'


def test_the_environment_is_a_variable(files: Any) -> None:
    """``${LINESIDE_ENV}`` works, also when the environment came as an argument."""
    assert files.load("db: myapp_${LINESIDE_ENV}", environment="test").get_str("db") == "myapp_test"


def test_an_expansion_is_not_expanded_again(files: Any) -> None:
    """A variable's own text is taken as it is."""
    assert files.load("a: ${V}", {"V": "${V}"}).get("a") == "${V}"


def test_an_unset_variable_is_an_error(files: Any) -> None:
    """The error names file, line, key and variable, and what to write instead."""
    with pytest.raises(UnsetVariableError) as caught:
        files.load("a:\n  host: x-${DB_HOST}\n")
    assert (caught.value.key, caught.value.variable, caught.value.line) == ("a.host", "DB_HOST", 2)
    assert caught.value.file.endswith("config.yml")
    assert "${DB_HOST:-default}" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${A",
        "${A:-",
        "${A:-${B}",
        "${}",
        "${1A}",
        "${A-b}",
        "${A B}",
        "${A:-" * 20,
        "${A:-" * 20 + "}" * 20,
    ],
)
def test_a_malformed_reference_is_an_error(files: Any, text: str) -> None:
    """What cannot be read is refused with file and line."""
    with pytest.raises(ConfigFileError, match=r"config.yml:1: 'a' "):
        files.load(f"a: '{text}'")


def test_an_expansion_has_a_limit(files: Any) -> None:
    """Values cannot blow up through repeated references."""
    with pytest.raises(ConfigFileError, match="expands to more than"):
        files.load("a: '" + "${V}" * 20 + "'", {"V": "x" * 100_000})
