"""The contract of every setting of distillation that a search may choose; a new one needs a line in `VALUES` alone."""

from __future__ import annotations

import dataclasses
import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from rosearch.config.distillation import DistillationConfig
from rosearch.config.keys import read_keys
from rosearch.errors import BadInput
from rosearch.evolution.crossover import cross
from rosearch.evolution.mutation import MUTATIONS
from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.genes import GENES, covering, gene_problems, put_over, schema_of, typed, unread
from rosearch.space.genotype import Genotype
from rosearch.space.keys import space_schema
from rosearch.space.loading import load_space
from rosearch.space.node import GeneValue, Node
from rosearch.space.rules import structural_problems
from rosearch.space.search_space import SearchSpace
from rosearch.training.method import schedule_of

SPACES = Path(__file__).parents[2] / "search_spaces"
INPUT, TRAINING = load_space(SPACES / "robust_input.yaml"), load_space(SPACES / "robust_training.yaml")
PLAIN = Genotype(64, 32, "mean", (Node.of("glu"), Node.of("conv", (1,), kernel=3)))
VALUES: dict[str, tuple[GeneValue, GeneValue]] = {  # two of each
    "learning_rate": (1e-4, 1e-3),
    "label_smoothing": (0.0, 0.1),
    "flood": (0.0, 0.2),
    "robust_kd.sources": (("characters",), ("wordnet", "synonyms", "synonyms")),
    "robust_kd.words": (0.25, 0.5),
    "robust_kd.ramp": (0.0, 0.4),
    "robust_kd.guided": (0.0, 1.0),
    "robust_kd.guide": ("gradient", "ngrams"),
    "robust_kd.refill_words": (5, 20),
    "robust_kd.weight": (0.5, 2.0),
    "robust_kd.consistency": (0.0, 1.0),
    "robust_kd.epsilon": (0.3, 0.9),
    "robust_kd.average": (None, 0.998),
}
ALL = tuple((name, values[0]) for name, values in VALUES.items())
EVERY = dataclasses.replace(TRAINING, training=VALUES)


def test_the_contract_holds_every_gene() -> None:
    assert set(VALUES) == set(GENES)


@pytest.mark.parametrize("name", GENES)
def test_a_gene_changes_one_key_of_the_training_and_neither_cost_steps_nor_rows(name: str) -> None:
    plain = DistillationConfig(method="robust_kd")
    first, second = (put_over(plain, [(name, value)]) for value in VALUES[name])
    assert first != second
    section, _, key = name.rpartition(".")
    before, after = first.model_dump(), second.model_dump()
    (after[section] if section else after)[key] = (before[section] if section else before)[key]
    assert before == after
    schedules = [schedule_of(one) for one in (first, second)]
    assert len({(one.steps(1000), one.batch_size) for one in schedules}) == 1
    students = [PLAIN.with_(training=((name, value),)) for value in VALUES[name]]
    assert len({(count_parameters(one), count_flops(one, 32)) for one in (*students, PLAIN)}) == 1
    assert {one.architecture.id for one in students} == {PLAIN.id}


@pytest.mark.parametrize("name", GENES)
def test_a_gene_goes_through_json_graph_and_canonical_form_and_counts_in_the_id(name: str) -> None:
    first, second = (PLAIN.with_(training=((name, value),)) for value in VALUES[name])
    assert len({first.id, second.id, PLAIN.id}) == 3
    for genotype in (first, second):
        for again in (
            Genotype.from_json(genotype.to_json()),
            Genotype.from_graph(genotype.graph),
            genotype.canonical(),
        ):
            assert again.id == genotype.id and again.training == genotype.training
        assert structural_problems(genotype) == []
        assert f"training({name}=" in str(genotype)


@pytest.mark.parametrize("name", GENES)
def test_a_value_that_the_config_refuses_is_one_problem_of_the_genotype_and_of_the_space(
    name: str, tmp_path: Path
) -> None:
    (problem,) = gene_problems(((name, "nonsense"),))
    assert problem.startswith(f"training.{name} must be ") and "nonsense" in problem
    lines = faults(tmp_path, {name: [*map(plain, VALUES[name]), "nonsense"]})
    assert len(lines) == 1 and lines[0].startswith(f"training.{name}.2: expected ")
    assert faults(tmp_path, {name: []})[0].startswith(f"training.{name}: expected a list of 1 to 256 values, each ")


