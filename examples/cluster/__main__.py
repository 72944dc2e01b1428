"""Three nodes of the chat on one bus: `python -m examples.cluster redis`, or `nats`.

Starts the bus' server and the nodes on free ports, shows that they are one chat, and serves until Ctrl+C;
with --once it ends when it has shown it.
"""

import argparse
import asyncio
import contextlib
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from examples.cluster.processes import Node, bus_server, nodes
from examples.cluster.reader import Reader

NODES = 3
ROOM = "lobby"


async def show(cluster: Sequence[Node]) -> None:
    """Speak on each node, stop one of them, and go on."""
    readers = [Reader(f"reader {index + 1}", ROOM) for index in range(len(cluster))]
    for reader, node in zip(readers, cluster, strict=True):
        await reader.connect(node.socket)
    for index, speaker in enumerate(readers):
        await speaker.speak(f"from node {index + 1}")
        for reader in readers:
            await reader.hear(f"from node {index + 1}")
        print(f"  said on node {index + 1}, heard on all {len(readers)}")

    moved, *others = readers
    stopping = asyncio.create_task(asyncio.to_thread(cluster[0].stop))
    print(f"  node 1 stops, and tells its client: {await moved.sent_away()}")
    for number in range(1, 4):
        await others[0].speak(f"meanwhile {number}")
    await others[1].hear("meanwhile 3")
    await stopping
    await moved.connect(cluster[1].socket)
    await moved.hear("meanwhile 3")
    missed = [text for text in moved.texts if text.startswith("meanwhile")]
    print(f"  its client comes back on node 2, and is sent what it has missed: {', '.join(missed)}")
    for reader in readers:
        await reader.close()


def main(arguments: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="cluster-", ignore_cleanup_errors=True) as name,
        bus_server(arguments.bus, Path(name)) as url,
        nodes(NODES, url, Path(name)) as cluster,
    ):
        print(f"{len(cluster)} nodes on {url}")
        for node in cluster:
            print(f"  {node.page}")
        asyncio.run(show(cluster))
        if arguments.once:
            return
        print("Nodes 2 and 3 stay: open both. Ctrl+C ends them.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.cluster", description=__doc__)
    parser.add_argument("bus", choices=["redis", "nats"])
    parser.add_argument("--once", action="store_true", help="end when it has shown what it shows")
    # SIGTERM ends the processes in order, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        main(parser.parse_args())
