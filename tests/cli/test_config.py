"""``lineside config``, as a real command."""

import json
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yml").write_text(
        "database:\n  url: postgresql://blog:hunter2@db/blog\n  pool: 5\nwelcome: Grüße\n"
    )
    (tmp_path / "config" / "config.production.yml").write_text("database:\n  pool: 50\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "config.yml").write_text("database:\n  pool: 7\n")


def test_explain_names_file_and_line(run) -> None:
    """The deciding layer comes first, then what it overrode."""
    result = run("config", "explain", "database.pool", "--env", "production")
    assert result.returncode == 0
    first, second, third = result.stdout.splitlines()
    assert first == "database.pool = 50"
    assert second.endswith("config.production.yml:2")
    assert third.endswith("config.yml:3 = 5")


def test_explain_names_the_variable(run) -> None:
    """A value from the environment says so."""
    result = run("config", "explain", "database.pool", LINESIDE_DATABASE__POOL="9")
    assert "database.pool = 9" in result.stdout
    assert "LINESIDE_DATABASE__POOL" in result.stdout


def test_the_environment_is_an_option_or_the_variable(run) -> None:
    """``--env`` wins over LINESIDE_ENV."""
    assert "= 50" in run("config", "explain", "database.pool", LINESIDE_ENV="production").stdout
    by_option = run("config", "explain", "database.pool", "--env", "test", LINESIDE_ENV="production")
    assert "= 5\n" in by_option.stdout


def test_another_directory(run) -> None:
    """``--directory`` is read in place of ``config``; one that is missing is an error."""
    assert "= 7" in run("config", "explain", "database.pool", "--directory", "elsewhere").stdout
    missing = run("config", "dump", "--directory", "nowhere")
    assert missing.returncode == 1
    assert "'nowhere'" in missing.stderr


def test_an_unknown_key_is_one_line(run) -> None:
    """Exit 1, the key and no traceback."""
    result = run("config", "explain", "database.pol")
    assert result.returncode == 1
    assert "database.pol" in result.stderr
    assert "Set it in a file or as LINESIDE_DATABASE__POL." in result.stderr
    assert "default" not in result.stderr
    assert "Traceback" not in result.stderr


def test_dump_is_json_without_secrets(run) -> None:
    """Everything is shown, and no password; also in production, where settings are missing."""
    result = run("config", "dump", "--env", "production", LINESIDE_APP__SECRET_KEY="abc-secret-abc")
    dumped = json.loads(result.stdout)
    assert dumped["database"]["pool"] == 50
    assert dumped["welcome"] == "Grüße"
    assert "hunter2" not in result.stdout
    assert "abc-secret" not in result.stdout


def test_a_broken_file_names_its_line(run, tmp_path: Path) -> None:
    """A mistake in YAML is an answer with file and line."""
    (tmp_path / "config" / "config.yml").write_text("database:\n  url: [\n")
    result = run("config", "dump")
    assert result.returncode == 1
    assert "config.yml:" in result.stderr
    assert "Traceback" not in result.stderr
