"""``actioncable-v1-ext-json``: AnyCable's extension of Action Cable, what ``@anycable/core`` speaks.

Beside `actioncable-v1-json <lineside.cable.codecs.actioncable>` it has sessions that are restored, history
by position or time, presence, and a ping in each direction:

    from lineside.cable.codecs import ActionCableExtJSON

    asked = ActionCableExtJSON().decode('{"command": "history", "identifier": "x", "history": {"since": 9}}')
    assert asked.history.since == 9
"""

from lineside.cable.codecs import _actioncable_commands as commands
from lineside.cable.codecs import _actioncable_frames as frames
from lineside.cable.codecs.actioncable import ActionCableJSON

__all__ = ["ActionCableExtJSON"]


class ActionCableExtJSON(ActionCableJSON):
    """AnyCable's extended protocol (`lineside.cable.Codec`).

    Args:
        max_bytes: The longest frame that is read.
        max_depth: How deep its JSON may nest, and that of a message's ``data``.
    """

    name: str = "actioncable-v1-ext-json"
    subprotocol: str | None = "actioncable-v1-ext-json"
    restores: bool = True

    _commands = commands.EXTENDED
    _frames = frames.EXTENDED
