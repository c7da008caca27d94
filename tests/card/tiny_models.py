"""Tiny sentence-transformers folders, made on the spot: a BERT of one layer whose words were given their meaning.

Words of one group share a row of the word embeddings, so that a text and its translation have nearly one vector: what a
multilingual model has learned, this one is given. Everything else about it is as the library saves it.
"""

from pathlib import Path

GROUPS = (
    "rent miete loyer alquiler", "month monat mois mes", "boat boot bateau barco", "house haus maison casa",
    "heating heizung chauffage", "repair reparatur reparation", "repaired repariert", "dog hund chien perro",
    "insurance versicherung assurance", "garden garten jardin", "winter hiver invierno", "summer sommer",
    "cost costs kostet", "new neue neuen neu",
)  # fmt: skip
EMPTY = frozenset(
    [
        "the",
        "der",
        "die",
        "das",
        "den",
        "dem",
        "le",
        "la",
        "les",
        "is",
        "ist",
        "est",
        "beträgt",
        "in",
        "im",
        "dans",
        "of",
        "von",
        "des",
        "a",
        "ein",
        "eine",
        "un",
        "une",
        "how",
        "wie",
        "much",
        "viel",
        "when",
        "wann",
        "who",
        "wer",
        "does",
        "to",
        "for",
        "and",
        "und",
        "it",
        ".",
        "?",
        ",",
        ":",
        "!",
    ]
)
"""words that mean nothing by themselves"""


def make(
    folder: Path,
    *,
    dimensions: int = 64,
    window: int = 128,
    seed: int = 1,
    prompts: dict[str, str] | None = None,
    pooling: str = "mean",
    normalised: bool = True,
    language: tuple[str, ...] = ("en", "de", "fr", "es"),
    more_words: str = "",
) -> Path:
    """Save a model; `more_words` are words, by spaces, that it knows besides those of GROUPS and the scale's pairs."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from retrieval.scale import PAIRS

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    split = pre_tokenizers.BertPreTokenizer()
    texts = [more_words.lower(), *(" ".join(pair).lower() for pair in PAIRS), " ".join((prompts or {}).values())]
    alone = EMPTY | {word for text in texts for word, _ in split.pre_tokenize_str(text)}
    rows: dict[str, int] = {}  # word → which meaning
    for number, group in enumerate(GROUPS):
        for word in group.split():
            rows.setdefault(word, number)
    for word in sorted(alone - rows.keys()):
        rows[word] = len(GROUPS) + len(rows)
    vocabulary = {word: at for at, word in enumerate([*special, *rows])}

    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(seed)
    bert = BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=dimensions, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=dimensions, max_position_embeddings=max(window, 64),
        )
    ).eval()  # fmt: skip
    meaning = torch.Generator().manual_seed(seed)
    meanings = torch.randn(len(GROUPS) + len(rows) + 1, dimensions, generator=meaning)
    with torch.no_grad():
        table = bert.embeddings.word_embeddings.weight
        for word, at in vocabulary.items():
            table[at] = meanings[rows[word]] if word in rows and word not in EMPTY else 0.0
        bert.embeddings.position_embeddings.weight.zero_()
        bert.embeddings.token_type_embeddings.weight.zero_()
    raw = folder.parent / f"{folder.name}-raw"
    bert.save_pretrained(raw, safe_serialization=True)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=window, **names).save_pretrained(raw)
    steps = [Transformer(str(raw), max_seq_length=window), Pooling(dimensions, pooling_mode=pooling)]
    steps += [Normalize()] if normalised else []
    SentenceTransformer(modules=steps, prompts=prompts, device="cpu").save(str(folder))
    named = "\n".join(f"- {each}" for each in language)
    (folder / "README.md").write_text(f"---\nlanguage:\n{named}\nlicense: apache-2.0\n---\n\nMade by a test.\n")
    return folder
