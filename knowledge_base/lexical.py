"""Full text: BM25 (Robertson and Zaragoza, 2009) by tantivy, and the passages themselves by place.

A place numbers a passage across segments: the segment's number in the upper 32 bits, its row in the lower.
Queries are built from the words of a text, never parsed, so that no text is taken for query syntax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from knowledge_base.filters import Filter
from knowledge_base.schema import PassageText

if TYPE_CHECKING:
    import tantivy

_HEADING_WEIGHT = 1.0
_MOST_CHARACTERS = 20_000
_MOST_WORDS = 64  # different ones in a query; what an inspector asks has fewer
_LONGEST_WORD = 60
_HEAP_BYTES = 64_000_000
_NO_PRODUCT = ""  # no product is called that


def place_of(segment: int, row: int) -> int:
    """Number of a passage across segments."""
    return segment << 32 | row


def segment_and_row(place: int) -> tuple[int, int]:
    """Number of the segment, and the row there."""
    return place >> 32, place & 0xFFFF_FFFF


def is_damage(error: ValueError) -> bool:
    """Whether tantivy says so of files that are damaged or gone, and not of a full disk or missing rights."""
    return any(word in str(error).lower() for word in ("corrupt", "filedoesnotexist"))


class LexicalReader:
    """The full text as it was at one moment; `reader` of an index that goes on gives the next one."""

    def __init__(self, index: tantivy.Index, analyzer: tantivy.TextAnalyzer) -> None:
        index.reload()
        self._schema, self._analyzer = index.schema, analyzer
        self._searcher = index.searcher()

    def search(self, text: str, *, limit: int, where: Filter) -> list[tuple[int, float, PassageText]]:
        """Place, score and passage of what holds words of `text`, best first; passages may be dead ones."""
        import tantivy

        query = self._query(text)
        if query is None or limit < 1 or where.keeps_nothing:
            return []
        parts = [(tantivy.Occur.Must, query)]
        for name, values in (
            ("product", where.products),
            ("section", where.sections),
            ("library", where.libraries),
        ):
            if values is not None:
                terms = [_NO_PRODUCT if value is None else _clean(value) for value in values]
                kept = tantivy.Query.term_set_query(self._schema, name, terms)
                parts.append((tantivy.Occur.Must, tantivy.Query.const_score_query(kept, 0.0)))
        whole = tantivy.Query.boolean_query(parts) if len(parts) > 1 else query
        hits = self._searcher.search(whole, limit, count=False).hits
        return [
            (place, score, passage)
            for score, (place, passage) in zip(
                [score for score, _ in hits], self._stored([address for _, address in hits]), strict=True
            )
        ]

    def at(self, places: Sequence[int]) -> dict[int, PassageText]:
        """The passages at some places; those that are not there are left out."""
        import tantivy

        if not places:
            return {}
        query = tantivy.Query.term_set_query(self._schema, "place", list(places))
        hits = self._searcher.search(query, len(places), count=False).hits
        return dict(self._stored([address for _, address in hits]))

    def named(self, ids: Sequence[str]) -> list[tuple[int, PassageText]]:
        """Place and passage of everything that has one of these ids, dead or live."""
        import tantivy

        if not ids:
            return []
        query = tantivy.Query.term_set_query(self._schema, "id", [_clean(id_) for id_ in ids])
        hits = self._searcher.search(query, max(64, 8 * len(ids)), count=False).hits
        return list(self._stored([address for _, address in hits]))

    def holds(self, segment: str) -> bool:
        """Whether passages of a segment were put in; they are put in all at once."""
        return bool(self._searcher.doc_freq("segment", segment))

    def segments(self) -> list[str]:
        """Names of the segments of which there is anything."""
        return [name for name, _ in self._searcher.terms_with_prefix("segment", "")]

    def _query(self, text: str) -> tantivy.Query | None:
        import tantivy

        words = list(dict.fromkeys(self._analyzer.analyze(_clean(text[:_MOST_CHARACTERS]))))[:_MOST_WORDS]
        if not words:
            return None
        terms: list[tuple[tantivy.Occur, tantivy.Query]] = []
        for word in words:
            heading = tantivy.Query.term_query(self._schema, "heading", word)
            terms += [
                (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "text", word)),
                (tantivy.Occur.Should, tantivy.Query.boost_query(heading, _HEADING_WEIGHT)),
            ]
        return tantivy.Query.boolean_query(terms)

    def _stored(self, addresses: Iterable[tantivy.DocAddress]) -> Iterator[tuple[int, PassageText]]:
        for address in addresses:
            fields = self._searcher.doc(address).to_dict()
            yield int(fields["place"][0]), PassageText.model_validate_json(bytes(fields["passage"][0]))


class LexicalIndex:
    """The full text of a folder. Many can read while one writes. `ValueError` and `OSError` escape.

    Args:
        folder: where it lies; must exist if `make` is not set.
        make: start an empty one if there is none.
    """

    def __init__(self, folder: Path, *, make: bool) -> None:
        import tantivy

        if make:
            folder.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(_schema(), path=str(folder))
        else:
            self._index = tantivy.Index.open(str(folder))
        self._analyzer = _english()
        self._index.register_tokenizer("english", self._analyzer)
        self._index.config_reader("manual")

    def reader(self) -> LexicalReader:
        """What was last committed."""
        return LexicalReader(self._index, self._analyzer)

    def writer(self) -> LexicalWriter:
        """The one writer; one process at a time may have it."""
        return LexicalWriter(self._index)


class LexicalWriter:
    """Puts passages in and takes them out; nothing is seen by readers before `commit`."""

    def __init__(self, index: tantivy.Index) -> None:
        self._schema = index.schema
        self._writer = index.writer(_HEAP_BYTES, 1)

    def add(self, segment: str, place: int, passages: Sequence[PassageText]) -> None:
        """Put in passages of consecutive places."""
        import tantivy

        for offset, passage in enumerate(passages):
            entry = tantivy.Document()
            entry.add_unsigned("place", place + offset)
            entry.add_bytes("passage", passage.model_dump_json().encode())
            entry.add_text("segment", segment)
            entry.add_text("id", passage.id)
            entry.add_text("product", _NO_PRODUCT if passage.product is None else passage.product)
            entry.add_text("section", passage.section)
            entry.add_text("library", passage.library)
            entry.add_text("heading", passage.heading)
            entry.add_text("text", passage.text)
            self._writer.add_document(entry)

    def take_out(self, first: int, last: int) -> None:
        """Take out the places from `first` up to `last`, which stays."""
        import tantivy

        if first < last:
            self._writer.delete_documents_by_query(
                tantivy.Query.range_query(
                    self._schema, "place", tantivy.FieldType.Unsigned, first, last, include_upper=False
                )
            )

    def take_out_segment(self, segment: str) -> None:
        """Take out all of a segment."""
        self._writer.delete_documents_by_term("segment", segment)

    def commit(self) -> None:
        """Let readers see what was done."""
        self._writer.commit()

    def close(self) -> None:
        """Drop what was not committed, and let another process write."""
        self._writer.rollback()
        self._writer.wait_merging_threads()


def _schema() -> tantivy.Schema:
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("place", stored=True, indexed=True)
    builder.add_bytes_field("passage", stored=True)
    for name in ("segment", "id", "product", "section", "library"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("heading", "text"):
        builder.add_text_field(name, tokenizer_name="english", index_option="freq")
    return builder.build()


def _english() -> tantivy.TextAnalyzer:
    """Words in lower case without accents, endings and stop words; numbers and codes stay as they are."""
    from tantivy import Filter, TextAnalyzerBuilder, Tokenizer

    return (
        TextAnalyzerBuilder(Tokenizer.simple())
        .filter(Filter.remove_long(_LONGEST_WORD))
        .filter(Filter.lowercase())
        .filter(Filter.ascii_fold())
        .filter(Filter.stopword("english"))
        .filter(Filter.stemmer("english"))
        .build()
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
