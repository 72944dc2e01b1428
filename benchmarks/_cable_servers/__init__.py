"""One room in one process, written for several servers: what `benchmarks.cable` compares.

Each module is a program: ``python -m benchmarks._cable_servers.raw FD`` serves the listening socket that
it inherits as the descriptor FD. Whoever connects is in the room; whatever one sends, all are sent.
"""
