"""Thought of one vendor, on its way through another vendor's client and back: sealed into the text that such clients return unchanged.

A client of Anthropic's brings back a thought's `signature`, one of OpenAI's its `encrypted_content`, and neither looks inside. Knows no
wire; what is sealed is no secret of ours, and what comes back is as trustworthy as anything that a client sends.
"""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from parley.contract.messages import ProviderData, ReasoningPart

_MARK = "parley1."


class _State(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    signature: str | None = None
    redacted: str | None = None
    provider_data: ProviderData | None = None


_decoder = msgspec.json.Decoder(_State)


def seal(part: ReasoningPart) -> str:
    """What must come back with this thought, as one text; empty where nothing must."""
    state = _State(part.signature, part.redacted, part.provider_data)
    return "" if state == _State() else _MARK + base64.urlsafe_b64encode(msgspec.json.encode(state)).decode()


def unseal(sealed: str, *, text: str) -> ReasoningPart | None:
    """The thought whose state was sealed, with the text that came beside it; None for what was not sealed here.

    Raises ValueError for what was, and was changed on its way.
    """
    if not sealed.startswith(_MARK):
        return None
    try:
        state = _decoder.decode(base64.urlsafe_b64decode(sealed.removeprefix(_MARK)))
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError("the sealed thought is not as it was given") from error
    return ReasoningPart(text=text, signature=state.signature, redacted=state.redacted, provider_data=state.provider_data)
