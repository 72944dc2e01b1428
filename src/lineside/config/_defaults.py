"""What holds when no file and no variable says otherwise."""

from typing import Any

from lineside.config._nodes import Branch, Origin, node_from

_LOG_LEVELS = {"development": "debug", "test": "warning"}


def defaults_for(environment: str) -> dict[str, Any]:
    """Return the defaults of an environment, as Rails' ``config/environments`` has them.

    Args:
        environment: Its name; an unknown one gets the careful values of production.

    Returns:
        A new nested dictionary.
    """
    return {
        "app": {"debug": environment == "development", "allowed_hosts": []},
        "log": {"level": _LOG_LEVELS.get(environment, "info")},
    }


def defaults_layer(environment: str) -> Branch:
    """Return the defaults as the lowest layer."""
    origin = Origin("default", f"the defaults for {environment}")
    node = node_from(defaults_for(environment), origin=origin)
    return node if isinstance(node, Branch) else Branch({}, origin)
