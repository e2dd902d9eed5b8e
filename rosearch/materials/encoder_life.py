"""One encoder's life: build, distil on the corpus, measure. `candidate` calls it where an experiment has no task."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedModel

from rosearch.data.corpus import Part
from rosearch.evaluation.efficiency import measure_efficiency
from rosearch.materials.encoder import FIDELITY, EncoderMaterials, fidelity, open_encoder_materials
from rosearch.materials.job import CandidateJob, Lived, Stopwatch
from rosearch.measurements import Measurements, Quality
from rosearch.progress import Progress
from rosearch.randomness import derive_seed
from rosearch.student.build import build_student, inherit_embeddings
from rosearch.training.encoder import EncoderInputs, distil_encoder, load_encoder


def run_encoder(job: CandidateJob, watch: Stopwatch, progress: Progress) -> Lived:
    """Build, distil and measure one encoder: candidates on the proxy, finalists on the whole corpus.

    Raises `CandidateFailed` where the training diverges.
    """
    with watch.stage("open"):
        materials = open_encoder_materials(job.experiment, job.cache)
    with watch.stage("build"):
        student = build_encoder(job, materials)
    with watch.stage("distil"):
        part: Part = "train" if job.split == "test" else "proxy"
        seed = derive_seed(job.seed, "training")
        inputs = EncoderInputs(
            job.distillation, materials.corpus, part, materials.teacher, materials.device, seed, progress
        )
        training, loss = distil_encoder(student, inputs, job.checkpoint)
    with watch.stage("efficiency"):
        config = job.experiment.evaluation.efficiency
        device, cost = materials.device, job.teacher.cost
        efficiency = measure_efficiency(student, job.genotype, cost, config, device, job.latency)
    quality = Quality(FIDELITY, fidelity(loss), materials.corpus.held_out)
    return Measurements(quality, efficiency, training, held_out_loss=loss), (student,)


def build_encoder(job: CandidateJob, materials: EncoderMaterials) -> PreTrainedModel:
    """A student without a head, on the device of the materials, with the embeddings that it inherits."""
    tokenizer: Any = materials.tokenizer
    student = build_student(
        job.genotype,
        labels=("0", "1"),  # of a head that is not kept
        problem="classification",
        vocabulary=len(tokenizer),
        positions=job.teacher.positions,
        token_types=job.teacher.token_types,
        pad_token_id=tokenizer.pad_token_id,
        dropout=job.distillation.dropout,
        seed=derive_seed(job.seed, "weights"),
        pieces=tokenizer.convert_ids_to_tokens(range(len(tokenizer))),
    )
    if job.distillation.inherit_embeddings:
        inherit_embeddings(student, load_encoder(materials.teacher))
    encoder: PreTrainedModel = student.student.to(materials.device)
    return encoder
