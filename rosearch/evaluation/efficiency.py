"""The cost of a model: parameters, FLOPs, bytes on disk, milliseconds a batch."""

from __future__ import annotations

import copy
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_model
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rosearch.config.evaluation import EfficiencyConfig
from rosearch.errors import BadInput, Problem
from rosearch.evaluation.quality import inference
from rosearch.measurements import Efficiency, Latency, TeacherCost
from rosearch.models.device import machine
from rosearch.models.engine_model import EngineModel
from rosearch.models.engines import open_onnx
from rosearch.models.graphs import write_graph
from rosearch.models.lengths import text_positions
from rosearch.models.timing import on_threads, pass_times, quartiles
from rosearch.space.cost import count_flops
from rosearch.space.genotype import Genotype


def teacher_cost(model: torch.nn.Module, tokens: int) -> TeacherCost:
    """Parameters and FLOPs of a teacher. Raises `BadInput` where `tokens` exceeds its positions."""
    parameters, encoder_parameters = count_model_parameters(model)
    return TeacherCost(parameters, encoder_parameters, count_model_flops(model, tokens))


def count_model_parameters(model: torch.nn.Module) -> tuple[int, int]:
    """The number of parameters, and of those outside embedding tables (words, positions, token types).

    Tied parameters count once.
    """
    total = sum(parameter.numel() for parameter in model.parameters())
    tables = {module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    return total, total - sum(table.numel() for table in tables)


def count_model_flops(model: torch.nn.Module, tokens: int) -> int:
    """FLOPs of one sentence of `tokens` tokens: 2 x multiply-adds of matrix products and convolutions."""
    device = next(model.parameters()).device
    with ExitStack() as contexts:
        contexts.enter_context(inference(model, device))
        # Torch's counter does not know fused attention on a CPU and would count its two products as nothing.
        contexts.enter_context(sdpa_kernel(SDPBackend.MATH))
        # It hooks parameters that a module is given as inputs (DeBERTa's relations), which no inference mode allows.
        contexts.enter_context(torch.inference_mode(False))
        contexts.enter_context(torch.no_grad())
        counter = contexts.enter_context(FlopCounterMode(display=False))
        # All hidden states are asked for, so that a student computes all tokens, as `count_flops` counts them.
        model(**_sentences(model, 1, tokens, device), output_hidden_states=True)
    return int(counter.get_total_flops())


def measure_efficiency(
    model: torch.nn.Module,
    genotype: Genotype | None,
    teacher: TeacherCost,
    config: EfficiencyConfig,
    device: torch.device,
    latency: tuple[Latency, ...] | None = None,
) -> Efficiency:
    """The efficiency of a student on `device`; compression is the teacher's count over the student's.

    If `latency` was measured elsewhere, nothing is timed here. FLOPs come from the genotype, where there is one;
    parameters come from the model itself. Latency is left out where `config.repeats` is 0; otherwise `BadInput` is
    raised where `config.tokens` exceeds the model's positions. In ONNX Runtime it is that of the processor.
    """
    parameters, encoder_parameters = count_model_parameters(model)
    if genotype is None:
        flops = count_model_flops(model, config.tokens)
    else:
        flops = count_flops(genotype, config.tokens, _labels(model))
    own = latency is None and config.repeats > 0
    if latency is None:
        latency = measure_latencies(model, config, device) if config.repeats else ()
    where = timing_device(config, device) if latency else device
    return Efficiency(
        parameters=parameters,
        encoder_parameters=encoder_parameters,
        compression=teacher.parameters / parameters,
        encoder_compression=teacher.encoder_parameters / encoder_parameters,
        flops=flops,
        flops_compression=teacher.flops / flops,
        tokens=config.tokens,
        size_mb=measure_size_mb(model),
        latency=latency,
        device=torch.cuda.get_device_name(where) if where.type == "cuda" else where.type,
        threads=torch.get_num_threads(),
        machine=machine() if own else "",
        runtime=config.runtime if latency else "eager",
    )


def measure_size_mb(model: torch.nn.Module) -> float:
    """Megabytes (10^6 bytes) of the weights as a safetensors file, which is written and deleted."""
    with tempfile.TemporaryDirectory(prefix="rosearch-size-") as folder:
        path = Path(folder) / "model.safetensors"
        save_model(model, str(path))
        return path.stat().st_size / 1e6


def timing_device(config: EfficiencyConfig, device: torch.device) -> torch.device:
    """The device that a model on `device` is timed on: its own in torch, the processor in ONNX Runtime."""
    return device if config.runtime == "eager" else torch.device("cpu")


def in_runtime(model: Any, config: EfficiencyConfig) -> Any:
    """The model as it is timed: itself, or its graph in ONNX Runtime on as many threads as torch has.

    To make the graph takes seconds. Raises `RunError` where torch cannot write it.
    """
    if config.runtime == "eager":
        return model
    # A copy: it is moved to the processor and put into evaluation mode, and its owner goes on with the original.
    copied = copy.deepcopy(model).cpu()
    with tempfile.TemporaryDirectory(prefix="rosearch-graph-") as folder, on_threads(torch.get_num_threads()):
        path = Path(folder) / "model.onnx"
        write_graph(copied, path, {})
        return EngineModel(model.config, *open_onnx(path))


def measure_latencies(model: Any, config: EfficiencyConfig, device: torch.device) -> tuple[Latency, ...]:
    """The latency at each of the batch sizes, in the runtime of `config`."""
    timed, where = in_runtime(model, config), timing_device(config, device)
    return tuple(measure_latency(timed, size, config, where) for size in config.batch_sizes)


def measure_latency(model: torch.nn.Module, batch_size: int, config: EfficiencyConfig, device: torch.device) -> Latency:
    """Milliseconds of a float32 forward pass over full sentences: median and quartiles of the repeats.

    The tokens are already on the device. `config.warmup` passes come before the counted ones.
    """
    inputs = _sentences(model, batch_size, config.tokens, device)

    def run() -> None:
        model(**inputs)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # kernels run after the call has returned

    with inference(model, device):
        low, median, high = quartiles(pass_times(run, warmup=config.warmup, repeats=config.repeats))
    return Latency(batch_size, median, low, high)


def _labels(model: Any) -> int:
    return int(model.config.num_labels)


def _sentences(model: Any, batch_size: int, tokens: int, device: torch.device) -> dict[str, torch.Tensor]:
    positions = text_positions(model.config)
    if positions is not None and tokens > positions:
        key = "evaluation.efficiency.tokens"
        raise BadInput(Problem("experiment", key, f"at most {positions}, the model's positions", str(tokens)))
    ids = torch.arange(batch_size * tokens, device=device) % int(model.config.vocab_size)
    ids = ids.reshape(batch_size, tokens)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