@pytest.mark.parametrize("name", GENES)
def test_the_schema_for_editors_takes_what_the_space_takes(name: str) -> None:
    training = space_schema()["else"]["properties"]["training"]["properties"]  # type: ignore[index, call-overload]
    assert training[name]["items"] == {key: value for key, value in schema_of(name).items() if key != "description"}
    key = read_keys({"properties": {"values": training[name]}}).at("values")
    assert key is not None and key.type.startswith("a list of 1 to 256, each ") and "a section" not in key.type


def plain(value: GeneValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def faults(folder: Path, training: dict[str, Any]) -> list[str]:
    """The lines of a space with such a section, without the file; each is of a line of its own."""
    data = yaml.safe_load((SPACES / "robust_input.yaml").read_text())
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump({**data, "training": training}))
    with pytest.raises(BadInput) as caught:
        load_space(path)
    return [re.sub(r"^.*?space\.yaml:\d+: ", "", line) for line in caught.value.lines]


def test_all_that_is_wrong_with_a_section_is_told_at_once(tmp_path: Path) -> None:
    own = "names alone: a function of yours stands in the experiment"
    lines = faults(
        tmp_path,
        {
            "batch_size": [32, 64],
            "robust_kd.sources": [["characters", "synonims"], ["mine:mixed"], ["characters"]],
            "robust_kd.average": [None, 1.0],
            "robust_kd.words": [0.5, 0.5],
            "robust_kd.weight": 2,
        },
    )
    assert sorted(line.partition(": ")[0] for line in lines) == [
        "training.batch_size",
        "training.robust_kd.average.1",
        "training.robust_kd.sources.0.1",
        "training.robust_kd.sources.1",
        "training.robust_kd.weight",
        "training.robust_kd.words.1",
    ]
    told = "\n".join(lines)
    assert f"training.batch_size: expected a setting of the training: {', '.join(GENES)}, got 'batch_size'" in told
    assert "Did you mean synonyms?" in told and f"expected {own}, got mine:mixed" in told
    assert "training.robust_kd.average.1: expected a number above 0 and below 1, or none, got 1.0" in told
    assert "training.robust_kd.words.1: expected each value once, got 0.5 twice" in told


def test_two_orders_of_the_same_sources_are_one_training(tmp_path: Path) -> None:
    lines = faults(tmp_path, {"robust_kd.sources": [["wordnet", "characters"], ["characters", "wordnet"]]})
    assert len(lines) == 1 and "expected each value once" in lines[0]


