"""Migrations: Alembic's engine behind Rails' commands; the door is `lineside.models.migrations`."""
