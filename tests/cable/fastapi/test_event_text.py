"""What an event stream is made of: ids that come back as they went, and lines that cannot be broken."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineside.bus import Position
from lineside.cable._sse._codec import EventStreamCodec
from lineside.cable._sse._event_ids import read_event_id, write_event_id
from lineside.cable.codecs import (
    Confirmation,
    Disconnection,
    Failure,
    HistoryRejection,
    Malformed,
    PingEvent,
    PresenceChange,
    Rejection,
    Reply,
    StreamMessage,
    Transmission,
    Unsubscription,
    Welcome,
)
from lineside.strict_json import dumps, loads

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
positions = st.builds(
    Position,
    st.text("0123456789abcdef-", min_size=1, max_size=16),
    st.integers(min_value=0, max_value=10**15),
)
known = settings(max_examples=500, deadline=None, derandomize=True)


@known
@given(st.dictionaries(names, positions, min_size=1, max_size=8))
def test_an_id_comes_back_as_it_went(given_positions: dict[str, Position]) -> None:
    text = write_event_id(given_positions)
    assert text is not None
    assert text.isascii()
    assert text.isprintable()
    assert read_event_id(text) == given_positions


def test_the_id_of_one_stream_is_anycables() -> None:
    assert write_event_id({"chat/1": Position("x1y2", 14)}) == "14/chat/1/x1y2"


def test_an_id_that_would_be_too_long_is_none() -> None:
    many = {f"{number}-{'x' * 250}": Position("e", 1) for number in range(60)}
    assert write_event_id(many) is None
    assert write_event_id({}) is None


@known
@given(st.text(max_size=200))
def test_any_text_is_an_id_or_a_value_error(text: str) -> None:
    try:
        read_event_id(text)
    except ValueError:
        return


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
events: st.SearchStrategy[Any] = st.one_of(
    st.builds(Welcome, texts),
    st.builds(PingEvent, st.integers(0, 10**10)),
    st.builds(Confirmation, texts),
    st.builds(Rejection, texts, texts),
    st.builds(Unsubscription, texts),
    st.builds(Transmission, texts, texts),
    st.builds(StreamMessage, texts, texts.map(dumps), names, positions, texts),
    st.builds(HistoryRejection, texts, texts),
    st.builds(PresenceChange, texts, texts, texts, texts),
    st.builds(Reply, texts, texts),
    st.builds(Failure, st.integers(1000, 4002), texts),
    st.builds(Disconnection, texts, st.booleans()),
)


@known
@given(events, st.booleans(), st.booleans())
@pytest.mark.filterwarnings("error")
def test_every_event_is_one_block_whose_data_is_json(event: Any, gor: bool, raw: bool) -> None:
    block = EventStreamCodec(gor=gor, raw=raw).encode(event)
    if block is None:
        return
    assert block.endswith("\n\n")
    lines = block[:-2].replace("\r", "\n").split("\n")
    assert all(line.partition(":")[0] in ("", "id", "event", "data", "retry") for line in lines)
    fields = [line.partition(":")[0] for line in lines]
    assert len(set(fields)) == len(fields)
    for line in lines:
        if line.startswith("data: "):
            loads(line.removeprefix("data: "))


def test_nothing_comes_from_a_client_that_only_listens() -> None:
    assert isinstance(EventStreamCodec().decode("{}"), Malformed)
