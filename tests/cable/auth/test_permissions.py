"""The eight permissions where they belong, and the rights of guests (HUB-AUTH-06, -07, WEAK-HUB-08)."""

import pytest

from lineside.cable import (
    PERMISSIONS,
    AnonymousRights,
    CableConfigurationError,
    ErrorCode,
    Identity,
    RequestFailed,
)
from lineside.cable._auth._permissions import (
    REQUIRED_PERMISSIONS,
    has_any_permission,
    known_permissions,
    require_permission,
    require_request,
)
from lineside.cable._protocol._identity import GUEST

NEEDED = [
    ("join_room", "join:room", "join rooms"),
    ("leave_room", "leave:room", "leave rooms"),
    ("room_message", "send:message", "send messages"),
    ("direct_message", "send:message", "send messages"),
    ("create_room", "create:room", "create rooms"),
    ("delete_room", "delete:room", "delete rooms"),
    ("update_room", "admin:room", "administer rooms"),
    ("remove_member", "admin:room", "administer rooms"),
    ("list_rooms", "read:message", "read messages"),
    ("room_members", "read:message", "read messages"),
    ("room_history", "read:message", "read messages"),
]


@pytest.mark.parametrize(("request_type", "permission", "doing"), NEEDED)
def test_each_request_needs_its_permission(request_type: str, permission: str, doing: str) -> None:
    """With all the others it is refused, in GoHub's words."""
    require_request(Identity(permissions=frozenset({permission})), request_type)
    others = Identity(permissions=PERMISSIONS - {permission, "admin:system"})
    for identity in (others, GUEST, Identity(id="ann")):
        with pytest.raises(RequestFailed) as caught:
            require_request(identity, request_type)
        assert caught.value.code == ErrorCode.FORBIDDEN == 2001
        assert caught.value.message == f"You don't have permission to {doing}"


def test_the_table_is_the_whole_table() -> None:
    """A request that is added is added here too."""
    assert {request: permission for request, permission, _ in NEEDED} == REQUIRED_PERMISSIONS


@pytest.mark.parametrize("request_type", [request for request, _, _ in NEEDED])
def test_admin_system_is_every_permission(request_type: str) -> None:
    """HUB-AUTH-06."""
    require_request(Identity(permissions=frozenset({"admin:system"})), request_type)


def test_admin_room_is_not_every_permission() -> None:
    """Only the system's administrator has all of them."""
    with pytest.raises(RequestFailed):
        require_request(Identity(permissions=frozenset({"admin:room"})), "join_room")


def test_a_ping_needs_none() -> None:
    """Nor does a type that an app has registered: its handler asks for what it needs."""
    require_request(GUEST, "ping")
    require_request(GUEST, "my_type")


@pytest.mark.parametrize("permission", sorted(PERMISSIONS))
def test_every_permission_can_be_required(permission: str) -> None:
    """And has words for its refusal."""
    require_permission(Identity(permissions=frozenset({permission})), permission)
    with pytest.raises(RequestFailed, match="You don't have permission to"):
        require_permission(GUEST, permission)


def test_a_misspelled_permission_is_a_mistake() -> None:
    """Even for who has all of them: the test of the app finds it."""
    with pytest.raises(ValueError, match="join:room"):
        require_permission(Identity(permissions=frozenset({"admin:system"})), "join_room")


def test_one_of_several_is_enough() -> None:
    """HUB-AUTH-07."""
    ann = Identity(permissions=frozenset({"join:room"}))
    assert has_any_permission(ann, "create:room", "join:room")
    assert not has_any_permission(ann, "create:room")
    assert not has_any_permission(ann)


def test_unknown_permissions_are_left_out() -> None:
    """An issuer has others of its own."""
    assert known_permissions(["join:room", "fly", "JOIN:ROOM"]) == {"join:room"}


def test_guests_may_do_what_is_stated() -> None:
    """WEAK-HUB-08: without authentication somebody can join and send, if the app says so."""
    guest = AnonymousRights(["join:room", "send:message"]).guest()
    assert guest.anonymous
    assert guest.id is None
    require_request(guest, "join_room")
    with pytest.raises(RequestFailed):
        require_request(guest, "create_room")
    assert AnonymousRights([]).guest().permissions == frozenset()


def test_guests_are_no_administrators() -> None:
    """Nor do they hold what does not exist."""
    with pytest.raises(CableConfigurationError, match="admin:system"):
        AnonymousRights(["admin:system"])
    with pytest.raises(CableConfigurationError, match="unknown permissions"):
        AnonymousRights(["send:massage"])
    assert AnonymousRights("join:room").guest().permissions == {"join:room"}
    assert (
        repr(AnonymousRights(["send:message", "join:room"]))
        == "AnonymousRights(['join:room', 'send:message'])"
    )
