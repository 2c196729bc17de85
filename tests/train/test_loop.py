import math
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lyricgen
from export.run import ExportRequest, export_session
from lyricgen.errors import OptionError
from tests.train.conftest import change_one_bit, full_disk
from train import loop, optimization
from train.auxiliary import AuxiliaryTasks
from train.callbacks import Callbacks, Validation
from train.config import CorpusConfig, ModelConfig, TrainConfig, fine_tuning
from train.corpus.load import ParentModel, load_corpus
from train.distributed import World
from train.evaluation import held_out_bits_per_character, held_out_nats, sample_songs, summed_nats
from train.loop import Trainer, TrainingDivergedError
from train.optimization import scheduled_auxiliary_weight, scheduled_learning_rate
from train.segments import SegmentLoader
from train.session import BestWeights, Checkpoint, Session
from train.session_folders import SessionError

ALONE = World(0, 1, torch.device("cpu"))
CONFIG = TrainConfig(
    model=ModelConfig(layers=2, hidden_size=16, dropout=0.1),
    corpus=CorpusConfig(rare_character_share=0),
    epochs=2,
    slots=4,
    segment_length=16,
    validations_per_epoch=1,
    precision="fp32",
    device="cpu",
)


class Recorder(Callbacks):
    """Remembers what a training tells."""

    def __init__(self) -> None:
        self.best: list[bool] = []
        self.warnings: list[str] = []

    def on_warning(self, problem: str) -> None:
        self.warnings.append(problem)

    def on_validation(self, validation: Validation, *, best: bool) -> None:  # noqa: ARG002
        self.best.append(best)


class Killed(Callbacks):
    """Ends a training as if it had been killed."""

    def on_progress(self, symbols: int, bits_per_character: float) -> None:  # noqa: ARG002
        if symbols > 4000:
            raise RuntimeError("as if killed")


NewTrainer = Callable[..., Trainer]
"""Makes a trainer of a new session; takes what differs from `CONFIG`."""


@pytest.fixture
def new_trainer(tmp_path: Path, small_corpus_path: Path) -> NewTrainer:
    def make(callbacks: Callbacks | None = None, **changes: object) -> Trainer:
        return Trainer(new_session(tmp_path, small_corpus_path, **changes), callbacks or Callbacks(), ALONE)

    return make


def new_session(folder: Path, corpus_path: Path, **changes: object) -> Session:
    config = replace(CONFIG, **changes)  # type: ignore[arg-type]
    corpus = load_corpus(corpus_path, config.corpus, seed=config.seed)
    facts = replace(
        corpus.facts, shapes=()
    )  # of what is exported: the golden song has no form, so it is quick
    return Session.create(folder, config, replace(corpus, facts=facts))


