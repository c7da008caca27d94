"""Folders that are models, and those that are not, looked at without the library that would load them."""

import json
from pathlib import Path

import pytest

from retrieval import sentence_transformers_folder as folders
from retrieval.embedder import ModelError

MINILM = Path(folders.__file__).parent / "minilm"


@pytest.fixture
def folder(tmp_path):
    """A folder with all that loading reads; its weights are none, which only loading would see."""
    made = tmp_path / "model"
    (made / "1_Pooling").mkdir(parents=True)
    write(made, "modules.json", [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ])  # fmt: skip
    write(made, "config.json", {"model_type": "bert"})
    write(made, "tokenizer.json", {})
    write(made, "1_Pooling/config.json", {"word_embedding_dimension": 8})
    (made / "model.safetensors").write_bytes(b"\0" * 16)
    (made / "README.md").write_text("---\nlanguage:\n  - en\n  - de\nlicense: mit\ntags:\n- x\n---\n# A model\n")
    return made


def write(folder, name, value):
    (folder / name).write_text(json.dumps(value))


def refused(folder):
    with pytest.raises(ModelError) as caught:
        folders.look(folder)
    assert caught.value.hint
    return caught.value.message


def test_what_is_read_is_listed_and_hashed(folder):
    found = folders.look(folder)
    assert found.files == (
        "1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "tokenizer.json",
    )  # fmt: skip
    assert (found.languages, found.licence, found.name) == (("en", "de"), "mit", "model")
    before = folders.digest(found)
    (folder / "README.md").write_text("other words")
    assert folders.digest(folders.look(folder)) == before
    (folder / "model.safetensors").write_bytes(b"\1" * 16)
    assert folders.digest(folders.look(folder)) != before


def test_what_was_read_is_told(folder):
    told = []
    found = folders.look(folder)
    folders.digest(found, lambda read, of: told.append((read, of)))
    assert told[-1] == (found.bytes, found.bytes)


def test_what_is_no_model_is_told_apart(folder, tmp_path):
    assert refused(tmp_path / "nowhere") == f"there is no folder {tmp_path / 'nowhere'}"
    assert refused(folder / "config.json") == f"{folder / 'config.json'} is no folder"
    assert refused(tmp_path) == f"{tmp_path} lacks modules.json"
    for content in (b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b"[1]", b'[{"type": 1, "path": ""}]'):
        (folder / "modules.json").write_bytes(content)
        assert str(folder) in refused(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / name).unlink()
    assert name.rpartition("/")[2] in refused(folder)


def test_weights_that_are_a_pickle_are_refused_though_the_rest_is_right(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "are a pickle (pytorch_model.bin), which can run code when it is read" in refused(folder)
    (folder / "model.safetensors").write_bytes(b"\0" * 16)
    assert "pytorch_model.bin" not in folders.look(folder).files  # beside weights that may be read it is not read


def test_a_part_of_the_weights_that_is_a_pickle_or_lies_outside_is_refused(folder):
    (folder / "model.safetensors").unlink()
    for part in ("pytorch_model-1.bin", "../model.safetensors", "model-00001-of-00002.safetensors"):
        write(folder, "model.safetensors.index.json", {"weight_map": {"a": part}})
        assert part in refused(folder)
    (folder / "model-00001-of-00002.safetensors").write_bytes(b"\0")
    assert "model-00001-of-00002.safetensors" in folders.look(folder).files


def test_a_step_that_is_code_of_the_models_own_is_refused(folder):
    for kind in ("modeling_own.Transformer", "os.system", "custom_st.Transformer", "torch.nn.Linear"):
        write(folder, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": kind}])
        assert f"needs code of its own ({kind})" in refused(folder)
    write(folder, "modules.json", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.Trainer"}])
    assert "a kind that is not known here: Trainer" in refused(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "1_Pooling/config.json"])
def test_a_configuration_that_names_code_is_refused(folder, name):
    write(folder, name, {"auto_map": {"AutoModel": "modeling_own.Model"}})
    assert "names code of the model's own (auto_map)" in refused(folder)


def test_a_dense_step_may_name_an_activation_and_nothing_else(folder):
    steps = json.loads((folder / "modules.json").read_text())
    write(folder, "modules.json", [*steps, {"idx": 3, "name": "3", "path": "3_Dense",
                                            "type": "sentence_transformers.models.Dense"}])  # fmt: skip
    (folder / "3_Dense").mkdir()
    (folder / "3_Dense" / "model.safetensors").write_bytes(b"\0")
    for named in ("os.system", "torch.hub.load", "torch.nn.modules.activation.Tanh.__init__", 3):
        write(folder, "3_Dense/config.json", {"activation_function": named})
        assert f"names code to be run: {named}" in refused(folder)
    write(folder, "3_Dense/config.json", {"activation_function": "torch.nn.modules.activation.Tanh"})
    assert "3_Dense/model.safetensors" in folders.look(folder).files


@pytest.mark.parametrize("where", ["/etc", "../other", "a/../../b"])
def test_a_step_outside_the_folder_is_refused(folder, where):
    write(folder, "modules.json", [{"path": where, "type": "sentence_transformers.models.Pooling"}])
    assert "outside the model's" in refused(folder)


def test_the_default_models_own_folder_has_weights_for_another_runtime():
    assert "lacks model.safetensors" in refused(MINILM)
