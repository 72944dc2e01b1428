"""Files that are broken, hostile or merely unusual."""

import os
from pathlib import Path
from typing import Any

import pytest

from lineside.config import ConfigFileError
from lineside.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3),
        ("a: 1\nb: c: d\n", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("a: %x\n", 1),
        ("a: 'open\nb: 1\n", 1),
        ("a: *missing\n", 1),
        ("a: 1\nb: 2\na: 3\n", 3),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\nb: \x07\n", 2),
        ("- 1\n", 1),
        ("just text\n", 1),
        ("a:\n  b: !!python/object:os.system x\n", 2),
        ("a: !secret x\n", 1),
        ("a:\n  b: !!python/object/apply:os.system ['x']\n", 2),
        ("a: !!python/tuple [1]\n", 1),
        ("a: !secret {b: 1}\n", 1),
        ("!!python/object:x {a: 1}\n", 1),
        ("a: {<<: !!python/dict {b: 1}}\n", 1),
        ("? [1]\n: 2\n", 1),
        ("~: 1\n", 1),
        ("a: &a [*a]\n", 1),
        ("a: &a {<<: *a}\n", 1),
        ("a: {<<: 5}\n", 1),
        ("a: 2024-13-45\n", 1),
    ],
)
def test_a_broken_file_is_refused_with_its_line(files: Any, text: str, line: int) -> None:
    """The error says file and line, so that an editor can jump there."""
    with pytest.raises(ConfigFileError) as caught:
        files.load(text)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{files.directory / 'config.yml'}:{line}: ")


@pytest.mark.parametrize("text", ["a:\n\tb: 2\n", "a:\n  b: 1\n\tc: 2\n"])
def test_a_tab_is_answered_with_what_to_write(files: Any, text: str) -> None:
    """The reader's own words speak of tokens; ours say spaces."""
    with pytest.raises(ConfigFileError, match="indent with spaces"):
        files.load(text)


def test_aliases_that_explode_are_refused(files: Any) -> None:
    """Nine lines of aliases do not become a billion values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigFileError, match="holds more than"):
        files.load("\n".join(lines))


def test_a_deep_file_is_refused(files: Any) -> None:
    """Nesting has a limit, in the reader too."""
    with pytest.raises(ConfigFileError, match="nested deeper"):
        files.load("a: " + "[" * 40 + "]" * 40)
    with pytest.raises(ConfigFileError, match="nested deeper"):
        files.load("a: " + "[" * 5000 + "]" * 5000)


def test_a_large_file_is_refused(files: Any) -> None:
    """A file over 1 MiB is not a configuration."""
    with pytest.raises(ConfigFileError, match="larger than"):
        files.load("a: '" + "x" * 1_048_576 + "'")


def test_a_file_that_is_not_utf_8_is_refused(files: Any) -> None:
    """The line of the first wrong byte is named."""
    (files.directory / "config.yml").write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigFileError, match=r"config.yml:2: is not UTF-8"):
        files.load()


def test_a_file_that_cannot_be_read_is_refused(files: Any) -> None:
    """A directory in the place of a file is named, with the system's reason."""
    (files.directory / "config.yml").mkdir()
    with pytest.raises(ConfigFileError, match="cannot be read"):
        files.load()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n", "\ufeffa: 1\n"])
def test_an_empty_file_is_fine(files: Any, text: str) -> None:
    """Nothing, comments only, null, and a byte order mark are read."""
    assert files.load(text).get("a", 1) == 1


def test_words_stay_words(files: Any) -> None:
    """YAML 1.2: Norway is not false, ``on`` is a key, a time is no number."""
    config = files.load("country: no\non: 1\nat: 12:30:45\n8080: x\n")
    assert config.get("country") == "no"
    assert config.get("on") == 1
    assert config.get("at") == "12:30:45"
    assert config.get("8080") == "x"


def test_maps_may_share_keys(files: Any) -> None:
    """Anchors and ``<<`` work as in Rails' database.yml, own keys win."""
    config = files.load(
        "base: &base {pool: 5, host: a}\nmore: &more {x: 1}\ndb:\n  host: b\n  <<: [*base, *more]\n"
    )
    assert config.get("db") == {"pool": 5, "host": "b", "x": 1}


def test_dynaconf_tokens_are_plain_text(files: Any) -> None:
    """A value that starts with ``@`` is not obeyed: it may be a password."""
    config = files.load("a: '@read_file /etc/hostname'\nb: {dynaconf_merge: true}\n")
    assert config.get("a") == "@read_file /etc/hostname"
    assert config.get("b.dynaconf_merge") is True


def test_files_outside_the_directory_cannot_be_named(files: Any) -> None:
    """The environment's name cannot climb out of the directory."""
    outside = Path(files.directory).parent / "evil.yml"
    outside.write_text("a: 1")
    name = f"x{os.sep}..{os.sep}..{os.sep}evil"
    with pytest.raises(ConfigurationError, match="not an environment name"):
        files.load(environment=name)
