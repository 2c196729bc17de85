import csv
import json
import math
import shutil
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

import lyricgen
from export import cli, verify
from export.held_out import load_measured
from export.run import Exported, ExportRequest, export_session, new_card
from export.step import build_step, quantize, serialize
from export.verify import ProofError, check_cost, check_parity, measure_bits_per_character, measure_parity
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.model_file.card import HeldOut, Parity
from lyricgen.model_file.step_graph import step_graph
from lyricgen.song.originality import KnownLines, telling_words
from lyricgen.terminal.info import describe
from tests.conftest import Apps, Runner
from tests.make_fake_model import fake_card, fake_weights
from tests.runtime.test_step_model import reference_step
from tests.train.test_corpus import write_table
from train.config import CorpusConfig, ModelConfig, TrainConfig
from train.corpus.load import load_corpus
from train.evaluation import bits_by_part, held_out_bits_per_character
from train.session import BestWeights, Parent, Session
from train.session_folders import SessionError

Array = npt.NDArray[Any]
READING = CorpusConfig(held_out_share=0.3, rare_character_share=0)


def new_session(
    folder: Path, path: Path, layers: int = 2, reading: CorpusConfig = READING, parent: Parent | None = None
) -> Session:
    """A session with random weights, as if its training were over."""
    config = TrainConfig(model=ModelConfig(layers=layers, hidden_size=16), corpus=reading)
    corpus = load_corpus(path, reading, licence="ours")
    # With shapes, the golden song would have a form, which random weights hardly ever meet.
    corpus = replace(corpus, facts=replace(corpus.facts, shapes=()))
    session = Session.create(folder, config, corpus, parent)
    torch.manual_seed(1)
    session.save_best(BestWeights(session.new_model().state_dict(), 5, 5.0))
    return session


def exported(number: int, folder: Path, precision: str = "int8") -> Exported:
    """Export a session of `folder`/checkpoints into `folder`."""
    return export_session(ExportRequest(number, precision, folder=folder, checkpoints=folder / "checkpoints"))


@pytest.fixture
def session(tmp_path: Path, small_corpus_path: Path) -> Session:
    return new_session(tmp_path / "checkpoints", small_corpus_path)


