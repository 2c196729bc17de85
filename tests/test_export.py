from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import lyricgen
from export import cli
from export.run import export_session
from export.verify import ParityError, measure_bits_per_character, measure_parity
from lyricgen.step_model import ModelFile
from tests.conftest import Apps, Runner
from tests.make_fake_model import fake_card, fake_model_bytes, fake_weights
from train.config import CorpusConfig, ModelConfig, TrainConfig
from train.corpus import load_corpus
from train.evaluation import held_out_bits_per_character
from train.model import CharLSTM
from train.session import BestWeights, Parent, Session

READING = CorpusConfig(held_out_share=0.3, rare_character_share=0)


def new_session(
    folder: Path,
    corpus_path: Path,
    layers: int = 2,
    reading: CorpusConfig = READING,
    parent: Parent | None = None,
) -> Session:
    """A session with random weights, as if its training were over."""
    config = TrainConfig(model=ModelConfig(layers=layers, hidden_size=16), corpus=reading)
    session = Session.create(folder, config, load_corpus(corpus_path, reading, licence="ours"), parent)
    torch.manual_seed(1)
    session.save_best(BestWeights(session.new_model().state_dict(), 5, 5.0))
    return session


@pytest.fixture
def session(tmp_path: Path, small_corpus_path: Path) -> Session:
    return new_session(tmp_path / "checkpoints", small_corpus_path)


