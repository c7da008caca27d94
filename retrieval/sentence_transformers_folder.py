"""A sentence-transformers folder, looked at before anything of it is loaded: what it is, and whether it may be.

Only weights in safetensors are taken: the other usual form, a pickle, runs whatever code lies in it when it is read
(docs.python.org/3/library/pickle). A folder that names code of its own is refused for the same reason. The form of the
folder: sbert.net, "Creating Custom Models", and the files that `SentenceTransformer.save` writes.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retrieval.embedder import ModelError

_MODULES = frozenset({"Transformer", "Pooling", "Dense", "Normalize", "LayerNorm", "Dropout", "StaticEmbedding"})
"""steps of a model that are arithmetic on numbers; each is a class of sentence-transformers itself"""
_WEIGHED = frozenset({"Transformer", "Dense", "LayerNorm", "StaticEmbedding"})  # have a file of weights
_READ = (".json", ".txt", ".model", ".safetensors")  # what loading looks at
_PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.bin", "model.pt", "model.pth", "model.pkl")
_MOST_JSON = 64 << 20  # bytes; tokenizer.json of the largest vocabularies has some 35 MB
_MOST_FILES = 400
_BLOCK = 4 << 20  # bytes hashed at a time
_ACTIVATION = re.compile(r"torch\.nn\.modules\.(activation|linear)\.[A-Z]\w*")
_HINT = "give the folder of a sentence-transformers model: the one with modules.json in it"


@dataclass(frozen=True, slots=True)
class Folder:
    """One that may be loaded."""

    path: Path
    files: tuple[str, ...]
    """what loading reads, relative, in order"""
    name: str
    languages: tuple[str, ...]
    licence: str
    bytes: int


def look(path: Path) -> Folder:
    """Look at a folder without loading anything of it. Raises ModelError, which says what is missing or not taken."""
    if not path.is_dir():
        raise ModelError(f"{path} is no folder" if path.exists() else f"there is no folder {path}", _HINT)
    modules = _json(path / "modules.json")
    if not isinstance(modules, list) or not modules:
        raise ModelError(f"{path / 'modules.json'} names no steps of a model", _HINT)
    folders = [path]
    for each in modules:
        kind, where = _step(path, each)
        if where not in folders:
            folders.append(where)
        _refuse_code(where / "config.json", needed=kind != "Normalize" and where != path)
        if kind in _WEIGHED:
            _weights(where, kind)
        if kind == "Dense":
            _activation(where / "config.json")
    if not any((each / "tokenizer.json").is_file() for each in folders):
        raise ModelError(f"{path} lacks tokenizer.json", "save the model anew with a fast tokenizer")
    for each in ("config.json", "tokenizer_config.json"):
        for folder in folders:
            _refuse_code(folder / each)
    files = _files(path, folders)
    languages, licence = _card(path / "README.md")
    size = sum((path / each).stat().st_size for each in files)
    return Folder(path, files, path.name, languages, licence, size)


def digest(folder: Folder, told: Callable[[int, int], None] = lambda _read, _of: None) -> str:
    """SHA-256, hex, of what loading reads: for each file its name, its size and its bytes. Raises ModelError.

    `told` hears how many bytes were read, of how many.
    """
    found = hashlib.sha256()
    done = 0
    for name in folder.files:
        try:
            with (folder.path / name).open("rb") as file:
                found.update(f"{name}\0{os.fstat(file.fileno()).st_size}\0".encode())
                while block := file.read(_BLOCK):
                    found.update(block)
                    done += len(block)
                    told(done, max(done, folder.bytes))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ModelError(f"{folder.path / name} cannot be read: {reason}", _HINT) from error
    return found.hexdigest()


def _step(path: Path, each: Any) -> tuple[str, Path]:
    """The kind of one step of the model and the folder of its files."""
    kind = each.get("type") if isinstance(each, dict) else None
    where = each.get("path") if isinstance(each, dict) else None
    if not isinstance(kind, str) or not isinstance(where, str):
        raise ModelError(f"{path / 'modules.json'} is not as sentence-transformers writes it", _HINT)
    library, _, name = kind.rpartition(".")
    if library.partition(".")[0] != "sentence_transformers":
        raise ModelError(
            f"{path} needs code of its own ({kind}), and Strongroom runs none", "choose a model that needs no code"
        )
    if name not in _MODULES:
        raise ModelError(f"{path} has a step of a kind that is not known here: {name}", "choose another model")
    if os.path.isabs(where) or ".." in Path(where).parts:
        raise ModelError(f"{path / 'modules.json'} names a folder outside the model's: {where}", _HINT)
    return name, path / where


def _weights(folder: Path, kind: str) -> None:
    """Raise ModelError where there is no file of weights that may be read."""
    if (folder / "model.safetensors").is_file():
        return
    if kind == "Transformer" and (folder / "model.safetensors.index.json").is_file():
        index = _json(folder / "model.safetensors.index.json")
        parts = set(index.get("weight_map", {}).values()) if isinstance(index, dict) else set()
        for each in sorted(map(str, parts)):
            if os.sep in each or not each.endswith(".safetensors") or not (folder / each).is_file():
                raise ModelError(f"{folder} lacks {each}, a part of its weights", "copy the whole folder")
        if parts:
            return
    if found := next((each for each in _PICKLES if (folder / each).exists()), None):
        raise ModelError(
            f"the weights in {folder} are a pickle ({found}), which can run code when it is read",
            "take the same model with a model.safetensors, or save it anew with safe_serialization=True",
        )
    raise ModelError(f"{folder} lacks model.safetensors, the model's weights", "copy the whole folder")


def _refuse_code(path: Path, *, needed: bool = False) -> None:
    """Raise ModelError where a configuration names a Python file to be run."""
    if not needed and not path.is_file():
        return
    found = _json(path)
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not as sentence-transformers writes it", _HINT)
    for key in ("auto_map", "custom_pipelines"):
        if found.get(key):
            raise ModelError(
                f"{path} names code of the model's own ({key}), and Strongroom runs none",
                "choose a model that needs no code",
            )


def _activation(path: Path) -> None:
    """A dense step names a class to be imported: only torch's own activations are."""
    named = _json(path).get("activation_function", "torch.nn.modules.linear.Identity")
    if not isinstance(named, str) or not _ACTIVATION.fullmatch(named):
        raise ModelError(f"{path} names code to be run: {named}", "choose a model that needs no code")


