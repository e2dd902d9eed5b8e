from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from resources.tiny_encoder import write_encoder
from resources.tiny_tagger import write_nltk_tagger, write_tagger
from resources.tiny_wordnet import write_oewn, write_wndb
from transformers import BertForMaskedLM

from rosearch.errors import BadInput, MissingResource
from rosearch.resources import places
from rosearch.resources.resources import RESOURCES, VARIABLE, Resources


@pytest.fixture(autouse=True)
def _bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the variable, nor Debian's WordNet, nor the installed encoder."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(places, "DEBIAN_WORDNET", tmp_path / "no such folder")
    monkeypatch.setattr(places, "ENCODER_PACKAGE", "no-such-package")


def write_all(folder: Path) -> Path:
    write_oewn(folder / "oewn" / "oewn_compact.json.xz")
    write_wndb(folder / "corpora" / "wordnet")
    write_tagger(folder / "taggers")
    write_encoder(folder / "sentence_encoder")
    (folder / "counterfitted_neighbors.json").write_text('{"film": ["movie"]}')
    (folder / "counter-fitted-vectors.txt").write_text("film 1 2\n")
    (folder / "corpus-vectors.txt").write_text("film 3 4\n")
    (folder / "counter-fitting").mkdir()
    (folder / "counter-fitting" / "wordnet_antonyms.txt").write_text("good bad\n")
    (folder / "typos").mkdir()
    (folder / "typos" / "homoglyph_chars.txt").write_text("-_\n")
    write_encoder(folder / "masked_lm", kind=BertForMaskedLM)
    return folder


def test_without_a_folder_nothing_is_there_and_nothing_raises() -> None:
    states = Resources().check()
    assert [state.name for state in states] == list(RESOURCES)
    assert not any(state.found for state in states)
    assert all(state.hint and state.purpose and not state.place for state in states)


def test_the_variable_names_the_folder_and_an_argument_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "counterfitted_neighbors.json").write_text('{"film": ["movie"]}')
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert Resources().neighbours().of("film") == ["movie"]
    (tmp_path / "empty").mkdir()
    assert not Resources(tmp_path / "empty").has("neighbours")


def test_a_whole_folder_has_every_resource_and_each_of_them_loads(tmp_path: Path) -> None:
    resources = Resources(write_all(tmp_path / "r"))
    states = {state.name: state for state in resources.check()}
    assert all(state.found for state in states.values()), states
    assert states["wordnet-3.0"].edition == "WordNet 3.0"
    assert resources.wordnet().edition == resources.wordnet("wordnet-3.0").edition == "WordNet 3.0"
    assert resources.wordnet("oewn").edition == "Open English WordNet"
    assert resources.neighbours().of("film") == ["movie"]
    assert resources.sentence_encoder().encode(["a film"]).shape[0] == 1
    assert resources.tagger().tag(["film"])
    assert resources.homoglyphs() == {"-": ("_",)}
    assert resources.vectors().matrix.tolist() == [[1, 2]]
    assert resources.corpus_vectors().matrix.tolist() == [[3, 4]]
    assert resources.antonyms()["bad"] == {"good"}
    assert resources.masked_lm() == tmp_path / "r" / "masked_lm"


def test_the_open_wordnet_stands_in_where_princetons_is_not_there(tmp_path: Path) -> None:
    write_oewn(tmp_path / "oewn" / "oewn_compact.json")
    assert Resources(tmp_path).wordnet().edition == "Open English WordNet"
    with pytest.raises(MissingResource, match=r"wordnet-3\.0 \(install Debian's wordnet-base"):
        Resources(tmp_path).wordnet("wordnet-3.0")


def test_debians_wordnet_is_used_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "DEBIAN_WORDNET", write_wndb(tmp_path / "share" / "wordnet"))
    assert Resources().wordnet("wordnet-3.0").synonyms("movie")


def test_another_edition_in_princetons_files_does_not_pass_for_wordnet_3_0(tmp_path: Path) -> None:
    folder = write_wndb(tmp_path / "wordnet")
    text = (folder / "data.adj").read_text()
    (folder / "data.adj").write_text(text.replace("WordNet 3.0", "WordNet 3.1"))
    assert not Resources(tmp_path).has("wordnet-3.0")


