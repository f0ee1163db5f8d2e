"""Images and audio in replies of OpenAI's chat wire. Knows no stream and fetches no URL.

https://platform.openai.com/docs/guides/audio, https://openrouter.ai/docs/features/multimodal/image-generation.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from parley.contract.errors import ProtocolError
from parley.contract.messages import FilePart, ImagePart, ProviderData
from parley.contract.request import ChatRequest
from parley.wire.json_values import count_of, object_of, text_of

MAX_AUDIO_BYTES = 64 * 1024 * 1024
_NOT_BASE64 = "the provider sent audio that is not valid base64"
_AUDIO_TYPES = {"mp3": "audio/mpeg", "pcm16": "audio/pcm"}


def image_part(image: dict[str, Any]) -> ImagePart | None:
    """`{"image_url": {"url": …}}` or `{"image_url": "…"}`, a data URL taken apart."""
    holder = image.get("image_url")
    url = holder if isinstance(holder, str) else text_of(object_of(holder).get("url"))
    if not url:
        return None
    if not url.startswith("data:"):
        return ImagePart(url=url)
    media_type, _, data = url.removeprefix("data:").partition(",")
    return ImagePart(media_type=media_type.partition(";")[0] or "image/png", data=data)


class AudioAssembler:
    """Collects the spoken answer. In a stream its base64 comes in pieces, each padded by itself, or cut anywhere (Qwen)."""

    __slots__ = ("_bytes", "_fields", "_format", "_rest", "_transcript")

    def __init__(self, request: ChatRequest) -> None:
        self._format = text_of(object_of(request.options.extra.get("audio")).get("format")) or "wav"
        self._bytes = bytearray()
        self._rest = ""
        self._transcript: list[str] = []
        self._fields: dict[str, Any] = {}

    def add(self, audio: dict[str, Any]) -> None:
        """Take one more piece. Raises ProtocolError for data that is no base64, or too much of it."""
        data = self._rest + text_of(audio.get("data"))
        whole = len(data) - len(data) % 4
        self._rest = data[whole:]
        try:
            self._bytes += base64.b64decode(data[:whole], validate=True)
        except (binascii.Error, ValueError) as error:
            raise ProtocolError(_NOT_BASE64) from error
        if len(self._bytes) > MAX_AUDIO_BYTES:
            raise ProtocolError(f"the provider sent more than {MAX_AUDIO_BYTES} bytes of audio")
        self._transcript.append(text_of(audio.get("transcript")))
        if text_of(audio.get("id")):
            self._fields["id"] = audio["id"]
        if count_of(audio.get("expires_at")):
            self._fields["expires_at"] = audio["expires_at"]

    def part(self, own: Callable[[Any], ProviderData]) -> FilePart | None:
        """The audio as a file, None where there was none. Its transcript and the vendor's id of it are in its provider data.

        Raises ProtocolError where its last bytes are missing.
        """
        if self._rest:
            raise ProtocolError(_NOT_BASE64)
        if not self._bytes and "id" not in self._fields:
            return None
        audio = {**self._fields, "transcript": "".join(self._transcript)}
        return FilePart(
            media_type=_AUDIO_TYPES.get(self._format, f"audio/{self._format}"),
            name=f"answer.{self._format}",
            data=base64.b64encode(self._bytes).decode(),
            provider_data=own({"audio": audio}),
        )