@pytest.fixture
def export(run: Apps, session: Session, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """python -m export in the folder that holds the session."""
    monkeypatch.chdir(session.folder.parent.parent)
    return run(cli.app, "python -m export")


def unwrapped(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("precision", "name"), [("int8", "session_0.onnx"), ("fp32", "session_0_fp32.onnx")])
def test_every_printed_figure_stands_in_the_file(export: Runner, precision: str, name: str) -> None:
    code, out, err = astuple(export("--session", 0, "--precision", precision))
    assert (code, err) == (0, "")
    path = Path("exported_models", name)
    assert list(path.parent.iterdir()) == [path]
    card = lyricgen.load(path).card
    assert card.precision == precision
    parity, bits, song = card.parity, card.held_out, card.golden_song
    assert bits is not None
    assert bits.bits_per_character == getattr(bits, f"{precision}_bits_per_character")
    assert min(parity.kl_divergence, parity.max_logit_difference, parity.max_state_difference) > 0
    for fact in (
        f"{path} network 2 × 16 LSTM in {precision}, {len(onnx.load(path).graph.node)} nodes",
        f"size {path.stat().st_size / 1e3:.1f} kB; in ",
        f"PyTorch in float64, over {parity.steps:,} random characters",
        f"the same likeliest character in {parity.argmax_agreement:.2%}",
        f"KL divergence {parity.kl_divergence:.1e} bits per step",
        f"at most {parity.max_logit_difference:.1e} in logits, {parity.max_state_difference:.1e} in the",
        f"bits per character over {bits.symbols:,} symbols of session_0, held out",
        f"PyTorch {bits.pytorch_bits_per_character:.4f}, fp32 {bits.fp32_bits_per_character:.4f}",
        f"int8 {bits.int8_bits_per_character:.4f} its songs not measured; python -m train.report --session 0",
        f"golden song of seed {song.seed}: {song.characters:,} characters, sha256 {song.sha256[:16]}…",
        f"temperature 0.75 is suggested; --temperature changes it next: lyricgen-run --model {path}",
    ):
        assert fact in unwrapped(out)
    assert max(map(len, out.splitlines())) <= 80


def test_a_file_that_the_runtime_does_not_open_is_not_written(
    export: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents: list[bytes] = []

    def damaged_at_last(step: onnx.ModelProto) -> bytes:
        contents.append(serialize(step))
        return (
            contents[-1][:-1] if len(contents) == 3 else contents[-1]
        )  # after int8 and fp32 to measure with

    monkeypatch.setattr("export.run.serialize", damaged_at_last)
    export("--session", 0).assert_one_line_error(1, "session_0.onnx: cut off or damaged")
    assert list(Path("exported_models").iterdir()) == []


def test_a_session_in_training_is_exported_with_a_word_about_it(export: Runner, session: Session) -> None:
    with session.locked():
        outcome = export("--session", 0)
    assert outcome.code == 0
    assert outcome.err == "session 0 is still being trained: these are its best weights so far\n"


def test_what_its_maker_says_of_it_stands_in_the_file(export: Runner, session: Session) -> None:
    (session.folder / "about.txt").write_text("Sings of\n  the sea,\r\n\nin Frisian: \u00e2.\n", "utf-8")
    assert export("--session", 0).code == 0
    model = lyricgen.load("exported_models/session_0.onnx")
    assert model.card.about == "Sings of the sea, in Frisian: \u00e2."
    assert describe(model.card, "x", 1).startswith("Sings of the sea, in Frisian: \u00e2.\n\n")


def verses(ends: list[str], words: list[str], count: int) -> list[list[str]]:
    """Rows of songs of two stanzas, a line for each last word; the words before it are drawn."""
    draw = np.random.default_rng(0).choice
    return [
        ["\n\n".join("\n".join(" ".join((*draw(words, 4), end)) for end in ends) for _ in range(2))]
        for _ in range(count)
    ]


ENGLISH_WORDS = ["sun", "moon", "old", "cold", "green", "blue", "dog", "cat", "is", "was", "the", "a"]
GERMAN_WORDS = ["Mond", "und", "Sonne", "ist", "nicht", "gegangen", "kalt", "Haus", "durch", "Blatt"]


@pytest.mark.parametrize(
    ("rows", "language", "form", "shapes", "rhymes"),
    [
        (
            verses(["day", "stone", "way", "alone"], ENGLISH_WORDS, 12),
            *("en", "auto", ("1.0 verse ABAB 5,5,5,6",), {"day way", "stone alone"}),
        ),
        (verses(["schwer", "Wind", "Licht", "um"], GERMAN_WORDS, 12), "spelling", "free", (), set()),
    ],
    ids=["English", "German"],
)
def test_what_songs_say_about_form_is_kept_with_the_session_and_stands_in_the_card(
    tmp_path: Path,
    rows: list[list[str]],
    language: str,
    form: str,
    shapes: tuple[str, ...],
    rhymes: set[str],
) -> None:
    corpus = load_corpus(write_table(tmp_path / "songs.csv", "text", rows), READING)
    config = TrainConfig(model=ModelConfig(layers=1, hidden_size=4), corpus=READING)
    session = Session.open(tmp_path, Session.create(tmp_path, config, corpus).number)
    facts = session.corpus
    assert facts == corpus.facts
    assert (facts.language, facts.shapes, set(facts.rhymes)) == (language, shapes, rhymes)
    card = new_card(session, "int8")
    assert (card.language, card.suggested_form) == (language, form)
    assert (tuple(map(str, card.shapes)), card.rhymes) == (facts.shapes, facts.rhymes)


def test_the_styles_that_its_maker_suggests_stand_in_the_file(export: Runner, session: Session) -> None:
    session.vocabulary = replace(session.vocabulary, styles=("folk", "Hymn"))
    (session.folder / "suggested_styles.txt").write_text("hymn\n\n FOLK\nhymn\n", "utf-8")
    assert new_card(session, "int8").suggested_styles == ("Hymn", "folk")
    (session.folder / "suggested_styles.txt").write_text("rock")
    said = "suggested_styles.txt is damaged (no style 'rock'); expected some of no styles, a line each"
    export("--session", 0).assert_one_line_error(1, said)


def test_the_file_knows_the_lines_that_were_read_if_that_is_wished(export: Runner, session: Session) -> None:
    path = "exported_models/session_0.onnx"
    assert export("--session", 0).code == 0
    assert lyricgen.load(path).card.known_lines == ""
    assert export("--session", 0, "--known-lines").code == 0
    packed = lyricgen.load(path).card.known_lines
    known = KnownLines(packed)
    bodies = session.songs("training").bodies(session.vocabulary, titles=False)
    telling = [line for body in bodies for line in body.split("\n") if telling_words(line)]
    assert len(telling) >= 10
    assert all(line in known for line in telling)
    shutil.rmtree(session.folder / "songs")
    assert new_card(session, "int8").known_lines == packed
    (session.folder / "known_lines.txt").write_text("5:AAAA")
    said = "known_lines.txt is damaged"
    export("--session", 0).assert_one_line_error(1, said, "make it again with --known-lines")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 4001])
