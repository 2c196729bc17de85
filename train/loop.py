"""The training loop: reads segments, improves the weights, and saves a checkpoint every few minutes.

The result of a run depends only on its session's configuration, songs and first weights, and never on the
clock. So a run that was killed and resumed ends with the same weights as one that was not. For the same
reason, dropout draws its random numbers from (seed, step).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn

from lyricgen.errors import LyricgenError
from lyricgen.schema import AnyFloat, from_json
from train.auxiliary import AuxiliaryHeads, AuxiliaryTasks, NetworkInTraining
from train.callbacks import Callbacks, Validation
from train.distributed import World
from train.evaluation import bits, held_out_nats, sample_songs, summed_nats
from train.optimization import (
    choose_bf16,
    make_optimizer,
    scheduled_auxiliary_weight,
    scheduled_learning_rate,
)
from train.segments import Segment, SegmentLoader
from train.session import BestWeights, Checkpoint, Session
from train.session_folders import UNREADABLE, SessionError
from train.signals import StopFlag, stop_flag

CHECKPOINT_INTERVAL_SECONDS = 120.0
DISPLAY_INTERVAL_STEPS = 10
MAX_VALIDATIONS = 50
"""In a run. With a tiny corpus, more of them would take longer than the training itself."""
SAMPLES, SAMPLE_LENGTH, SAMPLE_TEMPERATURE = 2, 400, 0.75


class TrainingDivergedError(LyricgenError):
    """The loss stopped being a number at `step` or in the few steps before it."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            f"training diverged: by step {step} the loss was no longer finite. "
            "The last good checkpoint is kept; start again with a lower --learning-rate"
        )


@dataclass
class TrainingProgress:
    """How far a run has come; saved with every checkpoint."""

    step: int = 0
    symbols: int = 0
    elapsed_seconds: float = 0.0
    best_held_out: AnyFloat = math.inf
    """In bits per character."""
    validations_since_best: int = 0
    nats: float = 0.0
    """Loss added up since the last validation."""
    nats_symbols: int = 0
    """Symbols that `nats` was added up over."""
    rows: tuple[Validation, ...] = ()
    """All validations so far."""