def test_a_section_beside_an_encoder_is_a_foreign_key(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    data = yaml.safe_load((SPACES / "kd_nas.yaml").read_text())
    path.write_text(yaml.safe_dump({**data, "training": {"learning_rate": [0.1]}}))
    with pytest.raises(BadInput, match="no keys of a space of graphs beside it, got training"):
        load_space(path)


def test_robust_training_is_robust_input_with_a_choice_of_training() -> None:
    assert isinstance(TRAINING, SearchSpace) and isinstance(INPUT, SearchSpace)
    assert dataclasses.replace(TRAINING, name="robust_input", training={}) == INPUT
    assert set(TRAINING.training) <= set(GENES) and all(len(values) > 1 for values in TRAINING.training.values())


def test_sampling_reaches_every_value_and_without_a_section_draws_what_it_drew_before_there_were_any() -> None:
    rng = random.Random(1)
    drawn = [dict(EVERY.sample(rng).training) for _ in range(60)]
    assert all({one[name] for one in drawn} == set(values) for name, values in VALUES.items())
    # A single value draws nothing: graphs and sources are those of the space without the section.
    fixed = dataclasses.replace(TRAINING, training={name: values[:1] for name, values in VALUES.items()})
    ours, theirs = fixed.sample(random.Random(4)), INPUT.sample(random.Random(4))
    assert ours.architecture.to_json() == theirs.to_json() and dict(ours.training) == dict(ALL)
    assert theirs.id == "cd135e3bb207ee72"  # as it was before there were genes


def test_a_genotype_has_all_that_the_space_chooses_and_nothing_else() -> None:
    legal = EVERY.sample(random.Random(2))
    assert EVERY.violations(legal) == []
    assert len(EVERY.violations(legal.architecture)) == len(VALUES)
    assert EVERY.violations(legal.architecture)[0].endswith("must be one of 0.0001, 0.001, got nothing")
    assert [line.partition(" must")[0] for line in INPUT.violations(legal)] == [
        f"training.{name}" for name, _ in legal.training
    ]
    assert gene_problems((("colour", 1), *ALL, *ALL[:1]))[0].startswith("training has no setting 'colour', it has ")
    assert gene_problems((*ALL, *ALL[:1])) == ["training.learning_rate is given twice"]


def test_fitting_keeps_what_the_space_has_and_takes_its_first_for_others() -> None:
    legal = EVERY.sample(random.Random(3))
    assert EVERY.fit(legal) is legal
    moved = dict(EVERY.fit(legal.with_(training=(("robust_kd.words", 0.5), ("robust_kd.weight", 3.0)))).training)
    assert moved == {**dict(ALL), "robust_kd.words": 0.5}
    assert dict(EVERY.fit(legal.architecture).training) == dict(ALL)
    assert INPUT.fit(legal).training == ()


def test_enumeration_goes_through_the_training() -> None:
    tiny = load_space(SPACES / "tiny.yaml")
    assert isinstance(tiny, SearchSpace)
    both = dataclasses.replace(tiny, min_nodes=1, max_nodes=1, training={"robust_kd.average": (None, 0.998)})
    found = [(one.architecture.id, one.training) for one in both.genotypes()]
    plain_ones = {one.id for one in dataclasses.replace(both, training={}).genotypes()}
    assert len(found) == len(set(found)) == 2 * len(plain_ones) and {first for first, _ in found} == plain_ones


@pytest.mark.parametrize("name", GENES)
def test_each_gene_mutates_alone_and_is_crossed_from_either_parent(name: str) -> None:
    one = dataclasses.replace(EVERY, training={name: VALUES[name]})
    rng = random.Random(5)
    parent = one.sample(rng)
    child = MUTATIONS["change_training"](parent, one, rng)
    assert child is not None and child.architecture.id == parent.architecture.id and child.training != parent.training
    assert one.is_legal(child)
    other = one.sample(rng).with_(training=child.training)
    children = [cross(parent, other, one, random.Random(seed)) for seed in range(12)]
    assert {found.training for found in children} == {parent.training, other.training}


def test_genes_are_crossed_independently_of_each_other() -> None:
    rng = random.Random(6)
    a, b = (EVERY.sample(rng).with_(training=tuple((name, pair[at]) for name, pair in VALUES.items())) for at in (0, 1))
    children = {cross(a, b, EVERY, random.Random(seed)).training for seed in range(12)}
    assert len(children) > 6
    assert all(gene in {*a.training, *b.training} for training in children for gene in training)


def test_the_experiment_says_what_no_gene_says_and_lists_cover_every_choice() -> None:
    config = DistillationConfig(method="robust_kd", temperature=3.0, epochs=2.0)
    changed = put_over(config, (("robust_kd.average", 0.998), ("robust_kd.sources", ("wordnet",))))
    assert (changed.temperature, changed.epochs, changed.robust_kd.words) == (3.0, 2.0, config.robust_kd.words)
    assert (changed.robust_kd.average, changed.robust_kd.sources) == (0.998, ["wordnet"])
    assert config.robust_kd.average is None
    wide = covering(config, {"robust_kd.sources": (("wordnet",), ("characters", "hull")), "robust_kd.words": (0.1,)})
    assert wide.robust_kd.sources == ["characters", "synonyms", "wordnet", "hull"]
    assert wide.robust_kd.words == config.robust_kd.words


def test_a_gene_of_another_method_is_not_read() -> None:
    assert unread(DistillationConfig(), ["learning_rate", "robust_kd.words"]) == ["robust_kd.words"]
    assert unread(DistillationConfig(method="robust_kd"), GENES) == []
    assert typed("robust_kd.words", 1) == 1.0 and isinstance(typed("robust_kd.words", 1), float)


@pytest.mark.parametrize("training", ['"x"', "3", '["robust_kd.words"]', '{"robust_kd.words": {"a": 1}}', '{"a": [1]}'])
def test_training_of_another_shape_raises_one_of_the_stated_errors(training: str) -> None:
    text = f'{{"width": 64, "rank": 32, "pooling": "mean", "nodes": [{{"op": "glu"}}], "training": {training}}}'
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        Genotype.from_json(text)


def test_ids_of_genotypes_with_genes_do_not_change_between_versions() -> None:
    chosen = (("robust_kd.average", None), ("robust_kd.sources", ("characters", "wordnet")), ("robust_kd.words", 0.25))
    assert PLAIN.with_(training=chosen).id == "239361a1d4b46947"
    assert PLAIN.with_(training=(("robust_kd.words", 1),)).id == PLAIN.with_(training=(("robust_kd.words", 1.0),)).id
