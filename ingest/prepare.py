"""What a document is found by: its chunks, the words of each, and the key that says what is embedded."""

import hashlib
from dataclasses import dataclass

from ingest import chunk as chunking
from retrieval.embed import Embedder as Own
from retrieval.embedder import Embedder
from vault.records import Chunk, Document

UNKNOWN = "unknown"
"""a document's language that the embedding model does not know"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that can be computed of a document outside a transaction."""

    prefix: str
    """what every chunk is embedded with; empty: nothing was prepared, the document is known"""
    chunks: tuple[Chunk, ...] = ()
    keys: tuple[bytes, ...] = ()
    """BLAKE2b-128 of what is embedded of each chunk"""
    words: tuple[str, ...] = ()
    """what each chunk is found by in the keyword index: the same that is embedded"""
    language: str = ""


def prepared(own: Own, embedder: Embedder, document: Document, prefix: str) -> Prepared:
    """Chunk the document; `prefix` is what stands before each chunk where it is embedded.

    Whichever model embeds, `own`, the one that comes with Strongroom, measures the chunks.
    """
    chunks = tuple(chunking.chunk(document, own.count_tokens, prefix))
    words = tuple(chunking.embedded(prefix, each.heading, document.text[each.start : each.end]) for each in chunks)
    keys = tuple(hashlib.blake2b(each.encode(), digest_size=16).digest() for each in words)
    return Prepared(prefix, chunks, keys, words, language(embedder, document))


def language(embedder: Embedder, document: Document) -> str:
    """Empty, or `unknown` where the embedding model does not know the text's language."""
    return "" if embedder.knows_language(document.text) else UNKNOWN
