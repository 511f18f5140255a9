from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from google.protobuf import descriptor_pb2

from edge_sdk.bundle.wire import Message
from edge_sdk.errors import BundleError


def read(data: bytes) -> Message:
    return Message(memoryview(data), "a.litertlm (section LlmMetadataProto)")


def test_numbers_texts_and_messages_are_what_protobuf_wrote() -> None:
    proto = descriptor_pb2.FileDescriptorProto(name="smear é", public_dependency=[0, 300, 2**31 - 1, -5])
    proto.message_type.add(name="first").field.add(name="a", number=536_870_911)
    proto.message_type.add(name="second")
    message = read(proto.SerializeToString())
    assert message.text(1) == "smear é"
    assert message.integers(10) == (0, 300, 2**31 - 1, -5)
    assert [item.text(1) for item in message.messages(4)] == ["first", "second"]
    field = next(message.messages(4)).message(2)
    assert field is not None
    assert field.integer(3) == 536_870_911
    assert not message.has(99)
    assert message.text(99, "default") == "default"
    assert message.message(99) is None


def test_packed_numbers_are_the_same_as_numbers_one_by_one() -> None:
    # SourceCodeInfo.Location.path is packed; the same field can be written one by one.
    packed = descriptor_pb2.SourceCodeInfo.Location(path=[1, 128, -1]).SerializeToString()
    single = b"\x08\x01\x08\x80\x01\x08" + b"\xff" * 9 + b"\x01"
    assert read(packed).integers(1) == read(single).integers(1) == (1, 128, -1)


def test_a_float_comes_back() -> None:
    assert read(b"\x1d\x33\x33\x73\x3f").real(3) == pytest.approx(0.95)


def test_the_last_of_several_counts() -> None:
    assert read(b"\x08\x01\x08\x02").integer(1) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x08", "does not end"),
        (b"\x08" + b"\xff" * 11, "does not end"),
        (b"\x0a\x05abc", "claims 5 bytes; 3 are left"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "claims"),
        (b"\x00\x01", "number 0"),
        (b"\x0b", "unknown kind 3"),
        (b"\x0d\x00\x00", "claims 4 bytes"),
    ],
)
def test_bytes_that_are_no_message_are_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(BundleError, match=r"a\.litertlm \(section LlmMetadataProto\) is damaged") as error:
        read(data)
    assert why in str(error.value.why)


def test_a_field_of_another_type_than_expected_is_refused() -> None:
    number, text = read(b"\x08\x01"), read(b"\x0a\x02\xff\xfe")
    for wrong in (
        lambda: number.text(1),
        lambda: number.message(1),
        lambda: list(number.messages(1)),
        lambda: text.integer(1),
        lambda: text.text(1),
    ):
        with pytest.raises(BundleError, match=r"a\.litertlm"):
            wrong()


def test_random_bytes_give_an_error_of_ours_or_a_message(refusal: Callable[[Callable[[], object]], str]) -> None:
    choose = random.Random(3)
    pieces = [choose.randbytes(choose.randrange(1, 40)) for _ in range(3000)]
    errors = [error for data in pieces if (error := refusal(lambda data=data: read(data)))]
    assert 1000 < len(errors) < 3000
    assert all("a.litertlm" in error for error in errors)