def _files(path: Path, folders: list[Path]) -> tuple[str, ...]:
    found: list[str] = []
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):  # a step without files of its own
            there = [each for each in os.scandir(folder) if each.is_file() and each.name.endswith(_READ)]
            found += [os.path.relpath(each.path, path) for each in there]
    if len(found) > _MOST_FILES:
        raise ModelError(f"{path} holds {len(found)} files that a model could read", _HINT)
    return tuple(sorted(set(found)))


def _json(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > _MOST_JSON:
                raise ModelError(f"{path} is too large: {os.fstat(file.fileno()).st_size} bytes", _HINT)
            return json.loads(file.read().decode())
    except FileNotFoundError:
        raise ModelError(f"{path.parent} lacks {path.name}", _HINT) from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}", _HINT) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON", _HINT) from error


def _card(path: Path) -> tuple[tuple[str, ...], str]:
    """Languages and licence as the front of the model's README says them (huggingface.co, "Model Cards")."""
    try:
        text = path.read_bytes()[:65_536].decode(errors="replace")
    except OSError:
        return (), ""
    front = re.match(r"---\r?\n(.*?)\n---", text, re.DOTALL)
    if not front:
        return (), ""
    languages: list[str] = []
    licence, inside = "", False
    for line in front[1].splitlines():
        key, colon, value = line.partition(":")
        value = value.strip().strip("'\"")
        if line.startswith(("-", " ", "\t")):
            if inside and line.strip().startswith("-"):
                languages.append(line.strip()[1:].strip().strip("'\""))
            continue
        inside = bool(colon) and key == "language"
        if inside and value:
            languages += [each.strip().strip("'\"") for each in value.strip("[]").split(",")]
        if key == "license":
            licence = value[:60]
    return tuple(each[:40] for each in languages if each)[:200], licence