def test_training_learns_and_leaves_a_whole_session(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(epochs=8, validations_per_epoch=0.25)
    before = held_out_bits_per_character(trainer.model, trainer.held_out)
    assert trainer.run() == 0
    best = trainer.progress.best_held_out
    assert best < min(before, math.log2(trainer.session.vocabulary.output_size)) - 1
    assert trainer.session.load_best().held_out_bits_per_character == best
    lines = (trainer.session.folder / "metrics.csv").read_text().splitlines()
    assert len(lines) == 1 + 2
    assert lines[0].startswith("step,characters,epoch,learning_rate,training_bits_per_character")
    model = trainer.session.new_model()
    model.load_state_dict(trainer.session.load_best().weights)
    assert held_out_bits_per_character(model, trainer.held_out) == pytest.approx(best, abs=1e-4)
    assert (trainer.session.folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    samples = sorted((trainer.session.folder / "samples").iterdir())
    assert len(samples) == 2
    heading, *songs = samples[-1].read_text().split("\n\n\n")
    assert heading.startswith(f"after {trainer.progress.symbols:,} characters, ")
    assert "\n\n\n".join(songs).strip()


def test_held_out_bits_are_the_mean_over_symbols_of_each_song_alone(new_trainer: NewTrainer) -> None:
    """The batched measurement against one song at a time, one symbol at a time, without padding."""
    trainer = new_trainer(corpus=CorpusConfig(held_out_share=0.4))
    songs, nats, symbols = trainer.held_out, 0.0, 0
    assert len(songs) > 3
    trainer.model.eval()
    with torch.no_grad():
        for n in range(len(songs)):
            state = trainer.model.initial_state(1)
            for token, unit in zip(*songs.piece(n, 0, 10**6), strict=True):
                logits, state = trainer.model(torch.tensor([[token]]), state)
                nats -= float(torch.log_softmax(logits[0, 0].double(), 0)[unit])
                symbols += 1
    expected = nats / math.log(2) / symbols
    assert held_out_bits_per_character(trainer.model, songs) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("auxiliary_weight", [0.0, 0.1])
def test_a_resumed_run_gives_the_numbers_of_an_uninterrupted_one(
    tmp_path: Path, small_corpus_path: Path, monkeypatch: pytest.MonkeyPatch, auxiliary_weight: float
) -> None:
    whole, cut = (
        new_session(tmp_path, small_corpus_path, auxiliary_weight=auxiliary_weight) for _ in range(2)
    )
    Trainer(whole, Callbacks(), ALONE).run()

    monkeypatch.setattr(loop, "CHECKPOINT_INTERVAL_SECONDS", -1.0)  # a checkpoint after every step
    trainer = Trainer(cut, Killed(), ALONE)
    with pytest.raises(RuntimeError):
        trainer.run()
    assert trainer.progress.step > 0
    resumed = Trainer(cut, Callbacks(), ALONE)
    resumed.resume()
    assert 0 < resumed.progress.symbols < resumed.total_symbols
    resumed.run()
    for name, weight in whole.load_best().weights.items():
        assert torch.equal(cut.load_best().weights[name], weight), name
    assert metrics(whole) == metrics(cut)


def test_auxiliary_tasks_are_learned_and_leave_no_trace_in_the_weights(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(epochs=8, validations_per_epoch=0.25, auxiliary_weight=0.2)
    tasks = AuxiliaryTasks(trainer.session.vocabulary)
    segment = SegmentLoader(trainer.training, 4, 64, trainer.config.seed, tasks=tasks).next_segment()

    def nats() -> float:
        with torch.no_grad():
            inputs = torch.from_numpy(segment.inputs)
            assert trainer.heads is not None
            _, scores, _ = trainer.network(inputs, trainer.model.initial_state(4))
            return float(trainer.heads.summed_nats(scores, torch.from_numpy(segment.answers)))

    before = nats()
    trainer.run()
    assert nats() < 0.8 * before
    assert trainer.session.load_best().weights.keys() == trainer.session.new_model().state_dict().keys()


def test_the_weight_of_auxiliary_tasks_falls_to_nothing(new_trainer: NewTrainer) -> None:
    config = replace(CONFIG, auxiliary_weight=0.2)
    assert [scheduled_auxiliary_weight(config, done) for done in (0, 0.5, 1, 2)] == [0.2, 0.1, 0, 0]
    trainer = new_trainer(auxiliary_weight=0.2)
    assert trainer.heads is not None
    norms = []
    for symbols in (0, trainer.total_symbols):
        trainer.progress.symbols = symbols
        trainer._step(trainer.segments.next_segment())
        gradient = trainer.heads.output.bias.grad
        assert gradient is not None
        norms.append(float(gradient.norm()))
    assert norms[0] > 0
    assert norms[1] == 0


def last(trainer: Trainer) -> Checkpoint:
    checkpoint = trainer.session.load_last()
    assert checkpoint is not None
    return checkpoint


def metrics(session: Session) -> list[list[str]]:
    """The lines of metrics.csv without the time."""
    return [line.split(",")[:-1] for line in (session.folder / "metrics.csv").read_text().splitlines()]


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_checkpoint(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    trainer.save()
    with torch.no_grad():
        trainer.model.output.bias.fill_(math.nan)
    with pytest.raises(TrainingDivergedError, match="lower --learning-rate"):
        trainer.run()
    assert last(trainer).facts["progress"]["step"] == 0
    assert not (trainer.session.folder / "best.safetensors").exists()


def test_the_state_is_carried_into_the_next_segment(new_trainer: NewTrainer) -> None:
    """Two steps at learning rate 0 against one long segment through the same weights."""
    no_dropout = replace(CONFIG.model, dropout=0.0)
    trainer = new_trainer(model=no_dropout)
    trainer.optimizer = torch.optim.AdamW(trainer.model.parameters(), lr=0.0)
    trainer.config = replace(trainer.config, learning_rate=1e-9)
    segments = [trainer.segments.next_segment() for _ in range(2)]
    assert segments[0].fresh.all()
    assert not segments[1].fresh.any()
    for segment in segments:
        trainer._step(segment)
    trainer._read_losses()
    inputs, targets = (
        torch.from_numpy(np.concatenate([getattr(segment, name) for segment in segments]))
        for name in ("inputs", "targets")
    )
    with torch.no_grad():
        logits, _ = trainer.model(inputs, trainer.model.initial_state(CONFIG.slots))
    assert trainer.progress.nats == pytest.approx(float(summed_nats(logits, targets)), rel=1e-5)


def test_gradients_are_clipped_and_the_schedule_applied(new_trainer: NewTrainer) -> None:
    recorder = Recorder()
    trainer = new_trainer(recorder, clip_norm=1e-3)
    norms: list[float] = []

    def note_norm(*_arguments: object) -> None:
        gradients = [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))

    trainer.optimizer.register_step_pre_hook(note_norm)
    trainer.run()
    assert max(norms) <= 1.001e-3
    rates = [row.learning_rate for row in trainer.progress.rows]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * CONFIG.learning_rate
    assert recorder.best[0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, _: tensors.pop("network.heads.output.bias"),
        lambda tensors, _: tensors.update(hidden=torch.zeros(1, 1, 1)),
        lambda tensors, _: tensors.pop("moments.0.exp_avg"),
        lambda tensors, _: tensors.update({"moments.1.exp_avg_sq": torch.zeros(3)}),
        lambda _, facts: facts.clear(),
        lambda _, facts: facts["slots"].update(song=[10**30] * CONFIG.slots),
        lambda _, facts: facts["slots"].update(song=[999] * CONFIG.slots),
        lambda _, facts: facts["slots"].update(offset=[9999] * CONFIG.slots),
        lambda _, facts: facts["slots"].update(style=[3] * CONFIG.slots),
        lambda _, facts: facts["slots"].update(drawn=-1),
        lambda _, facts: facts["progress"].pop("step"),
        lambda _, facts: facts["progress"].update(rows=[{"characters": 1}]),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_an_error(
    new_trainer: NewTrainer, damage: Callable[[dict[str, torch.Tensor], dict[str, Any]], object]
) -> None:
    trainer = new_trainer(auxiliary_weight=0.1)
    trainer._step(trainer.segments.next_segment())
    trainer.save()
    checkpoint = last(trainer)
    damage(checkpoint.tensors, checkpoint.facts)
    trainer.session.save_last(checkpoint)
    with pytest.raises(SessionError, match=r"last\.safetensors is damaged"):
        trainer.resume()


def test_damaged_best_weights_are_noticed_when_a_training_goes_on(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    assert trainer.run() == 0
    change_one_bit(trainer.session.folder / "best.safetensors")
    with pytest.raises(SessionError, match=r"best\.safetensors is damaged"):
        Trainer(trainer.session, Callbacks(), ALONE).resume()


def test_a_full_disk_keeps_the_last_checkpoint(
    new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = new_trainer()
    trainer.save()
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(SessionError, match=r"cannot be written \(No space left on device\)"):
        trainer.run()
    assert last(trainer).facts["progress"]["step"] == 0


def test_even_the_shortest_run_validates(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(epochs=1e-6)
    assert trainer.run() == 0
    assert math.isfinite(trainer.session.load_best().held_out_bits_per_character)


def test_a_gradient_that_is_not_finite_is_never_saved(new_trainer: NewTrainer) -> None:
    trainer = new_trainer()
    trainer.save()
    trainer.model.output.bias.register_hook(lambda gradient: gradient * math.inf)
    trainer._step(trainer.segments.next_segment())
    with pytest.raises(TrainingDivergedError):
        trainer.save()
    assert last(trainer).facts["progress"]["step"] == 0


@pytest.mark.parametrize("fresh", [True, False])
def test_only_fresh_songs_forget_what_the_slot_read_before(new_trainer: NewTrainer, *, fresh: bool) -> None:
    losses = []
    for value in (0.0, 0.9):
        trainer = new_trainer()
        trainer.state = (trainer.state[0] + value, trainer.state[1] + value)
        segment = trainer.segments.next_segment()
        segment.fresh[:] = fresh
        trainer._step(segment)
        trainer._read_losses()
        losses.append(trainer.progress.nats)
    assert (losses[0] == losses[1]) is fresh


def test_the_learning_rate_climbs_then_falls_along_a_cosine() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_share=0.1, final_learning_rate_share=0.2)
    rates = [scheduled_learning_rate(config, done) for done in (0.0, 0.05, 0.1, 0.55, 1.0, 1.5)]
    assert rates == pytest.approx([0.01, 0.5, 1.0, 0.6, 0.2, 0.2])


def test_patience_ends_a_run_that_no_longer_gets_better(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(patience=2, learning_rate=1e-9, epochs=50)
    trainer.progress.best_held_out = 0.0  # as if it had been perfect
    trainer.session.save_best(BestWeights(trainer.model.state_dict(), 0, 0.0))
    assert trainer.run() == 0
    assert trainer.stopped_early
    assert len(trainer.progress.rows) == 2
    resumed = Trainer(trainer.session, Callbacks(), ALONE)
    resumed.resume()
    assert resumed.finished


def test_tiny_corpora_are_not_flooded_with_validations(new_trainer: NewTrainer) -> None:
    trainer = new_trainer(epochs=5000, validations_per_epoch=10)
    assert trainer.total_symbols / trainer.validation_interval == pytest.approx(loop.MAX_VALIDATIONS, abs=1)


def test_what_is_only_to_look_at_does_not_end_a_training(tmp_path: Path, small_corpus_path: Path) -> None:
    session = new_session(tmp_path, small_corpus_path)
    for name in ("loss.png", "metrics.csv"):
        (session.folder / name).mkdir()  # cannot be replaced by a file
    (session.folder / "samples").write_text("in the way")
    recorder = Recorder()
    trainer = Trainer(session, recorder, ALONE)
    assert trainer.run() == 0
    samples = {f"samples/step_{row.step:08}.txt" for row in trainer.progress.rows}
    named = {warning.split(": ")[1].split(" ")[0] for warning in recorder.warnings}
    assert named == {"loss.png", "metrics.csv", *samples}


def test_a_run_killed_in_its_last_validation_is_made_whole(tmp_path: Path, small_corpus_path: Path) -> None:
    session = new_session(tmp_path, small_corpus_path)
    Trainer(session, Callbacks(), ALONE).run()
    before = (session.folder / "metrics.csv").read_bytes()
    (session.folder / "loss.png").unlink()
    (session.folder / "metrics.csv").write_text("step\n")
    resumed = Trainer(session, Callbacks(), ALONE)
    resumed.resume()
    assert resumed.run() == 0
    assert (session.folder / "metrics.csv").read_bytes() == before
    assert (session.folder / "loss.png").exists()


def test_a_signal_in_a_validation_leaves_it_for_the_resumed_run(
    tmp_path: Path, small_corpus_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = (new_session(tmp_path, small_corpus_path) for _ in range(2))
    Trainer(whole, Callbacks(), ALONE).run()
    scores = held_out_nats

    def interrupted(*arguments: object) -> float | None:
        signal.raise_signal(signal.SIGTERM)
        return scores(*arguments)  # type: ignore[arg-type]

    trainer = Trainer(cut, Callbacks(), ALONE)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "held_out_nats", interrupted)
        assert trainer.run() == signal.SIGTERM
    assert trainer.progress.rows == ()
    assert trainer.validation_due
    resumed = Trainer(cut, Callbacks(), ALONE)
    resumed.resume()
    assert resumed.run() == 0
    assert metrics(cut) == metrics(whole)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_every_seed_can_drop_out(new_trainer: NewTrainer, seed: int) -> None:
    trainer, seeds = new_trainer(seed=seed), set()
    for _ in range(3):
        trainer._step(trainer.segments.next_segment())
        seeds.add(torch.initial_seed())
    assert len(seeds) == 3


def test_sampled_songs_are_those_that_the_runtime_writes(tmp_path: Path, small_corpus_path: Path) -> None:
    session = new_session(tmp_path / "checkpoints", small_corpus_path, epochs=8, validations_per_epoch=0.25)
    trainer = Trainer(session, Callbacks(), ALONE)
    trainer.run()
    trainer.model.load_state_dict(session.load_best().weights)
    exported = export_session(ExportRequest(0, "fp32", folder=tmp_path, checkpoints=tmp_path / "checkpoints"))
    model = lyricgen.load(exported.path)
    for temperature in (0.0, 0.75):
        found = sample_songs(trainer.model, session.vocabulary, 3, 60, temperature)
        for index, text in enumerate(found):
            stream = model.stream(form="free", temperature=temperature, seed=0, index=index, max_length=5000)
            assert "".join(islice(stream, 60)) == text


def test_fine_tuning_starts_where_its_parent_was_and_tells_how_good_that_is(
    tmp_path: Path, small_corpus_path: Path
) -> None:
    parent = new_session(tmp_path, small_corpus_path)
    Trainer(parent, Callbacks(), ALONE).run()
    base = ParentModel(parent.vocabulary, title_line=True)
    corpus = load_corpus(small_corpus_path, CONFIG.corpus, parent=base)
    config = replace(fine_tuning(parent.config), precision="fp32", device="cpu", epochs=1)
    session = Session.create(tmp_path, config, corpus, parent.as_parent())
    trainer = Trainer(session, Callbacks(), ALONE)
    assert trainer.run() == 0
    first = trainer.progress.rows[0]
    assert (first.step, first.characters) == (0, 0)
    assert math.isnan(first.training_bits_per_character)
    model = session.initial_model()
    expected = held_out_bits_per_character(model, session.songs("held_out"))
    assert first.held_out_bits_per_character == pytest.approx(expected, abs=1e-5)
    assert model.config.hidden_size == 16


def test_bf16_that_the_cpu_does_not_have_is_an_error(
    new_trainer: NewTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimization, "has_bf16", lambda _device: False)
    with pytest.raises(OptionError, match="precision must be auto or fp32: on this device"):
        new_trainer(precision="bf16")


def test_bf16_training_stays_close_to_fp32(new_trainer: NewTrainer) -> None:
    if not optimization.has_bf16(torch.device("cpu")):
        pytest.skip("PyTorch has no LSTM in bf16 for this CPU")
    trainers = [new_trainer(precision=precision) for precision in ("fp32", "bf16")]
    assert [trainer.run() for trainer in trainers] == [0, 0]
    results = [trainer.progress.best_held_out for trainer in trainers]
    assert results[0] == pytest.approx(results[1], abs=0.1)
    assert results[0] != results[1]
