"""Connections, subscriptions and streams: the part of the cable that knows no socket and no user code."""
