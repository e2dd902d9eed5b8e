"""ONNX beside a Hugging Face folder: `FOLDER/onnx/model.onnx`, one file, which needs neither torch nor rosearch.

>>> export_onnx(Path("student"))
Exported(path=PosixPath('student/onnx/model.onnx'), apart=1.2e-07)

The layout is that of the hub, which transformers.js and Optimum read too: `model_fp16.onnx` and `model_quantized.onnx`
lie beside it. Batch and length are dynamic. The answers are held against torch's before anything lies in the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedModel

from rosearch.export.gates import tell_in_card
from rosearch.export.targets.parity import Exported, graph_facts, require_parity
from rosearch.files import whole
from rosearch.models.engines import ENGINES, onnx_facts, open_onnx
from rosearch.models.graphs import quiet_exporter, write_graph
from rosearch.models.lengths import longest_input
from rosearch.models.places import folder_fingerprint, require_undamaged
from rosearch.models.saved import load_classifier

_NAME = "model.onnx"


def export_onnx(folder: Path) -> Exported:
    """Writes the ONNX file of the classifier in a Hugging Face folder; one that is there is replaced.

    It needs the extra `onnx`. Raises `BadInput` for a folder that holds no classifier, `RunError` where it cannot be
    converted or answers otherwise than torch.
    """
    model, tokenizer = load_classifier(folder)
    with onnx_draft(folder) as draft:
        apart = _write_plain(model, longest_input(model.config, tokenizer), folder, draft)
    return Exported(folder / "onnx" / _NAME, apart)


def export_fp16(folder: Path) -> Exported:
    """Writes `onnx/model_fp16.onnx`, half of the size, whose inputs and logits stay int64 and float32.

    The float32 file is written as well where none of these weights lies there. Raises as `export_onnx` does, where a
    logit differs from torch's by more than a hundredth of the largest.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model, tokenizer = load_classifier(folder)
    longest, engine = longest_input(model.config, tokenizer), ENGINES["fp16"]
    with onnx_draft(folder) as draft:
        plain, path = plain_graph(model, longest, folder, draft), draft / Path(engine.file).name
        with quiet_exporter():
            onnx.save(convert_float_to_float16(onnx.load(plain), keep_io_types=True), path)
        apart = require_parity(model, longest, engine.open(path)[1], path.name, engine.apart)
    return Exported(folder / engine.file, apart)


@contextmanager
def onnx_draft(folder: Path) -> Iterator[Path]:
    """A draft of `FOLDER/onnx` that begins with what lies there of the same weights; the rest stays behind."""
    with whole(folder / "onnx") as draft:
        draft.mkdir()
        for path in own_graphs(folder):
            for one in path.parent.glob(f"{path.stem}.*"):  # the gates of a quantised file as well
                shutil.copyfile(one, draft / one.name)
        yield draft
    tell_in_card(folder)


def own_graphs(folder: Path) -> list[Path]:
    """The ONNX files in a folder that were made of the very weights and tokenizer around them."""
    place, own = folder / "onnx", folder_fingerprint(folder)
    if not place.is_dir():
        return []
    require_undamaged(place)
    return [path for path in sorted(place.glob("*.onnx")) if onnx_facts(path).get("source") == own]


def plain_graph(model: PreTrainedModel, longest: int, folder: Path, draft: Path) -> Path:
    """The float32 file in a draft, which is written where it does not lie there yet."""
    if not (draft / _NAME).is_file():
        _write_plain(model, longest, folder, draft)
    return draft / _NAME


def _write_plain(model: PreTrainedModel, longest: int, folder: Path, draft: Path) -> float:
    write_graph(model, draft / _NAME, graph_facts(model, folder, longest))
    return require_parity(model, longest, open_onnx(draft / _NAME)[1], _NAME)
