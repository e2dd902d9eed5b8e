"""A search without a task: encoders are distilled on a corpus, the winner on all of it, and learn a task afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from command_line import rosearch
from small_run import Quiet, outcomes, write_encoder_experiment, write_experiment
from transformers import AutoModel, AutoTokenizer

from rosearch.config.file import load_experiment
from rosearch.errors import BadInput
from rosearch.evaluation.latency_table import LatencyTable
from rosearch.files import content
from rosearch.records.run_directory import RunDirectory
from rosearch.run.results import Results, load_results
from rosearch.search import cache_folder, run_search
from rosearch.student.modeling_rosearch import StudentModel


def search(folder: Path, **changes: Any) -> Results:
    experiment = load_experiment(write_encoder_experiment(folder, **changes))
    return run_search(RunDirectory.create(folder / "runs", experiment), Quiet())


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return search(tmp_path_factory.mktemp("encoders"))


class TestASearchForEncoders:
    def test_measures_every_candidate_by_what_it_still_loses_to_the_teacher(self, searched: Results) -> None:
        candidates = searched.measured("candidate")
        assert len(candidates) == 3 and searched.finished
        for record in candidates:
            found = record.measurements
            assert found is not None and found.held_out_loss is not None and found.robustness is None
            assert found.quality.metric == "fidelity" and found.quality.n == 8
            assert found.quality.value == pytest.approx(1 / (1 + found.held_out_loss))
        assert len({record.measurements.held_out_loss for record in candidates if record.measurements}) == 3

    def test_distils_candidates_on_the_proxy_and_the_winner_on_the_whole_corpus(self, searched: Results) -> None:
        seen = {r.role: r.measurements.training.rows_seen for r in searched.records if r.measurements is not None}
        assert 0 < seen["candidate"] < seen["finalist"] <= 2 * seen["candidate"] + 1
        (finalist,) = searched.measured("finalist")
        assert finalist.id == searched.best().id

    def test_keeps_encoders_that_transformers_loads(self, searched: Results) -> None:
        folder = searched.run.student_folder(searched.measured("finalist")[0])
        encoder = AutoModel.from_pretrained(folder)
        assert isinstance(encoder, StudentModel)
        ids = torch.tensor([[2, 9, 10, 3]])
        assert torch.isfinite(encoder(input_ids=ids).last_hidden_state).all()

    def test_takes_latency_from_the_table_of_this_machine(self, searched: Results) -> None:
        table = json.loads(content(LatencyTable(cache_folder(searched.run)).path))["table"]
        known = {key.split()[0]: found[0]["median_ms"] for key, found in table.items()}
        for record in searched.measured("candidate"):
            assert record.measurements is not None
            assert record.measurements.efficiency.latency[0].median_ms == known[record.id]
        assert searched.teacher is not None and searched.teacher.latency_ms in known.values()

    def test_gives_the_same_records_again(self, searched: Results, tmp_path: Path) -> None:
        changes = {"fitness": {"reward": None}}  # a reward follows from measured milliseconds
        first, second = (outcomes(search(tmp_path / name, **changes).of("candidate")) for name in ("a", "b"))
        assert first == second

    @pytest.mark.slow
    def test_learns_by_relations_too(self, tmp_path: Path) -> None:
        config = {"encoder": {"objective": "relations", "relation_heads": 4}}
        results = search(tmp_path / "relations", distillation=config, finalists={"count": 0})
        assert len(results.measured("candidate")) == 3

    def test_tokenises_its_corpus_once(self, searched: Results) -> None:
        (made,) = (path for path in (cache_folder(searched.run) / "corpora").iterdir() if path.is_dir())
        assert (made / "blocks.bin").stat().st_size > 0


class TestAKilledFinalist:
    def test_goes_on_in_the_middle_to_the_same_record_and_weights(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        changes = {"fitness": {"reward": None}, "finalists": {"count": 1, "epochs": 3}}
        whole = search(tmp_path / "whole", **changes)
        experiment = load_experiment(tmp_path / "whole" / "experiment.yaml")
        run = RunDirectory.create(tmp_path / "killed", experiment)
        command = [sys.executable, str(Path(__file__).with_name("killed_search.py")), "5", str(run.path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        (finalist,) = load_results(run).of("finalist")
        assert any(run.unfinished_folder(finalist).iterdir())
        found = run_search(run, Quiet())
        assert "goes on at step 5 of" in caplog.text
        assert outcomes(found.records) == outcomes(whole.records)
        weights = [one.run.student_folder(finalist) / "model.safetensors" for one in (found, whole)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
        assert not run.unfinished_folder(finalist).parent.exists()

    def test_leaves_nothing_to_go_on_from_once_it_is_recorded(self, searched: Results) -> None:
        folder = searched.run.unfinished_folder(searched.measured("finalist")[0])
        assert not folder.parent.exists()
        folder.mkdir(parents=True)  # as if a kill had come between the record and the removal
        run_search(searched.run, Quiet())
        assert not folder.parent.exists()


class TestTheCommandLine:
    def test_shows_the_run_and_a_candidate(self, searched: Results, tmp_path: Path) -> None:
        shown = rosearch("status", searched.run.path, cwd=tmp_path).stdout
        assert "fidelity" in shown and "held-out" in shown  # a long heading breaks into two lines
        best = searched.best().id
        assert "fidelity" in rosearch("show", searched.run.path, best, cwd=tmp_path).stdout
        data = rosearch("status", searched.run.path, "--json", cwd=tmp_path).data
        assert data["counts"]["done"] == 3 and data["teacher"]["quality"]["metric"] == "fidelity"

    def test_checks_corpus_teacher_and_space(self, tmp_path: Path) -> None:
        path = write_encoder_experiment(tmp_path / "made")
        shown = rosearch("check", path, cwd=tmp_path).stdout
        assert "corpus.txt" in shown and "4 encoders" in shown

    def test_exports_the_best_for_a_process_without_rosearch(self, searched: Results, tmp_path: Path) -> None:
        to = tmp_path / "encoder"
        printed = rosearch("export", searched.run.path, "--best", "--to", to, cwd=tmp_path)
        assert "AutoModel.from_pretrained" in printed.stdout
        card = (to / "README.md").read_text()
        assert "for any task" in card and "8 held-out blocks" in card and "feature-extraction" in card
        code = (
            "import sys; sys.modules['rosearch'] = None\n"
            "import torch\n"
            "from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer\n"
            f"folder = {str(to)!r}\n"
            "ids = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)(['good film'], return_tensors='pt')\n"
            "model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()\n"
            "print(model(**ids).last_hidden_state.sum().item())\n"
            "head = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)\n"
            "print(torch.equal(head.student.norm.weight, model.norm.weight), tuple(head(**ids).logits.shape))\n"
        )
        environment = {**os.environ, "HF_HOME": str(tmp_path / "hub"), "PYTHONPATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        value, loaded = done.stdout.splitlines()
        best = searched.run.student_folder(searched.retrained(searched.best()))
        tokenizer = AutoTokenizer.from_pretrained(searched.run.tokenizer)
        expected = AutoModel.from_pretrained(best).eval()(**tokenizer(["good film"], return_tensors="pt"))
        assert float(value) == pytest.approx(expected.last_hidden_state.sum().item(), abs=1e-5)
        assert loaded == "True (1, 2)"

    def test_an_encoder_learns_a_task(self, searched: Results, tmp_path: Path) -> None:
        encoder = searched.run.student_folder(searched.measured("finalist")[0])
        task = write_experiment(tmp_path, "classification")
        rosearch("distil", "--student", encoder, "--task", task, "--to", tmp_path / "out", cwd=tmp_path)
        assert (tmp_path / "out" / "model.safetensors").is_file()

    def test_a_task_search_begins_with_what_its_candidates_share_with_an_encoder(
        self, searched: Results, tmp_path: Path
    ) -> None:
        encoder = searched.run.student_folder(searched.measured("finalist")[0])
        space = yaml.safe_load((searched.experiment.search_space).read_text())
        path = write_experiment(tmp_path, distillation={"initial": str(encoder), "max_steps": 1, "learning_rate": 1e-9})
        (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
        experiment = load_experiment(path, ("evolution.candidates=4", "evolution.population=4"))
        results = run_search(RunDirectory.create(tmp_path / "runs", experiment), Quiet())
        known = AutoModel.from_pretrained(encoder).state_dict()
        (same,) = [r for r in results.measured("candidate") if r.id == searched.best().id]
        body = AutoModel.from_pretrained(results.run.student_folder(same)).state_dict()
        assert all(torch.allclose(tensor, known[name], atol=1e-5) for name, tensor in body.items())

    def test_another_teachers_encoder_is_no_beginning(self, searched: Results, tmp_path: Path) -> None:
        path = write_experiment(tmp_path, distillation={"initial": str(tmp_path / "nothing")})
        with pytest.raises(BadInput, match=r"distillation\.initial: expected the folder of a model"):
            run_search(RunDirectory.create(tmp_path / "runs", load_experiment(path)), Quiet())


class TestBadInput:
    def refused(self, folder: Path, **changes: Any) -> str:
        with pytest.raises(BadInput) as caught:
            search(folder, **changes)
        assert not (folder / "runs" / ".cache" / "corpora").exists()  # before anything was tokenised
        return str(caught.value)

    def test_a_teacher_with_too_few_layers(self, tmp_path: Path) -> None:
        path = write_encoder_experiment(tmp_path / "deep")
        space = path.parent / "space.yaml"
        space.write_text(space.read_text().replace("layers:\n  - 1", "layers:\n  - 1\n  - 3"))
        with pytest.raises(BadInput, match="1 layers"):
            run_search(RunDirectory.create(tmp_path / "runs", load_experiment(path)), Quiet())
        assert not (tmp_path / "runs" / ".cache" / "corpora").exists()

    def test_blocks_longer_than_the_teachers_positions(self, tmp_path: Path) -> None:
        assert "corpus.block_length" in self.refused(tmp_path / "long", corpus={"block_length": 64})

    def test_a_target_without_what_it_needs(self, tmp_path: Path) -> None:
        for changes, key in (({"corpus": None}, "corpus"), ({"distillation": {"target": "task"}}, "task")):
            with pytest.raises(BadInput, match=f"{key}: "):
                load_experiment(write_encoder_experiment(tmp_path / key, **changes))

    def test_a_space_whose_students_read_other_tokens(self, tmp_path: Path) -> None:
        path = write_encoder_experiment(tmp_path / "made")
        (tmp_path / "sub").mkdir()
        graph = Path(__file__).parents[2] / "search_spaces" / "robust_input.yaml"
        message = rosearch("check", path, "-o", f"search_space={graph}", cwd=tmp_path, expect=3).stderr
        assert "wordpiece alone" in message

    def test_an_experiment_without_a_task_where_one_is_needed(self, searched: Results, tmp_path: Path) -> None:
        path = write_encoder_experiment(tmp_path / "made")
        message = rosearch(
            "distil", "--student", "bert_mini", "--task", path, "--to", tmp_path / "out", cwd=tmp_path, expect=3
        ).stderr
        assert "a task" in message
