"""What is taken from outside as a message, and what is not."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineside.bus import BackendOptions, Message, Position
from lineside.bus._envelope import Envelope, EnvelopeError

SECRET = "an example secret of 32 bytes or more"
OTHER = "another example secret of 32 bytes or more"
MESSAGE = Message(
    "room:1 ü", bytes(range(256)), "id-1", "node-1", published_at=1234.5, headers={"t": "text", "ü": "\n"}
)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


@given(
    stream=texts,
    data=st.binary(max_size=300),
    id_=texts,
    node=texts,
    at=st.floats(allow_nan=False, allow_infinity=False),
    headers=st.dictionaries(texts, texts, max_size=4),
    signed=st.booleans(),
)
def test_a_message_comes_out_as_it_went_in(
    stream: str, data: bytes, id_: str, node: str, at: float, headers: dict[str, str], signed: bool
) -> None:
    """Any names, any bytes; signed or not."""
    envelope = Envelope(BackendOptions(secrets=[SECRET] if signed else []))
    message = Message(stream, data, id_, node, None, at, headers)
    assert envelope.decode(envelope.encode(message)) == message


def test_a_position_stands_beside_the_envelope() -> None:
    """The store gives it when the message is written already."""
    envelope = Envelope(BackendOptions())
    assert envelope.decode(envelope.encode(MESSAGE), Position("e", 7)).position == Position("e", 7)


@pytest.mark.parametrize("signed", [False, True])
def test_every_cut_and_every_flipped_bit_is_skipped_or_harmless(signed: bool) -> None:
    """Nothing raises anything else; of a signed message nothing at all is taken."""
    envelope = Envelope(BackendOptions(secrets=[SECRET] if signed else []))
    raw = envelope.encode(MESSAGE)
    broken = [raw[:size] for size in range(len(raw))]
    broken += [
        raw[:i] + bytes([raw[i] ^ (1 << bit)]) + raw[i + 1 :] for i in range(len(raw)) for bit in (0, 3, 7)
    ]
    taken = [candidate for candidate in broken if envelope.read(candidate) is not None]
    if signed:
        # The flags have bits that mean nothing yet; whoever sets them changes nothing else.
        assert {candidate[:3] + candidate[4:] for candidate in taken} <= {raw[:3] + raw[4:]}
    assert all(len(candidate) <= len(raw) for candidate in taken)


@given(st.binary(max_size=200))
def test_garbage_is_skipped(raw: bytes) -> None:
    """Whatever it is, it raises nothing."""
    envelope = Envelope(BackendOptions())
    for candidate in (raw, b"LB" + raw, b"LB\x01\x00" + raw, b"LB\x01\x01" + raw):
        message = envelope.read(candidate)
        assert message is None or isinstance(message, Message)


def test_each_reason_is_counted_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Garbage, another version, another app, no signature, a wrong one, too large."""
    options = BackendOptions(secrets=[SECRET], max_message_bytes=1_000)
    envelope = Envelope(options)
    raw = Envelope(BackendOptions(secrets=[SECRET])).encode(MESSAGE)
    foreign = Envelope(BackendOptions(namespace="other"))
    bad = {
        "garbage": b"{}",
        "version": raw[:2] + b"\x02" + raw[3:],
        "unsigned": Envelope(BackendOptions()).encode(MESSAGE),
        "forged": Envelope(BackendOptions(secrets=[OTHER])).encode(MESSAGE),
        "oversize": b"LB\x01\x01" + b"x" * 2_000_000,
    }
    with caplog.at_level(logging.WARNING, "lineside.bus"):
        for _ in range(5):
            for candidate in bad.values():
                assert envelope.read(candidate) is None
    assert dict(options.stats.counts) == {f"skipped_{reason}": 5 for reason in bad}
    assert len(caplog.records) == len(bad)
    with pytest.raises(EnvelopeError) as raised:
        Envelope(BackendOptions()).decode(foreign.encode(MESSAGE))
    assert raised.value.reason == "namespace"


def test_a_signed_message_is_good_for_its_namespace_and_stream_only() -> None:
    """It cannot be carried over to another one."""
    envelope = Envelope(BackendOptions(secrets=[SECRET]))
    raw = Envelope(BackendOptions(secrets=[SECRET], namespace="staging")).encode(MESSAGE)
    with pytest.raises(EnvelopeError, match="forged"):
        envelope.decode(raw)
    assert envelope.read(envelope.encode(MESSAGE), stream="another") is None
    assert envelope.read(envelope.encode(MESSAGE), stream=MESSAGE.stream) is not None


def test_a_secret_can_be_rotated() -> None:
    """The new one signs, both are taken; a node without any reads signed messages too."""
    old, both = Envelope(BackendOptions(secrets=[SECRET])), Envelope(BackendOptions(secrets=[OTHER, SECRET]))
    assert both.decode(old.encode(MESSAGE)) == MESSAGE
    with pytest.raises(EnvelopeError, match="forged"):
        old.decode(both.encode(MESSAGE))
    assert Envelope(BackendOptions()).decode(both.encode(MESSAGE)) == MESSAGE


def test_an_envelope_is_small() -> None:
    """Names and 19 bytes; 32 more for a signature."""
    names = len("lineside") + sum(len(part.encode()) for part in (MESSAGE.stream, MESSAGE.id, MESSAGE.node))
    plain = Message(MESSAGE.stream, b"", MESSAGE.id, MESSAGE.node, published_at=time.time())
    assert len(Envelope(BackendOptions()).encode(plain)) == names + 19
    assert len(Envelope(BackendOptions(secrets=[SECRET])).encode(plain)) == names + 51
