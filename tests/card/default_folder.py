"""The default model as a sentence-transformers folder: its 8-bit weights unpacked into a plain BERT.

What retrieval/minilm holds is the same network in OpenVINO's form. Its weights are whole numbers with a scale a row, and
before some of its products the quantiser moved a factor from the weights to what they are multiplied with (SmoothQuant,
arXiv 2211.10438). Here scale and factor are multiplied back in. What stays different from the default is that the default
rounds what flows between the layers to 8 bits as well, so that the vectors are near to its own and not the same.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
FOLDER = Path(__file__).resolve().parents[2] / "retrieval" / "minilm"
_PRODUCT = "aten::linear/MatMul"
_NORM = "aten::layer_norm/"
_COPIED = ("config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json",
           "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "1_Pooling")  # fmt: skip


def make(folder: Path) -> Path:
    """Write the folder, 90 MB, and return it."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    for name in _COPIED:
        copy = shutil.copytree if (FOLDER / name).is_dir() else shutil.copyfile
        copy(FOLDER / name, folder / name)
    save_file(weights(), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n\nUnpacked by a test.\n")
    return folder


def weights() -> dict[str, Floats]:
    """The network's arrays, by the names that BERT has for them in transformers."""
    import openvino

    model = openvino.Core().read_model(FOLDER / "openvino" / "openvino_model_qint8.xml")
    found: dict[str, Floats] = {}
    for node in model.get_ops():
        module, _, operation = node.get_friendly_name().removeprefix("__module.bert.").partition("/")
        if operation == "aten::embedding/Gather/fq_weights_0":
            found[f"{module}.weight"] = constant(node)
        elif operation == _PRODUCT:
            product = constant(node.input_value(1).get_node())
            if (factor := _moved(node.input_value(0).get_node())) is not None:
                product = product * factor.reshape(1, -1)
            found[f"{module}.weight"] = product
            (after,) = node.output(0).get_target_inputs()
            found[f"{module}.bias"] = constant(after.get_node().input_value(1).get_node()).reshape(-1)
        elif operation == _NORM + "Multiply_1":
            found[f"{module}.weight"] = constant(node.input_value(1).get_node()).reshape(-1)
        elif operation == _NORM + "Add":
            found[f"{module}.bias"] = constant(node.input_value(1).get_node()).reshape(-1)
    return {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in found.items()}


def constant(node: Any) -> Floats:
    """What a node that depends on constants alone comes to."""
    match node.get_type_name():
        case "Constant":
            return np.asarray(node.get_data(), dtype=np.float32)
        case "Convert":
            return constant(node.input_value(0).get_node())
        case "Multiply":
            return constant(node.input_value(0).get_node()) * constant(node.input_value(1).get_node())
        case other:
            raise AssertionError(f"{node.get_friendly_name()} is a {other}, no constant")


def _moved(node: Any) -> Floats | None:
    """The factor that was moved from a product's weights to this, its other side."""
    if node.get_type_name() == "FakeQuantize":
        node = node.input_value(0).get_node()
    if not node.get_friendly_name().endswith("nncf_smooth_quant"):
        return None
    return constant(node.input_value(1).get_node())