@pytest.fixture
def export(run: Apps, session: Session, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """python -m export in the folder that holds the session."""
    monkeypatch.chdir(session.folder.parent.parent)
    return run(cli.app, "python -m export")


def test_the_file_carries_its_provenance_and_the_printed_figures(export: Runner, session: Session) -> None:
    outcome = export("--session", 0)
    assert (outcome.code, outcome.err) == (0, "")
    card = lyricgen.load("exported_models/session_0.onnx").card
    assert card.vocabulary == session.vocabulary
    assert card.provenance.session == "session_0"
    assert card.provenance.corpus_sha256 == session.corpus.sha256
    assert card.provenance.corpus_licence == "ours"
    assert f"{card.quality.held_out_bits_per_character:.4f} bits per character" in outcome.out
    assert f"at most {card.quality.parity_logits:.0e}, the final state by" in outcome.out
    assert card.quality.parity_steps >= 200
    assert card.quality.held_out_symbols == session.songs("held_out").symbols
    assert [path.name for path in Path("exported_models").iterdir()] == ["session_0.onnx"]


def test_the_file_says_that_its_songs_have_titles(tmp_path: Path, small_corpus_path: Path) -> None:
    for number, titles in enumerate((False, True)):
        new_session(tmp_path / "checkpoints", small_corpus_path, reading=replace(READING, titles=titles))
        path = export_session(number, tmp_path, tmp_path / "checkpoints").path
        assert lyricgen.load(path).card.title_line == titles


def test_the_file_says_what_it_was_fine_tuned_from(session: Session, small_corpus_path: Path) -> None:
    checkpoints, parent = session.folder.parent, session.as_parent()
    new_session(checkpoints, small_corpus_path, parent=parent)
    cards = [export_session(number, checkpoints, checkpoints).card for number in (0, 1)]
    assert [card.provenance.base_model for card in cards] == ["", parent.name]
    assert parent.name.startswith("session_0, trained on small_songs.csv")


def test_the_next_command_writes_a_song(export: Runner, run: Apps) -> None:
    from lyricgen import cli as run_cli

    last = export("--session", 0).out.splitlines()[-1]
    words = last.removeprefix("next: ").split()
    assert words[0] == "lyricgen-run"
    assert run(run_cli.app, words[0])(*words[1:], "--max-length", 50).code == 0


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_file_and_pytorch_agree(tmp_path: Path, small_corpus_path: Path, layers: int) -> None:
    session = new_session(tmp_path / "checkpoints", small_corpus_path, layers)
    exported = export_session(0, tmp_path / "out", tmp_path / "checkpoints")
    assert exported.card.quality.parity_logits <= 1e-5
    assert exported.card.quality.parity_state <= 1e-5
    model = session.new_model()
    model.load_state_dict(session.load_best().weights)
    songs = session.songs("held_out")
    in_torch = held_out_bits_per_character(model, songs)
    assert measure_bits_per_character(ModelFile(exported.path), songs) == pytest.approx(in_torch, abs=1e-5)
    assert exported.card.quality.held_out_bits_per_character == round(in_torch, 4)


def test_exporting_twice_gives_the_same_bytes(session: Session, tmp_path: Path) -> None:
    files = [export_session(0, tmp_path / name, session.folder.parent).path for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_session_without_its_songs_keeps_the_figure_of_its_weights(
    session: Session, tmp_path: Path
) -> None:
    def exported_bits() -> float | None:
        card = export_session(0, tmp_path, session.folder.parent).card
        return card.quality.held_out_bits_per_character

    measured = exported_bits()
    (session.folder / "songs/held_out.npy").unlink()
    assert measured is not None
    assert exported_bits() == measured
    session.save_best(BestWeights(session.new_model().state_dict(), 6, 5.0))
    assert exported_bits() is None


def test_parity_notices_a_wrong_weight(tmp_path: Path) -> None:
    card, weights = fake_card(), fake_weights(fake_card())
    config = ModelConfig(layers=card.layers, hidden_size=card.hidden_size)
    model = CharLSTM(card.vocabulary.input_size, card.vocabulary.output_size, config)
    model.load_state_dict({name: torch.from_numpy(weight.copy()) for name, weight in weights.items()})
    path = tmp_path / "model.onnx"
    path.write_bytes(fake_model_bytes())
    parity = measure_parity(model, ModelFile(path))
    assert 0 < parity.logits < 1e-4
    for name in weights:
        wrong = {key: torch.from_numpy(weight.copy()) for key, weight in weights.items()}
        wrong[name].view(-1)[0] += 0.01
        model.load_state_dict(wrong)
        with pytest.raises(ParityError, match="differs from PyTorch"):
            measure_parity(model, ModelFile(path))


def test_a_failed_proof_leaves_no_file(export: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.verify.MAX_DIFFERENCE", 1e-12)
    export("--session", 0).assert_one_line_error(1, "differs from PyTorch", "Nothing was written")
    assert list(Path("exported_models").iterdir()) == []


def test_weights_that_are_not_finite_fail_the_proof(export: Runner, session: Session) -> None:
    weights = session.new_model().state_dict()
    weights["output.bias"][3] = np.nan
    session.save_best(BestWeights(weights, 1, 5.0))
    export("--session", 0).assert_one_line_error(1, "Nothing was written")


def test_no_such_session_is_one_line(export: Runner) -> None:
    export("--session", 8).assert_one_line_error(1, "session_8: no such session; those in checkpoints: 0")


@pytest.mark.parametrize("arguments", [[], ["--session", "x"], ["--session", "0", "--int4"]])
def test_a_wrong_option_is_one_line_and_exit_2(export: Runner, arguments: list[str]) -> None:
    export(*arguments).assert_one_line_error(2, "--")


def test_weights_of_another_shape_are_one_line(export: Runner, session: Session) -> None:
    other = replace(session.config, model=ModelConfig(layers=2, hidden_size=8))
    session.facts = replace(session.facts, config=other)
    session.save_best(BestWeights(session.new_model().state_dict(), 1, 5.0))
    export("--session", 0).assert_one_line_error(1, "its weights do not fit its config.json")


def test_an_unwritable_folder_is_one_line(export: Runner) -> None:
    Path("exported_models").write_text("in the way")
    export("--session", 0).assert_one_line_error(1, "exported_models", "cannot be written")


def test_a_session_without_weights_is_one_line(export: Runner, session: Session) -> None:
    (session.folder / "best.safetensors").unlink()
    export("--session", 0).assert_one_line_error(1, "no validation yet")


def test_the_graph_has_few_nodes_and_none_that_could_be_a_constant() -> None:
    graph = onnx.load_from_string(fake_model_bytes()).graph
    constants = {tensor.name for tensor in graph.initializer}
    assert len(graph.node) == 2 + 12 + 12 + 2 + 3  # split states, two layers, stack states, logits
    assert all(set(node.input) - constants for node in graph.node)
