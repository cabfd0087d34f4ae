"""Pictures and sound in messages arrive byte for byte."""

import base64
import io
import json
import struct
import wave
import zlib

import pytest
from support.builds import CHECKED, SHARED, Build
from support.operations import perform
from support.real_gateways import RealGateway
from support.scripted_gateway import CHAT_ROUTE, ScriptedGateway, echo_request, one_route


def png(side: int) -> bytes:
    """Returns a square picture of `side` pixels, with all kinds of bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y * 7 + x) % 256 for x in range(3 * side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def wav(frames: int) -> bytes:
    """Returns a sound of this number of frames."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"".join(struct.pack("<h", number * 31 % 65536 - 32768) for number in range(frames)))
    return file.getvalue()


PICTURE, SOUND = png(60), wav(5000)
COMMANDS = (
    "message user=What is this?", f"media image/PNG={PICTURE.hex()}", "text And this?", "text ",
    f"media audio/x-wav={SOUND.hex()}",
)  # fmt: skip


def check(content: list[dict]) -> None:
    """Checks that the parts are those of COMMANDS."""
    first, picture, second, sound = content
    assert (first, second) == ({"type": "text", "text": "What is this?"}, {"type": "text", "text": "And this?"})
    assert picture["type"] == "image_url" and sound["type"] == "input_audio"
    before, url = picture["image_url"]["url"].split(",")
    assert (before, base64.b64decode(url, validate=True)) == ("data:image/png;base64", PICTURE)
    assert sound["input_audio"]["format"] == "wav"
    assert base64.b64decode(sound["input_audio"]["data"], validate=True) == SOUND


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_picture_and_sound_are_parts_of_the_message(build: Build) -> None:
    with ScriptedGateway(one_route(echo_request, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, *COMMANDS, "send", build=build)
    (message,) = json.loads(outcome.response.texts[0])["body"]["messages"]
    assert message["role"] == "user"
    check(message["content"])


def test_real_gateway_forwards_picture_and_sound(real_gateway: RealGateway) -> None:
    outcome = perform(real_gateway.url, *COMMANDS, "send", route="chat")
    if real_gateway.version == "2.8.1":  # MLflow 2.8.1 accepts only text
        assert outcome.status == "BAD_REQUEST", outcome
    else:
        assert outcome.status == "OK", outcome
        (request,) = real_gateway.upstream.requests()
        check(request["body"]["messages"][0]["content"])


def test_real_tracking_server_forwards_picture_and_sound(providers: RealGateway) -> None:
    providers.upstream.forget_requests()
    for command in ("send", "callback"):
        assert perform(providers.url, *COMMANDS, command, route="openai").status == "OK"
    for request in providers.upstream.requests():
        check(request["body"]["messages"][0]["content"])


def test_real_tracking_server_translates_a_picture_for_gemini(providers: RealGateway) -> None:
    providers.upstream.forget_requests()
    outcome = perform(providers.url, *COMMANDS[:2], "send", route="gemini")
    assert outcome.status == "OK", outcome
    (request,) = providers.upstream.requests()
    data = request["body"]["contents"][0]["parts"][1]["inlineData"]["data"]
    assert base64.b64decode(data, validate=True) == PICTURE
