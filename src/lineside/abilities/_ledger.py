"""Which actions of an app never asked an ability anything: the checks that were forgotten."""

from collections.abc import Iterable
from typing import Final

_MAX_ACTIONS: Final = 10_000


class AuthorizationLedger:
    """A development report over many requests, as Pundit's ``verify_authorized`` is over one.

    An action counts as authorizing once it has asked anything in any request. Names come from
    code, so that there are few; the bound is for an app that makes them from input.

    Args:
        max_actions: Names kept at most; further ones are only counted.

    Attributes:
        left_out: How many recordings of further names were left out.
    """

    def __init__(self, *, max_actions: int = _MAX_ACTIONS) -> None:
        self._asked: dict[str, bool] = {}
        self._requested: set[str] = set()
        self._max_actions = max_actions
        self.left_out: int = 0

    def record(self, action_name: str, *, asked: bool) -> None:
        """Record one run of an action.

        Args:
            action_name: For instance ``"PostsController.show"``.
            asked: Whether its ability was asked anything: ``Ability.asked``.
        """
        if self._note(action_name, asked=asked):
            self._requested.add(action_name)

    def expect(self, action_name: str) -> None:
        """Count an action among the forgotten until it has asked, whether or not it ever runs.

        Args:
            action_name: As for ``record``.
        """
        self._note(action_name, asked=False)

    def expecting(self, action_names: Iterable[str]) -> "AuthorizationLedger":
        """Return a copy that also expects these actions; this ledger stays as it is.

        Args:
            action_names: As for ``record``.
        """
        copied = AuthorizationLedger(max_actions=self._max_actions)
        copied._asked = dict(self._asked)
        copied._requested = set(self._requested)
        copied.left_out = self.left_out
        for name in action_names:
            copied.expect(name)
        return copied

    def _note(self, action_name: str, *, asked: bool) -> bool:
        if action_name not in self._asked and len(self._asked) >= self._max_actions:
            self.left_out += 1
            return False
        self._asked[action_name] = asked or self._asked.get(action_name, False)
        return True

    def unauthorized(self) -> list[str]:
        """Return the sorted names of actions that ran, or were expected, and never asked anything."""
        return sorted(name for name, asked in self._asked.items() if not asked)

    def report(self) -> str:
        """Return the report as text for a terminal or a log."""
        forgotten = self.unauthorized()
        if not forgotten:
            lines = [f"all {len(self._asked)} actions asked an ability"]
        else:
            lines = [
                f"{len(forgotten)} of {len(self._asked)} actions never asked an ability:",
                *(f"  {name}{self._mark(name)}" for name in forgotten),
            ]
        if self.left_out:
            lines.append(f"{self.left_out} runs of further actions were left out; raise max_actions")
        return "\n".join(lines)

    def _mark(self, name: str) -> str:
        return "" if name in self._requested else " (never requested)"