class Trainer:
    """Trains the model of one session, from its beginning or from where it stopped.

    Raises:
        OptionError: the slots cannot be shared out evenly among the processes.
        SessionError: the session's songs or first weights are missing or damaged.
    """

    def __init__(self, session: Session, callbacks: Callbacks, world: World) -> None:
        self.session, self.config, self.callbacks, self.world = session, session.config, callbacks, world
        self.columns = world.columns(self.config.slots)
        self.training, self.held_out = session.songs("training"), session.songs("held_out")
        of_style = self.config.weight_of_style
        weights = np.array([1.0, *(of_style.get(name, 1.0) for name in session.vocabulary.styles)])
        weights = weights[self.training.styles]
        self.symbols_per_epoch = max(1, round(float(weights @ self.training.lengths())))
        self.total_symbols = max(1, round(self.config.epochs * self.symbols_per_epoch))
        torch.manual_seed(self.config.seed)
        self.model = session.initial_model().to(world.device)
        tasks = AuxiliaryTasks(session.vocabulary) if self.config.auxiliary_weight else None
        size = self.config.model.hidden_size
        self.heads = AuxiliaryHeads(size, tasks.sizes).to(world.device) if tasks else None
        self.network = NetworkInTraining(self.model, self.heads)
        self._parallel_network = world.wrap(self.network)
        self.optimizer = make_optimizer(self.network, self.config)
        self.uses_bf16 = choose_bf16(self.config.precision, world.device)
        reading = (self.config.slots, self.config.segment_length, self.config.seed, self.config.style_dropout)
        self.segments = SegmentLoader(self.training, *reading, tasks, weights)
        self.state = self.model.initial_state(self.columns.stop - self.columns.start)
        self.progress = TrainingProgress()
        self._unread: list[tuple[Tensor, int]] = []  # (loss in nats, gradient norm) and symbols of a step

    def run(self) -> int:
        """Train until the end or until a signal; return the signal's number, or 0 at the end.

        A signal (Ctrl-C, SIGTERM, a closed terminal) lets the current step finish, and everything is saved.
        A second Ctrl-C interrupts at once. Errors are those of `save`.
        """
        stopping, validations = 0, len(self.progress.rows)
        saved_at = clock = time.monotonic()
        with stop_flag() as stop:
            while not self.finished and not stopping:
                if self.validation_due:
                    self._validate(stop)
                else:
                    self._step(self.segments.next_segment(self.columns))
                now = time.monotonic()
                self.progress.elapsed_seconds += now - clock
                clock = now
                stopping, saving = self._agree(stop, due=now - saved_at > CHECKPOINT_INTERVAL_SECONDS)
                if stopping or saving or self.validation_due:  # a validation may take longer than many steps
                    self.save()
                    saved_at = clock
        if self.finished and self.world.is_first and len(self.progress.rows) == validations:
            self._show()  # the run was over, but may have been killed while it did
        return 0 if self.finished else stopping

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or training stopped early."""
        done = self.stopped_early or self.progress.symbols >= self.total_symbols
        return done and not self.validation_due

    @property
    def stopped_early(self) -> bool:
        """Whether as many validations in a row as `patience` says were no better than the best."""
        return 0 < self.config.patience <= self.progress.validations_since_best

    @property
    def validation_due(self) -> bool:
        """Whether a validation comes next; fine-tuning begins with one, for comparison."""
        rows, symbols = self.progress.rows, self.progress.symbols
        before = rows[-1].characters if rows else -1 if self.session.facts.base_model else 0
        if symbols >= self.total_symbols:
            return before < symbols
        return symbols // self.validation_interval > before // self.validation_interval

    @property
    def validation_interval(self) -> int:
        """Symbols between validations."""
        wanted = round(self.symbols_per_epoch / self.config.validations_per_epoch)
        return max(1, wanted, self.total_symbols // MAX_VALIDATIONS)

    def _agree(self, stop: StopFlag, *, due: bool) -> tuple[int, bool]:
        """Return the signal that any process got, and whether the first process finds a checkpoint due.

        On GPUs, asking makes the processes wait for each other: there they ask only every few steps.
        """
        if self.world.size == 1:
            return stop.signal, due
        if self.world.device.type != "cpu" and self.progress.step % DISPLAY_INTERVAL_STEPS:
            return 0, False
        flags = [0.0] * (1 + self.world.size)
        flags[0] = float(due and self.world.is_first)
        flags[1 + self.world.rank] = float(stop.signal)
        saving, *signals = self.world.sum(flags)
        return int(max(signals)), bool(saving)

    def _step(self, segment: Segment) -> None:
        progress = self.progress
        done = progress.symbols / self.total_symbols
        learning_rate = scheduled_learning_rate(self.config, done)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        if self.config.model.dropout:
            words = (self.config.seed, progress.step, self.world.rank)
            torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]))
        inputs, targets, fresh = (
            torch.from_numpy(array).to(self.world.device, non_blocking=True)
            for array in (segment.inputs, segment.targets, segment.fresh)
        )
        continues = (~fresh).float()[None, :, None]  # (1, B, 1)
        hidden, cell = (state * continues for state in self.state)
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.uses_bf16):
            logits, scores, state = self._parallel_network(inputs, (hidden, cell))
        loss = nats = summed_nats(logits, targets)
        if self.heads is not None:
            answers = torch.from_numpy(segment.answers).to(self.world.device, non_blocking=True)
            weight = scheduled_auxiliary_weight(self.config, done)
            loss = nats + weight * self.heads.summed_nats(scores, answers)
        self.optimizer.zero_grad()
        # Gradients are averaged over the processes, but each has only its own share of the symbols.
        torch.autograd.backward(loss * (self.world.size / max(segment.symbols, 1)))
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.state = (state[0].detach().float(), state[1].detach().float())
        progress.step += 1
        progress.symbols += segment.symbols
        self._unread.append((torch.stack([nats.detach(), norm.detach()]), segment.symbols))
        if progress.step % DISPLAY_INTERVAL_STEPS == 0:
            self._read_losses()

    def _read_losses(self) -> None:
        """Fetch the losses of the latest steps together: reading each one would make a GPU wait.

        A gradient that is not finite has already spoilt the weights, even if the loss is finite.
        """
        if not self._unread:
            return
        own = torch.stack([figures for figures, _ in self._unread]).double()  # (steps, nats and norm)
        nats = self.world.sum(own[:, 0].tolist())
        symbols = sum(count for _, count in self._unread)
        self._unread.clear()
        if not math.isfinite(sum(nats) + float(own[:, 1].sum())):  # the norms are alike in all processes
            raise TrainingDivergedError(self.progress.step)
        for step_nats in nats:  # one by one, so that the sum does not depend on when it is read
            self.progress.nats += step_nats
        self.progress.nats_symbols += symbols
        self.callbacks.on_progress(self.progress.symbols, bits(sum(nats), symbols))

    def _validate(self, stop: StopFlag) -> None:
        """Score the held-out songs; if a signal comes meanwhile, the validation stays due."""
        self._read_losses()
        rank, size = self.world.rank, self.world.size
        nats = held_out_nats(self.model, self.held_out, (rank, size), lambda: size == 1 and bool(stop.signal))
        if nats is None:
            return
        held_out = bits(self.world.sum([nats])[0], self.held_out.symbols)
        progress = self.progress
        training = bits(progress.nats, progress.nats_symbols) if progress.nats_symbols else math.nan
        validation = Validation(
            step=progress.step,
            characters=progress.symbols,
            epoch=round(progress.symbols / self.symbols_per_epoch, 4),
            learning_rate=scheduled_learning_rate(self.config, progress.symbols / self.total_symbols),
            training_bits_per_character=round(training, 5),
            held_out_bits_per_character=round(held_out, 5),
            elapsed_seconds=round(progress.elapsed_seconds, 1),
        )
        progress.nats, progress.nats_symbols = 0.0, 0
        progress.rows += (validation,)
        best = held_out < progress.best_held_out
        progress.validations_since_best += 1
        if best:
            progress.best_held_out, progress.validations_since_best = held_out, 0
            weights = BestWeights(self.model.state_dict(), progress.step, held_out)
            self.world.first_does(lambda: self.session.save_best(weights))
        self.save()
        if self.world.is_first:
            self._show()
        self.callbacks.on_validation(validation, best=best)

    def _show(self) -> None:
        """Write what a person looks at: metrics.csv, loss.png and some songs.

        If one of them cannot be written, that is a warning, and the training goes on.
        """
        rows, session = self.progress.rows, self.session
        songs = sample_songs(self.model, session.vocabulary, SAMPLES, SAMPLE_LENGTH, SAMPLE_TEMPERATURE)
        heading = (
            f"after {rows[-1].characters:,} characters, {rows[-1].held_out_bits_per_character:.4f} bits per "
            f"character, at temperature {SAMPLE_TEMPERATURE:g}; cut at {SAMPLE_LENGTH} characters"
        )
        shows: list[Callable[[], None]] = [
            lambda: session.save_metrics(rows),
            lambda: session.save_plot(rows),
            lambda: session.save_samples(self.progress.step, heading, songs),
        ]
        for show in shows:
            try:
                show()
            except SessionError as error:
                self.callbacks.on_warning(str(error))

    def save(self) -> None:
        """Save everything that `resume` needs; all processes must call this together.

        Raises:
            TrainingDivergedError: the loss of the last steps is not finite; nothing is saved.
            SessionError: it cannot be written.
            typer.Exit: in the other processes, where the first one cannot write it.
        """
        self._read_losses()
        hidden, cell = (self.world.gather(state) for state in self.state)
        tensors = {"hidden": hidden, "cell": cell}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"moments.{number}.{name}": tensor for name, tensor in moments.items()}
        checkpoint = Checkpoint(tensors, {"slots": self.segments.state(), "progress": asdict(self.progress)})
        self.world.first_does(lambda: self.session.save_last(checkpoint))

    def resume(self) -> None:
        """Go back to the last checkpoint of this session; without one, stay at the beginning.

        Raises:
            SessionError: the checkpoint is damaged.
        """
        checkpoint = self.session.load_last()
        if checkpoint is None:
            return
        try:
            self._restore(checkpoint)
        except UNREADABLE as error:
            problem = "last.safetensors is damaged or of another session; train anew"
            raise SessionError(self.session.folder, problem) from error
        if self.progress.rows:
            self.session.load_best()  # if it is damaged, the user learns it now and not at the export

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Take over the contents of a checkpoint; if it does not fit, that may raise almost anything."""
        tensors = checkpoint.tensors
        self.network.load_state_dict(_of("network.", tensors))
        self._restore_moments(tensors)
        hidden, cell = (tensors[name].to(self.world.device, torch.float32) for name in ("hidden", "cell"))
        expected = (self.config.model.layers, self.config.slots, self.config.model.hidden_size)
        if not hidden.shape == cell.shape == expected:
            raise ValueError("the carried state has another shape")
        self.state = (hidden[:, self.columns], cell[:, self.columns])
        self.segments.restore(checkpoint.facts["slots"])
        self.progress = from_json(TrainingProgress, checkpoint.facts["progress"])
        if len(checkpoint.facts["progress"]) < len(fields(TrainingProgress)):
            raise ValueError("the progress lacks something")

    def _restore_moments(self, tensors: dict[str, Tensor]) -> None:
        """Give the optimiser its moments back; everything else in it comes from the configuration."""
        moments, parameters = {}, [p for group in self.optimizer.param_groups for p in group["params"]]
        for number, parameter in enumerate(parameters):
            if found := _of(f"moments.{number}.", tensors):  # none before the first step
                if not found["exp_avg"].shape == found["exp_avg_sq"].shape == parameter.shape:
                    raise ValueError("the optimiser's moments have other shapes")
                if found["step"].shape:
                    raise ValueError("the optimiser's count of steps is no number")
                moments[number] = found
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})


def _of(start: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `start`, by the rest of their names."""
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
