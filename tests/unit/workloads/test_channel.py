"""Messages arrive as they were sent, however the stream is cut."""

import itertools
import typing

from hypothesis import given
from hypothesis import strategies as st

from workloads import protocol
from workloads.channel import Channel, decode, encode

KINDS = typing.get_args(protocol.Message)
messages = st.sampled_from(KINDS).flatmap(st.from_type)
finite = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, finite)


def test_every_kind_of_message_is_known():
    assert len(KINDS) == 20
    assert len({kind.__name__ for kind in KINDS}) == 20


@given(messages)
def test_a_message_comes_back_as_it_was(message):
    assert decode(encode(message).rstrip(b"\n")) == message


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 2000), max_size=6))
def test_a_stream_may_be_cut_anywhere(sent, cuts):
    received: list[protocol.Message] = []
    channel = Channel(received.append, lambda _: None)
    stream = b"".join(map(encode, sent))
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    for first, last in itertools.pairwise(edges):
        channel.data_received(stream[first:last])
    assert received == sent
