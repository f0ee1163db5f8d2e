"""Finds the sources in what Gemini tells of its grounding. Knows the reply's text, for places in it, and nothing else of the reply.

https://ai.google.dev/api/generate-content#GroundingMetadata (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

from parley.contract.response import Citation
from parley.wire.json_values import count_of, first_text, list_of, object_of, text_of

_CHUNK_KINDS = ("web", "retrievedContext", "maps", "image")


class CitationReader:
    """Collects while the reply comes; the citations are made at its end, when the text that their places count in is whole."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._candidates: list[dict[str, Any]] = []

    def add_text(self, text: str) -> None:
        """More of the reply's text."""
        self._text.append(text)

    def read(self, candidate: dict[str, Any]) -> None:
        """Remember what a candidate says of its sources, if anything."""
        if "groundingMetadata" in candidate or "citationMetadata" in candidate or "urlContextMetadata" in candidate:
            names = ("groundingMetadata", "citationMetadata", "urlContextMetadata")
            self._candidates.append({name: object_of(candidate.get(name)) for name in names})

    def citations(self) -> list[Citation]:
        """Every source once per place that rests on it; one that no place names stands alone."""
        if not self._candidates:
            return []
        text = "".join(self._text)
        found: dict[Citation, None] = {}
        alone: dict[Citation, None] = {}
        for candidate in self._candidates:
            self._read_grounding(candidate["groundingMetadata"], _Places(text), found=found, alone=alone)
            self._read_citations(candidate["citationMetadata"], _Places(text), found=found)
            for url in map(object_of, list_of(candidate["urlContextMetadata"].get("urlMetadata"))):
                if text_of(url.get("retrievedUrl")) and text_of(url.get("urlRetrievalStatus")) in {"", "URL_RETRIEVAL_STATUS_SUCCESS"}:
                    alone[Citation(url=url["retrievedUrl"])] = None
        for citation in alone:
            if not any(other.url == citation.url for other in found):
                found[citation] = None
        return list(found)

    def _read_grounding(
        self, grounding: dict[str, Any], places: _Places, *, found: dict[Citation, None], alone: dict[Citation, None]
    ) -> None:
        sources = [_source(object_of(chunk)) for chunk in list_of(grounding.get("groundingChunks"))]
        for support in map(object_of, list_of(grounding.get("groundingSupports"))):
            segment = object_of(support.get("segment"))
            text = text_of(segment.get("text"))
            start, end = places.of(segment, text)
            for index in list_of(support.get("groundingChunkIndices")):
                source = sources[index] if isinstance(index, int) and 0 <= index < len(sources) else None
                if source is not None:
                    found[Citation(url=source.url, title=source.title, text=text or None, start_index=start, end_index=end)] = None
        alone.update((source, None) for source in sources if source is not None)

    def _read_citations(self, metadata: dict[str, Any], places: _Places, *, found: dict[Citation, None]) -> None:
        """Vertex calls the list `citations`, the Gemini API `citationSources`; some of the entries are empty."""
        for entry in map(object_of, list_of(metadata.get("citations")) + list_of(metadata.get("citationSources"))):
            url, title = text_of(entry.get("uri")) or None, text_of(entry.get("title")) or None
            if url or title:
                start, end = places.of(entry, "")
                found[Citation(url=url, title=title, start_index=start, end_index=end)] = None


class _Places:
    """The vendor counts bytes of UTF-8, we count characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = text.encode("utf-8", "surrogatepass")

    def of(self, segment: dict[str, Any], quoted: str) -> tuple[int | None, int | None]:
        """Start and end of the segment in the text. Where the vendor's numbers do not lead to the words it quotes (they count from the
        beginning of a part), the words are looked for.
        """
        start, end = count_of(segment.get("startIndex")) or 0, count_of(segment.get("endIndex"))
        if end is None or end > len(self._bytes) or start > end:
            return self._find(quoted)
        words = self._bytes[start:end].decode("utf-8", "ignore")
        if quoted and words != quoted:
            return self._find(quoted)
        first = len(self._bytes[:start].decode("utf-8", "ignore"))
        return first, first + len(words)

    def _find(self, quoted: str) -> tuple[int | None, int | None]:
        first = self._text.find(quoted) if quoted else -1
        return (None, None) if first < 0 else (first, first + len(quoted))


def _source(chunk: dict[str, Any]) -> Citation | None:
    for kind in _CHUNK_KINDS:
        if kind in chunk:
            source = object_of(chunk[kind])
            url = first_text(source.get("uri"), source.get("sourceUri"))
            title = text_of(source.get("title"))
            return Citation(url=url or None, title=title or None) if url or title else None
    return None
