"""Kinds of columns that SQLModel has no word for."""
