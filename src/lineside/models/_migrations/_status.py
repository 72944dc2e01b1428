"""One migration: a new one, or one with its state in the database."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """One migration, and whether it has run.

    Attributes:
        revision: Its id, for instance ``"20260131093000"``.
        message: The first line of its file.
        path: Its file.
        is_applied: Whether it has run.
    """

    revision: str
    message: str
    path: Path
    is_applied: bool

    @property
    def status(self) -> str:
        """``"up"`` when it has run, else ``"down"``; Rails' words."""
        return "up" if self.is_applied else "down"


@dataclass(frozen=True, slots=True)
class GeneratedMigration:
    """A migration that was just written.

    Attributes:
        path: Its file; None when the database is already what the models are.
        changes: What it does, one sentence each; nothing for one that was to be empty.
    """

    path: Path | None
    changes: list[str]
