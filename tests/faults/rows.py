"""Every fault by its name: what happens, on what, and where its code is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.faults import clients_rows, link_rows, node_rows, store_rows
from tests.faults.world import World

__all__ = ["ROWS", "Row"]

_STORES = ("redis", "nats")
_ALL = ("memory", *_STORES)


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault.

    Attributes:
        title: What happens.
        run: Lets it happen.
        on: The stores that it happens with; ``"memory"`` for none.
        nodes: How many nodes there are.
        clients: How many clients there are in the long form.
    """

    title: str
    run: Callable[[World], Awaitable[None]]
    on: tuple[str, ...] = _STORES
    nodes: int = 3
    clients: int = 100


ROWS: Mapping[str, Row] = {
    "F1": Row("the store is killed and comes back", store_rows.killed),
    "F2": Row("the store is paused", store_rows.paused),
    "F3": Row("the store comes back empty", store_rows.emptied),
    "F5": Row("a black hole between node and store", link_rows.black_hole),
    "F6": Row("a link to the store that carries one way only", link_rows.one_way),
    "F8": Row("a slow and narrow link to the store", link_rows.slow),
    "F9": Row("connections reset in the middle of messages", link_rows.reset, _ALL),
    "F10": Row("a node is killed", node_rows.killed, _ALL, clients=1_000),
    "F11": Row("a node is paused and comes back late", node_rows.zombie),
    "F12": Row("a node is drained", node_rows.drained, _ALL, clients=2_000),
    "F13": Row("every node is replaced, one after the other", node_rows.rolling),
    "F14": Row("clients are cut off", clients_rows.cut, _ALL),
    "F15": Row("clients do not read", clients_rows.slow, _ALL),
    "F27": Row("hostile frames while the store is killed", clients_rows.hostile),
    "F29": Row("several processes with a bus in memory", node_rows.several_in_memory, ("memory",)),
    "F30": Row("nodes that cannot reach each other, and their clients can", link_rows.partition),
}
