"""The packaged tokenizer, where it is installed (extra `tokens`): loaded when first needed, never at import. Knows no model.

Its tables take half a second to build, once for each encoding: whoever has time calls `load` beforehand. It needs no network.
"""

from __future__ import annotations

from threading import Lock

from parley.guard.token_families import Encoding
from parley.guard.token_text import estimated_tokens, measured
from parley.telemetry import get_logger

_logger = get_logger(__name__)
_lock = Lock()


class _Loaded:
    """Which encodings are ready, and whether there are any to be had."""

    def __init__(self) -> None:
        self.missing = False
        self.ready: set[str] = set()


_loaded = _Loaded()


def load(encoding: Encoding) -> bool:
    """Make an encoding ready; whether it is. Takes up to half a second the first time, in which nothing else runs in this process."""
    if is_settled(encoding):
        return not _loaded.missing
    with _lock:
        try:
            import toktok
        except ImportError as error:
            # Not installed, or its binary does not fit this machine: the estimate stays.
            _loaded.missing = True
            _logger.debug("no tokenizer: tokens are estimated", reason=str(error))
            return False
        toktok.batch_count(["ready"], encoding, threads=1)
        _loaded.ready.add(encoding)
    return True


def is_settled(encoding: Encoding) -> bool:
    """Whether `load` has nothing left to do: the encoding is ready, or there is none to be had."""
    return encoding in _loaded.ready or _loaded.missing


def count(text: str, encoding: Encoding) -> int:
    """Tokens of a text: exact where the encoding is ready (up to 256 Ki characters, beyond that measured in pieces), else estimated."""
    if encoding not in _loaded.ready:
        return measured(text, estimated_tokens)
    import toktok

    def counted(piece: str) -> float:
        # A lone surrogate has no UTF-8; a vendor would refuse or replace it.
        whole = piece if piece.isascii() else piece.encode("utf-8", "replace").decode()
        return toktok.batch_count([whole], encoding, threads=1)[0]

    return measured(text, counted)
