"""The embedding model, writing down what it embeds beside questions."""


class Counting:
    """Hands everything on; `embedded` has the texts in their order."""

    def __init__(self, embedder) -> None:
        self._embedder = embedder
        self.embedded: list[str] = []

    def __getattr__(self, name):
        return getattr(self._embedder, name)

    def embed(self, texts, **options):
        self.embedded += texts
        return self._embedder.embed(texts, **options)
