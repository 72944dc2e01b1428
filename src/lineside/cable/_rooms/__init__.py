"""Rooms, clients, typed messages and events, over all nodes."""
