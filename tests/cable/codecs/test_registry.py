"""Which codec a client gets."""

import pytest

from lineside.cable import CableConfigurationError
from lineside.cable.codecs import (
    ActionCableExtJSON,
    ActionCableJSON,
    CodecRegistry,
    GoHubJSON,
    GorJSON,
    standard_codecs,
)

NAMES = (
    "gohub",
    "gohub-v1-json",
    "actioncable-v1-json",
    "actioncable-v1-ext-json",
    "gor-v1-json",
    "actioncable-v1-msgpack",
    "actioncable-v1-ext-msgpack",
    "gohub-v1-msgpack",
)


def test_all_protocols_are_spoken_by_default() -> None:
    """GoHub's comes first: it is for clients that ask for nothing."""
    registry = CodecRegistry()
    assert registry.names == NAMES
    assert registry.default is registry.by_name("gohub")


@pytest.mark.parametrize(
    ("offered", "name"),
    [
        ([], "gohub"),
        (["actioncable-v1-json", "actioncable-unsupported"], "actioncable-v1-json"),
        (["actioncable-v1-ext-json"], "actioncable-v1-ext-json"),
        (["actioncable-v1-json", "actioncable-v1-ext-json"], "actioncable-v1-json"),
        (["anycable-token.abc", "actioncable-v1-ext-json"], "actioncable-v1-ext-json"),
        (["gohub-v1-json"], "gohub-v1-json"),
        (["gor-v1-json"], "gor-v1-json"),
        (["actioncable-v1-msgpack"], "actioncable-v1-msgpack"),
    ],
)
def test_the_first_offer_that_is_known_wins(offered: list[str], name: str) -> None:
    """What `@rails/actioncable` and `@anycable/core` offer, and what others may."""
    chosen = CodecRegistry().choose(offered)
    assert chosen is not None
    assert chosen.name == name
    assert chosen.subprotocol in (None, *offered)


@pytest.mark.parametrize("offered", [["actioncable-unsupported"], ["gohub"], ["ACTIONCABLE-V1-JSON"], [""]])
def test_without_a_common_protocol_there_is_no_codec(offered: list[str]) -> None:
    """A name in another case is another name (RFC 6455 section 11.5), and a codec's own name is none."""
    assert CodecRegistry().choose(offered) is None


def test_the_default_is_a_setting() -> None:
    """By name, or else the first one."""
    assert CodecRegistry([ActionCableJSON(), GorJSON()]).default.name == "actioncable-v1-json"
    assert CodecRegistry(standard_codecs(), default="gor-v1-json").default.name == "gor-v1-json"


def test_only_what_is_registered_is_spoken() -> None:
    """An endpoint for Rails' clients alone."""
    registry = CodecRegistry([ActionCableJSON(), ActionCableExtJSON()])
    assert registry.choose(["gor-v1-json"]) is None


def test_an_unknown_name_is_a_mistake_that_lists_the_known_ones() -> None:
    """As a default, and when it is asked for."""
    with pytest.raises(CableConfigurationError, match=r"'gopher'.*actioncable-v1-json, gor-v1-json"):
        CodecRegistry([GorJSON(), ActionCableJSON()], default="gopher")
    with pytest.raises(CableConfigurationError, match=r"'gopher'.*actioncable-v1-ext-json.*gohub"):
        CodecRegistry().by_name("gopher")


def test_two_codecs_of_one_name_or_subprotocol_are_a_mistake() -> None:
    """Which of them a client gets would depend on their order."""
    with pytest.raises(CableConfigurationError, match="two codecs are called 'gor-v1-json'"):
        CodecRegistry([GorJSON(), GorJSON()])
    renamed = GoHubJSON("gor-v1-json")
    renamed.name = "mine"
    with pytest.raises(CableConfigurationError, match="two codecs speak 'gor-v1-json'"):
        CodecRegistry([GorJSON(), renamed])


def test_a_registry_needs_a_codec() -> None:
    """An empty list is not the default."""
    with pytest.raises(CableConfigurationError, match="needs a codec"):
        CodecRegistry([])


def test_the_bounds_of_the_standard_codecs_can_be_set() -> None:
    """All of them take the limits of the cable."""
    for codec in standard_codecs(max_bytes=1):
        frame = b"\x81\xa1a\x01" if codec.binary else '{"command":"ping"}'
        assert getattr(codec.decode(frame), "code", None) == 4002
