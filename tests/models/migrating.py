"""What the tests of migrations share: files of migrations, and a look with other eyes."""

import textwrap
from pathlib import Path

from sqlalchemy import inspect, text

from lineside.models import Database


def write(
    folder: Path, revision: str, upgrade: str, downgrade: str | None = "pass", *, after: str | None = None
) -> Path:
    """Write one migration, as a user would."""
    versions = folder / "versions"
    versions.mkdir(exist_ok=True, parents=True)
    file = versions / f"{revision}_change.py"
    down = "" if downgrade is None else f"def downgrade():\n{textwrap.indent(downgrade, '    ')}\n"
    file.write_text(
        f'"""change {revision}"""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        f"revision = {revision!r}\ndown_revision = {after!r}\n"
        f"def upgrade():\n{textwrap.indent(upgrade, '    ')}\n{down}"
    )
    return file


def create_table(name: str) -> str:
    """Give the line that creates a table."""
    columns = "sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String)"
    return f"op.create_table({name!r}, {columns})"


def three(folder: Path) -> None:
    """Write three migrations, a table each, in an order that only their revisions tell."""
    write(folder, "c3", create_table("third"), "op.drop_table('third')", after="b2")
    write(folder, "a1", create_table("first"), "op.drop_table('first')")
    write(folder, "b2", create_table("second"), "op.drop_table('second')", after="a1")


async def tables(url: str) -> set[str]:
    """Name the tables, as a connection of another pool sees them."""
    database = Database(url)
    async with database.engine.connect() as connection:
        found = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await database.dispose()
    return found - {"alembic_version"}


async def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Read rows, as a connection of another pool sees them."""
    database = Database(url)
    async with database.engine.connect() as connection:
        found = [tuple(row) for row in await connection.execute(text(query))]
    await database.dispose()
    return found


async def execute(url: str, *statements: str) -> None:
    """Run statements and commit, on a connection of another pool."""
    database = Database(url)
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await database.dispose()
