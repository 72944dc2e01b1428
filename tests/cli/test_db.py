"""``lineside db``, as a real command."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

APP = """
from fastapi import FastAPI
from lineside.models.fastapi import install_database
from models import Post

app = FastAPI()
install_database(app, "sqlite:///data/app.sqlite3")
bare = FastAPI()
"""
MODELS = """
from sqlmodel import Field, SQLModel

class Post(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(unique=True)
"""
SEEDS = """
from models import Post

async def seed(session):
    session.add(Post(title="Hello"))
"""
MIGRATION = """'''create posts'''
import sqlalchemy as sa
from alembic import op

revision = "20260101000000"
down_revision = None

def upgrade():
    title = sa.Column("title", sa.String, nullable=False, unique=True)
    op.create_table("post", sa.Column("id", sa.Integer, primary_key=True), title)

def downgrade():
    op.drop_table("post")
"""
DATABASE = "sqlite:///data/app.sqlite3"


@pytest.fixture
def db(run: Run, tmp_path: Path) -> Run:
    """Run ``lineside db`` for an app with one model."""
    (tmp_path / "myapp.py").write_text(APP)
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "seeds.py").write_text(SEEDS)

    def db(command: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run("db", command, "--app", "myapp:app", *arguments, **variables)

    return db


@pytest.fixture
def created(db: Run, tmp_path: Path) -> Run:
    """Run it where there is a migration that has not run."""
    (tmp_path / "data").mkdir()
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "migrations" / "versions" / "20260101000000_create_posts.py").write_text(MIGRATION)
    return db


@pytest.fixture
def filled(created: Run, tmp_path: Path) -> Run:
    """Run it where the migration has run, and there is a post."""
    with closing(sqlite3.connect(tmp_path / "data" / "app.sqlite3")) as connection:
        connection.executescript(
            "CREATE TABLE post (id INTEGER NOT NULL, title VARCHAR NOT NULL, "
            "CONSTRAINT post_pkey PRIMARY KEY (id), CONSTRAINT post_title_key UNIQUE (title));"
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
            "INSERT INTO post VALUES (1, 'Old'); INSERT INTO alembic_version VALUES ('20260101000000');"
        )
    return created


def titles(folder: Path) -> list[str]:
    """Read the posts, as another program does."""
    with closing(sqlite3.connect(folder / "data" / "app.sqlite3")) as connection:
        return [title for (title,) in connection.execute("SELECT title FROM post")]


def failed(result: subprocess.CompletedProcess[str], text: str) -> None:
    """Check that one line says what is wrong."""
    assert (result.returncode, result.stderr.count("\n")) == (1, 1), result.stderr
    assert result.stderr.startswith("lineside: ")
    assert text in result.stderr


def test_from_nothing_to_rows(db: Run, tmp_path: Path) -> None:
    """Create, write, run, seed; each says what it did, and twice is once."""
    assert db("create").stdout == "created Database('sqlite+aiosqlite:///data/app.sqlite3')\n"
    assert "exists already" in db("create").stdout
    written = db("revision", "--autogenerate", "-m", "create posts").stdout
    assert written.startswith("  add table post\nwrote migrations/versions/")
    (file,) = (tmp_path / "migrations" / "versions").glob("*.py")
    revision = file.name.partition("_")[0]
    assert [path.name for path in (tmp_path / "migrations").iterdir()] == ["versions"]  # and nothing else
    assert db("migrate").stdout == f"up    {revision}  create posts\n"
    assert db("migrate").stdout == "nothing to do: every migration has run\n"
    assert db("seed").stdout == "ran db/seeds.py\n"
    assert titles(tmp_path) == ["Hello"]


def test_status_prints_up_and_down(filled: Run, tmp_path: Path) -> None:
    """As Rails prints it."""
    second = MIGRATION.replace("20260101", "20260102").replace("None", "'20260101000000'")
    (tmp_path / "migrations" / "versions" / "20260102000000_again.py").write_text(second)
    assert filled("status").stdout.splitlines() == [
        "STATUS  REVISION        MESSAGE",
        "up      20260101000000  create posts",
        "down    20260102000000  create posts",
    ]


def test_rollback_takes_steps(filled: Run) -> None:
    """One by default; when there is none, that is said."""
    assert filled("rollback", "--steps", "2").stdout == "down  20260101000000  create posts\n"
    assert filled("rollback").stdout == "nothing to do: no migration has run\n"
    assert filled("rollback", "--steps", "0").returncode == 2


def test_check_fails_for_both_reasons(created: Run, tmp_path: Path) -> None:
    """A migration that has not run, and a model that no migration knows."""
    failed(created("check"), "migrations are pending")
    created("migrate")
    assert created("check").stdout == "the database is up to date\n"
    (tmp_path / "models.py").write_text(f"{MODELS}    body: str | None\n")
    failed(created("check"), "add column post.body")
    failed(created("revision", "--autogenerate", "-m", "x", "--metadata", "models:nope"), "leads nowhere")
    failed(created("revision", "--autogenerate", "-m", "x", "--metadata", "models:Post"), "not MetaData")
    assert created("revision", "--autogenerate", "-m", "add body").returncode == 0
    failed(created("revision", "--autogenerate", "-m", "again"), "migrations are pending")


def test_revision_without_a_change_writes_nothing(filled: Run) -> None:
    """With --autogenerate; an empty one is written when nothing else is asked for."""
    nothing = filled("revision", "--autogenerate", "-m", "again").stdout
    assert nothing == "nothing to do: the database is what the models are\n"
    assert "wrote" in filled("revision", "-m", "by hand").stdout
    filled("migrate")
    failed(filled("rollback"), "cannot be rolled back: say here what undoes upgrade()")


def test_stamp_notes_without_running(created: Run) -> None:
    """For tables that exist already."""
    assert created("stamp").returncode == 0
    assert created("migrate").stdout == "nothing to do: every migration has run\n"


def test_a_url_needs_no_app(created: Run, run: Run, tmp_path: Path) -> None:
    """Without the models there is nothing to compare with, and nothing is dropped for that."""
    assert run("db", "migrate", "--url", DATABASE).returncode == 0
    assert run("db", "seed", "--url", DATABASE).returncode == 0
    assert titles(tmp_path) == ["Hello"]
    assert "no models were compared" in run("db", "check", "--url", DATABASE).stdout
    failed(run("db", "revision", "--url", DATABASE, "--autogenerate", "-m", "x"), "no model was imported")
    compared = run("db", "check", "--url", DATABASE, "--metadata", "models:SQLModel.metadata")
    assert compared.stdout == "the database is up to date\n"


class TestReset:
    """Everything anew, and never by mistake in production."""

    def test_begins_anew(self, filled: Run, tmp_path: Path) -> None:
        """Drop, create, migrate, seed."""
        result = filled("reset")
        assert result.stdout.splitlines()[-2:] == [
            "ran db/seeds.py",
            "reset Database('sqlite+aiosqlite:///data/app.sqlite3')",
        ]
        assert titles(tmp_path) == ["Hello"]

    def test_is_refused_in_production(self, filled: Run, tmp_path: Path) -> None:
        """The rows are there afterwards; --force is the way."""
        (tmp_path / "db" / "seeds.py").unlink()
        failed(filled("reset", LINESIDE_ENV="production"), "the environment is 'production'")
        assert titles(tmp_path) == ["Old"]
        forced = filled("reset", "--force", LINESIDE_ENV="production")
        assert forced.stdout.splitlines()[-2] == "no seeds: there is no db/seeds.py"
        assert titles(tmp_path) == []

    def test_is_refused_for_an_app_that_is_in_production(self, filled: Run, tmp_path: Path) -> None:
        """Whatever the variable says: the app's own configuration counts as well."""
        config = "Config.from_dict({}, environment='production', checks=())"
        (tmp_path / "myapp.py").write_text(
            f"{APP}from lineside.application import Lineside\nfrom lineside.config import Config\n"
            f"Lineside(app, {config})\n"
        )
        failed(filled("reset", LINESIDE_ENV="development"), "the environment is 'production'")
        assert titles(tmp_path) == ["Old"]

    def test_an_environment_that_is_misspelled_is_not_development(self, created: Run) -> None:
        """'prod' protects nothing silently."""
        failed(created("reset", LINESIDE_ENV="prod"), "write 'production'")


class TestMistakes:
    """One line and exit status 1, without a traceback."""

    def test_which_database(self, run: Run, db: Run) -> None:
        """An app or a URL, not neither and not both; and the app must have one."""
        failed(run("db", "migrate"), "--app module:app")
        failed(db("migrate", "--url", DATABASE), "--app module:app")
        failed(run("db", "migrate", "--app", "myapp:bare"), "install_database(app, url)")
        failed(run("db", "migrate", "--app", "myapp:ap"), "apps there: myapp:app")
        failed(run("db", "migrate", "--url", "hunter2"), "cannot be read")

    def test_no_migrations(self, db: Run) -> None:
        """The command that makes the first one is named."""
        failed(db("migrate"), "lineside db revision")

    def test_an_unknown_revision(self, created: Run) -> None:
        """It is named."""
        failed(created("migrate", "--revision", "nope"), "'nope'")

    def test_a_server_that_is_not_there(self, created: Run, run: Run) -> None:
        """The password is not shown."""
        result = run("db", "migrate", "--url", "postgresql://me:hunter2@127.0.0.1:1/shop")
        failed(result, "cannot connect to Database('postgresql+asyncpg://me:***@127.0.0.1:1/shop')")
        assert "hunter2" not in result.stderr

    def test_a_migration_that_fails(self, created: Run, tmp_path: Path) -> None:
        """File and reason, in one line."""
        (file,) = (tmp_path / "migrations" / "versions").glob("*.py")
        file.write_text(MIGRATION.replace("op.create_table", "op.nonsense"))
        failed(created("migrate"), f"{file}) failed on its way up")

    def test_without_alembic_the_pip_command_is_printed(self, created: Run, tmp_path: Path) -> None:
        """A missing extra is one line, too."""
        code = "import sys; sys.modules['alembic'] = None; from lineside.cli import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "db", "migrate", "--app", "myapp:app"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        failed(result, "'alembic' is not installed. Run: pip install 'lineside[migrations]'")