def test_what_its_maker_says_must_be_a_short_text(export: Runner, session: Session, content: bytes) -> None:
    (session.folder / "about.txt").write_bytes(content)
    export("--session", 0).assert_one_line_error(1, "about.txt")


def test_other_songs_can_be_measured_on(export: Runner, session: Session, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    known = session.vocabulary.characters[-1]
    (others / "one.txt").write_text(f"{known * 20}ж\n")
    outcome = export("--session", 0, "--held-out", others)
    assert "over 21 symbols of others:" in unwrapped(outcome.out)
    assert "without the 4.76% of their characters that it does not know" in unwrapped(outcome.out)
    model = lyricgen.load("exported_models/session_0.onnx")
    held_out = model.card.held_out
    assert held_out is not None
    assert "\n  left out             4.76% of their characters" in describe(model.card, "a file", 1)
    assert (held_out.songs, held_out.symbols, held_out.coverage) == ("others", 21, 0.952381)
    assert not (session.folder / "held_out.json").exists()  # these are not the session's own


@pytest.mark.parametrize("content", [None, "", "text\n\n"])
def test_songs_to_measure_on_that_cannot_be_read_are_one_line(
    export: Runner, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "others.csv"
    if content is not None:
        path.write_text(content)
    export("--session", 0, "--held-out", path).assert_one_line_error(1, "others.csv")
    assert list(Path("exported_models").iterdir()) == []


def test_the_file_says_where_it_comes_from(session: Session, small_corpus_path: Path) -> None:
    checkpoints, parent = session.folder.parent, session.as_parent()
    new_session(checkpoints, small_corpus_path, reading=replace(READING, titles=False), parent=parent)
    first, second = (exported(number, checkpoints.parent).card for number in (0, 1))
    assert first.vocabulary == session.vocabulary
    assert (first.provenance.session, second.provenance.session) == ("session_0", "session_1")
    assert first.provenance.corpus_sha256 == session.corpus.sha256
    assert first.provenance.corpus_licence == "ours"
    assert (first.title_line, second.title_line) == (True, False)
    assert (first.provenance.base_model, second.provenance.base_model) == ("", parent.name)
    assert parent.name.startswith("session_0, trained on small_songs.csv")


def test_the_next_command_writes_a_song(export: Runner, run: Apps) -> None:
    from lyricgen.terminal import run as run_cli

    last = export("--session", 0).out.splitlines()[-1]
    words = last.removeprefix("next: ").split()
    assert words[0] == "lyricgen-run"
    assert run(run_cli.app, words[0])(*words[1:], "--max-length", 50).code == 0


@pytest.mark.parametrize("precision", ["int8", "fp32"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_file_and_pytorch_agree(tmp_path: Path, small_corpus_path: Path, layers: int, precision: str) -> None:
    session = new_session(tmp_path / "checkpoints", small_corpus_path, layers)
    done = exported(0, tmp_path, precision)
    held_out = done.card.held_out
    assert held_out is not None
    if precision == "fp32":
        assert done.card.parity.max_logit_difference <= 1e-5
        assert done.card.parity.max_state_difference <= 1e-5
    assert done.card.parity.kl_divergence <= 1e-3
    model = session.new_model()
    model.load_state_dict(session.load_best().weights)
    songs = session.songs("held_out")
    in_torch = held_out_bits_per_character(model, songs)
    through_file = measure_bits_per_character(ModelFile(done.path), songs)
    assert through_file == pytest.approx(in_torch, abs=1e-5 if precision == "fp32" else 1e-2)
    assert held_out.pytorch_bits_per_character == round(in_torch, 4)
    assert held_out.bits_per_character == round(through_file, 4)
    if precision == "fp32":
        assert held_out.fp32_bits_per_character == held_out.bits_per_character


def test_titles_and_lyrics_together_cost_what_songs_do(session: Session, tmp_path: Path) -> None:
    file, songs, words = (
        ModelFile(exported(session.number, tmp_path).path),
        session.songs("training"),
        session.vocabulary,
    )
    line_end = words.encode("\n")[0]
    texts = [words.decode(songs.tokens_of(n)[:-1].tolist()) for n in range(len(songs))]
    titles = sum(text.index("\n\n") + 2 for text in texts)
    parts, whole = bits_by_part(file, songs, line_end), measure_bits_per_character(file, songs)
    assert parts.titles * titles + parts.lyrics * (songs.symbols - titles) == pytest.approx(
        whole * songs.symbols
    )
    assert bits_by_part(file, songs, None).lyrics == pytest.approx(whole)
    no_break = songs.tokens.max() + 1  # no song has an empty line of this
    assert bits_by_part(file, songs, int(no_break)).titles == 0


def test_exporting_twice_gives_the_same_bytes(session: Session, tmp_path: Path) -> None:
    first, second = (exported(session.number, tmp_path).path.read_bytes() for _ in range(2))
    assert first == second


def test_a_session_without_its_songs_keeps_the_scores_of_its_weights(
    export: Runner, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = exported(0, tmp_path)
    assert measured.card.held_out is not None
    assert measured.remark == ""
    (session.folder / "songs/held_out.npy").unlink()
    assert exported(0, tmp_path).card == measured.card
    assert "(measured when the session had its songs, same weights)" in unwrapped(export("--session", 0).out)

    def coarser(matrix: Array) -> tuple[Array, Array]:
        whole, scales = quantize(matrix)
        return np.trunc(whole / 2).astype(np.int8), 2 * scales

    with monkeypatch.context() as other_quantisation:
        other_quantisation.setattr("export.step.quantize", coarser)
        assert exported(0, tmp_path).card.held_out is None
    session.save_best(BestWeights(session.new_model().state_dict(), 6, 5.0))
    assert "not measured: the session came without its held-out songs" in export("--session", 0).out


SCORES = {"steps_sha256": "abc", "symbols": 7, "coverage": 1, "pytorch": 1.5, "fp32": 1.5, "int8": 1.51}


def test_figures_that_are_kept_belong_to_their_steps(tmp_path: Path) -> None:
    assert load_measured(tmp_path, "abc", "songs", "int8") is None
    (tmp_path / "held_out.json").write_text(json.dumps(SCORES))
    assert load_measured(tmp_path, "abc", "songs", "int8") == HeldOut("songs", 7, 1.0, 1.51, 1.5, 1.5, 1.51)
    assert load_measured(tmp_path, "abd", "songs", "int8") is None


WRONG_SCORES: dict[str, list[object]] = {
    "symbols": [0, -5, math.inf, "7"],
    "coverage": [2],
    "pytorch": [10**400],
    "fp32": [-1],
    "int8": [math.nan, None],
}


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{}", '{"steps_sha256": "abc"}', "[" * 100_000),
        *(json.dumps(SCORES | {key: wrong}) for key, values in WRONG_SCORES.items() for wrong in values),
        *(json.dumps({name: SCORES[name] for name in SCORES if name != key}) for key in SCORES),
    ],
)
def test_damaged_figures_are_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "held_out.json").write_text(content)
    with pytest.raises(SessionError, match=r"held_out\.json is damaged"):
        load_measured(tmp_path, "abc", "songs", "int8")


def test_fp32_parity_notices_a_wrong_weight(session: Session, tmp_path: Path) -> None:
    file = ModelFile(exported(0, tmp_path, "fp32").path)
    model, weights = session.new_model(), session.load_best().weights
    for name, weight in weights.items():
        wrong = weight.clone()
        wrong.view(-1)[0] += 0.01
        model.load_state_dict(weights | {name: wrong})
        with pytest.raises(ProofError, match="in fp32 is too far from the trained model"):
            check_parity(measure_parity(model, file), "fp32")


def test_int8_parity_notices_gates_in_the_wrong_order(session: Session, tmp_path: Path) -> None:
    file = ModelFile(exported(0, tmp_path).path)
    model, weights = session.new_model(), session.load_best().weights
    i, f, g, o = weights["lstm.weight_hh_l1"].chunk(4)
    model.load_state_dict(weights | {"lstm.weight_hh_l1": 3 * torch.cat([f, i, g, o])})
    with pytest.raises(ProofError, match=r"in int8 .* KL divergence in bits per step: .* at most 0\.02"):
        check_parity(measure_parity(model, file), "int8")


@pytest.mark.parametrize(
    ("symbols", "divergence", "allowed", "refused"),
    [
        (10**8, 0.003, 2.0049, 2.0052),
        (10**8, 0.003, 2.0049, math.nan),
        (349, 0.003, 2.0198, 2.0201),  # of few symbols no more is asked than chance allows
        (349, 1e-9, 2.0049, 2.0052),
    ],
)
def test_int8_that_predicts_worse_fails_the_proof(
    symbols: int, divergence: float, allowed: float, refused: float
) -> None:
    parity = Parity(1000, 0.5, 0.1, divergence, 0.96)
    check_cost(HeldOut("", symbols, 1.0, allowed, 2.0, 2.0, allowed), parity, "int8")
    with pytest.raises(ProofError, match=r"int8 .*expected at most 0\.0\d+ more than PyTorch's 2\.0000"):
        check_cost(HeldOut("", symbols, 1.0, refused, 2.0, 2.0, refused), parity, "int8")


def test_a_failed_proof_writes_nothing(export: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("exported_models/session_0.onnx")
    with monkeypatch.context() as strict:
        strict.setitem(verify.MAX_DIVERGENCE, "int8", 0.0)
        export("--session", 0).assert_one_line_error(
            1, "in int8 is too far from the trained model", "Nothing was written; try --precision fp32"
        )
        assert list(path.parent.iterdir()) == []
        assert export("--session", 0, "--precision", "fp32").code == 0  # int8's failure is not its own
    assert export("--session", 0).code == 0
    before = path.read_bytes()
    monkeypatch.setitem(verify.MAX_COST, "int8", -1.0)
    assert export("--session", 0).code == 1
    assert path.read_bytes() == before


def test_versions_of_the_songs_of_the_training_are_not_measured_on(
    export: Runner, session: Session, small_corpus_path: Path, tmp_path: Path
) -> None:
    refused = "the session was trained on these songs; measure on others"
    export("--session", 0, "--held-out", small_corpus_path).assert_one_line_error(1, refused)
    with small_corpus_path.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    folder = tmp_path / "others"
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(f"{text}\nand one line more", "utf-8")
    outcome = export("--session", 0, "--held-out", folder)
    versions = session.corpus.training_songs
    assert f"(left out: {versions} versions of songs of the training)" in unwrapped(outcome.out)
    (session.folder / "songs/training.npy").unlink()
    assert "(left out: those of the training could not be looked for)" in unwrapped(
        export("--session", 0, "--held-out", folder).out
    )


def test_other_songs_may_be_called_and_written_otherwise(export: Runner, tmp_path: Path) -> None:
    path = tmp_path / "others\x1b[2J.csv"
    path.write_text("lyrics\nla la caf\xe9\n\nla la caf\xe9\n", "latin-1")
    arguments = ("--session", 0, "--held-out", path)
    export(*arguments).assert_one_line_error(1, "--text-column")
    export(*arguments, "--text-column", "lyrics").assert_one_line_error(1, "--encoding")
    outcome = export(*arguments, "--encoding", "latin-1", "--text-column", "lyrics")
    assert outcome.code == 0
    assert "symbols of others\\x1b[2J.csv:" in unwrapped(outcome.out)
    assert "(left out: 1 repeated text)" in unwrapped(outcome.out)


def test_a_model_beyond_the_size_limit_is_one_line(export: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.run.MAX_FILE_BYTES", 1000)
    export("--session", 0).assert_one_line_error(1, "session_0: too large for a model file")


def test_weights_that_are_wrong_or_missing_are_one_line(export: Runner, session: Session) -> None:
    weights = session.new_model().state_dict()
    bias = weights["output.bias"]
    for wrong, message in ((math.nan * bias, "are not finite"), (bias[1:], "do not fit its config.json")):
        session.save_best(BestWeights(weights | {"output.bias": wrong}, 1, 5.0))
        export("--session", 0).assert_one_line_error(1, f"session_0: its weights {message}")
    (session.folder / "best.safetensors").unlink()
    export("--session", 0).assert_one_line_error(1, "no validation yet")


def test_without_a_number_the_newest_session_with_weights_is_exported(
    export: Runner, session: Session
) -> None:
    for number in (1, 2):
        shutil.copytree(session.folder, session.folder.with_name(f"session_{number}"))
    (session.folder.with_name("session_2") / "best.safetensors").unlink()
    outcome = export()
    assert outcome.err == "session 1 is the newest with weights\n"
    assert outcome.out.startswith("exported_models/session_1.onnx\n")
    for weights in session.folder.parent.glob("*/best.safetensors"):
        weights.unlink()
    export().assert_one_line_error(1, "no session there has weights")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--session", 8], 1, "session_8: no such session; those in checkpoints: 0"),
        (["--session", "x"], 2, "--session"),
        (["--precision", "int4"], 2, "--precision"),
        (["--held-out", ""], 2, "'--held-out': a path cannot be empty"),
        (["--encoding", "latin-1"], 2, "--encoding must be used together with --held-out"),
    ],
)
def test_a_wrong_option_is_one_line(export: Runner, arguments: list[object], code: int, message: str) -> None:
    export(*arguments).assert_one_line_error(code, message)


def test_what_is_in_the_way_is_found_before_the_measuring(
    export: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.run.measure_parity", None)
    folder = Path("exported_models")
    folder.write_text("")
    export("--session", 0).assert_one_line_error(1, "exported_models is no folder, but a file")
    folder.unlink()
    Path(folder, "session_0.onnx").mkdir(parents=True)
    export("--session", 0).assert_one_line_error(1, "session_0.onnx: is a folder")


@pytest.mark.parametrize(
    ("precision", "layers", "nodes"), [("int8", 2, 34), ("fp32", 2, 31), ("int8", 1, 17)]
)
def test_the_graph_has_few_nodes_and_none_that_could_be_a_constant(
    precision: str, layers: int, nodes: int
) -> None:
    graph = step_graph(replace(fake_card(precision), layers=layers))
    assert len(graph.nodes) == nodes
    assert all(set(node.inputs) - set(graph.constants) for node in graph.nodes)


def test_quantised_weights_are_whole_numbers_of_seven_bits() -> None:
    matrix = np.random.default_rng(3).normal(0, 1, (40, 30)).astype(np.float32)
    matrix[:, 7] = 0
    whole, scales = quantize(matrix)
    assert whole.dtype == np.int8
    assert np.abs(whole[:, np.arange(30) != 7]).max(axis=0).tolist() == [63] * 29
    assert (whole[:, 7] == 0).all()
    assert (np.abs(whole * scales - matrix) <= scales * 0.5001).all()


def test_the_biases_of_gates_survive_columns_without_weights() -> None:
    """Biases are stored in scales of their columns, which are tiny or none where there are no weights."""
    card = fake_card("int8")
    weights = {name: weight.copy() for name, weight in fake_weights(fake_card()).items()}
    for name in ("lstm.weight_ih_l1", "lstm.weight_hh_l1"):
        weights[name][0] = 0.0
        weights[name][1] = 1e-38
        weights[name][2] = 1e-15
    content = serialize(build_step(weights, card))
    model = StepModel(ModelFile(Path("tiny"), content))
    hidden = cell = np.zeros((2, 1, card.hidden_size))
    double = {name: weight.astype(np.float64) for name, weight in weights.items()}
    for token in (0, 3, 4):
        model.token[0] = token
        model.step()
        _, hidden, cell = reference_step(double, np.array([token]), hidden, cell)
        np.testing.assert_allclose(model.state, [hidden, cell], atol=0.05)