def test_the_open_wordnet_may_come_as_princetons_files_in_nltks_archive(tmp_path: Path) -> None:
    folder = write_wndb(tmp_path / "made" / "english_wordnet")
    (tmp_path / "corpora").mkdir()
    shutil.make_archive(str(tmp_path / "corpora" / "english_wordnet"), "zip", tmp_path / "made", folder.name)
    wordnet = Resources(tmp_path).wordnet()
    assert wordnet.edition == "Open English WordNet"
    assert wordnet.synonyms("movies") == ["film", "flick", "motion_picture", "movie"]


def test_the_encoder_of_an_installed_package_is_found_and_the_package_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_encoder(tmp_path / "some_encoder" / "model")
    (tmp_path / "some_encoder" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(places, "ENCODER_PACKAGE", "some-encoder")
    assert Resources().find("sentence_encoder").place == tmp_path / "some_encoder" / "model"
    assert Resources().sentence_encoder().encode(["a film"]).shape[0] == 1


def test_nltks_own_layout_serves_the_tagger(tmp_path: Path) -> None:
    write_nltk_tagger(tmp_path / "nltk_data" / "taggers")
    assert Resources(tmp_path).tagger().tag(["."]) == [(".", ".")]


def test_a_tagger_without_the_map_of_its_tags_is_missing(tmp_path: Path) -> None:
    write_tagger(tmp_path)
    shutil.rmtree(tmp_path / "universal_tagset")
    with pytest.raises(MissingResource, match=r"universal_tagset\.zip"):
        Resources(tmp_path).tagger()


def test_all_that_is_missing_is_one_line_with_who_asks_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "counterfitted_neighbors.json").write_text("{}")
    with pytest.raises(MissingResource) as caught:
        Resources(tmp_path).require(["neighbours", "wordnet", "masked_lm", "masked_lm"], "attack bae-minilm")
    told = str(caught.value)
    assert told.startswith("attack bae-minilm needs local files that are not there: wordnet (")
    assert told.count("masked_lm (") == 1
    assert "neighbours" not in told
    assert "wordnet-base" in told and "Open English WordNet" in told
    assert f"Looked in {tmp_path};" in told
    assert "rosearch attack resources --check" in told
    assert "\n" not in told


def test_a_missing_line_says_where_no_folder_was_named_and_where_it_is_none(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match="Name a folder with them in the environment variable ROSEARCH_RESOURCES"):
        Resources().require(["vectors"], "attack textfooler")
    with pytest.raises(MissingResource, match="which is no folder"):
        Resources(tmp_path / "absent").require(["vectors"], "attack textfooler")


def test_what_is_there_is_not_complained_of(tmp_path: Path) -> None:
    Resources(write_all(tmp_path / "r")).require(["wordnet", *RESOURCES], "attack")


def test_a_name_that_is_no_resource_lists_those_that_are() -> None:
    with pytest.raises(BadInput, match=r"one of wordnet, wordnet-3\.0, oewn, neighbours"):
        Resources().require(["embedding"], "attack")


def test_a_resource_is_loaded_once_for_the_whole_process(tmp_path: Path) -> None:
    write_all(tmp_path / "r")
    assert Resources(tmp_path / "r").wordnet() is Resources(tmp_path / "r").wordnet()
    assert Resources(tmp_path / "r").sentence_encoder() is Resources(tmp_path / "r").sentence_encoder("cpu")


def test_a_fingerprint_follows_contents_and_neither_names_order_nor_the_folders_place(tmp_path: Path) -> None:
    one = Resources(write_all(tmp_path / "one"))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    two = Resources(tmp_path / "two")
    names = ["neighbours", "wordnet", "sentence_encoder", "tagger"]
    before = two.fingerprint(names)
    assert len(before) == 32
    assert one.fingerprint(list(reversed(names))) == before
    assert one.fingerprint(["wordnet"]) != one.fingerprint(["oewn"])
    (tmp_path / "two" / "counterfitted_neighbors.json").write_text(json.dumps({"film": ["flick"]}))
    assert two.fingerprint(names) != before
    with pytest.raises(MissingResource):
        Resources().fingerprint(["neighbours"])


def test_importing_and_checking_loads_nothing_heavy(tmp_path: Path) -> None:
    write_all(tmp_path / "r")
    code = (
        "import sys; from pathlib import Path\n"
        "from rosearch.resources.resources import Resources\n"
        f"assert all(state.found for state in Resources(Path({str(tmp_path / 'r')!r})).check())\n"
        "heavy = {'torch', 'nltk', 'transformers', 'textattack', 'tokenizers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
