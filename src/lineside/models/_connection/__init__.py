"""Connections: engines, sessions and transactions of one database."""
