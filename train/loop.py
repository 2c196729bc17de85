"""The training loop: segments in, better weights out, and never more than minutes of work at risk."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from lyricgen.errors import LyricgenError, OptionError
from train.batches import IGNORED, EncodedSongs, Segment, SongSlots, pad, similar_length_batches
from train.config import TrainConfig
from train.model import CharLSTM
from train.session import BestWeights, Session, SessionError

CHECKPOINT_INTERVAL_SECONDS = 120.0
DISPLAY_INTERVAL_STEPS = 10
_EVALUATION_SLOTS = 64
_EVALUATION_CHUNK = 256


class TrainingDivergedError(LyricgenError):
    """The loss stopped being a number at `step` or in the few steps before it."""

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__(
            f"training diverged: by step {step} the loss was no longer finite. "
            "The last good checkpoint is kept; start again with a lower --learning-rate"
        )


class Observer(Protocol):
    """What wants to hear how training goes."""

    def advanced(self, symbols: int, bits_per_character: float) -> None:
        """So many symbols are done in all; training scored this on the latest of them."""

    def validated(self, row: dict[str, float], *, best: bool) -> None:
        """A validation is done; `row` is its line in metrics.csv. `best`: it beat all before it."""


@dataclass
class Progress:
    """How far a run has come; saved with every checkpoint."""

    step: int = 0
    symbols: int = 0
    elapsed_seconds: float = 0.0
    best_held_out: float = math.inf
    nats: float = 0.0
    """Loss added up since the last validation."""
    nats_symbols: int = 0
    """Symbols that `nats` was added up over."""
    rows: list[dict[str, float]] = field(default_factory=list)
    """The lines of metrics.csv."""


class Trainer:
    """Trains the model of one session, from its beginning or from where it stopped."""

    def __init__(self, session: Session, observer: Observer) -> None:
        self.session, self.config, self.observer = session, session.config, observer
        self.device = choose_device(self.config.device)
        self.training, self.held_out = session.songs("training"), session.songs("held_out")
        self.total_symbols = max(1, round(self.config.epochs * self.training.symbols))
        torch.manual_seed(self.config.seed)
        self.model = session.new_model().to(self.device)
        self.optimizer = make_optimizer(self.model, self.config)
        self.uses_bf16 = choose_bf16(self.config.precision, self.device)
        self.slots = SongSlots(self.training, self.config.slots, self.config.segment_length, self.config.seed)
        self.state = self.model.initial_state(self.config.slots)
        self.progress = Progress()
        self._unread: list[tuple[Tensor, int]] = []  # (loss in nats, gradient norm) and symbols of a step

    def run(self) -> bool:
        """Train on; return whether the end was reached.

        False after Ctrl-C: the step was finished and everything saved. A second Ctrl-C interrupts at once.

        Raises:
            TrainingDivergedError: the loss is not finite.
            SessionError: the session's files cannot be written.
        """
        validation_interval = max(1, round(self.training.symbols / self.config.validations_per_epoch))
        saved_at = clock = time.monotonic()
        with stop_flag() as stop:
            while not self.finished:
                before = self.progress.symbols // validation_interval
                self._step(self.slots.next_segment())
                stopping, now = stop.requested, time.monotonic()
                self.progress.elapsed_seconds += now - clock
                clock = now
                if self.progress.symbols // validation_interval > before or self.finished:
                    self._validate()
                    saved_at = time.monotonic()
                elif stopping or now - saved_at > CHECKPOINT_INTERVAL_SECONDS:
                    self.save()
                    saved_at = time.monotonic()
                if stopping:
                    break
        return self.finished

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self.progress.symbols >= self.total_symbols

    def _step(self, segment: Segment) -> None:
        progress = self.progress
        learning_rate = scheduled_learning_rate(self.config, progress.symbols / self.total_symbols)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        inputs, targets, fresh = (
            torch.from_numpy(array).to(self.device, non_blocking=True)
            for array in (segment.inputs, segment.targets, segment.fresh)
        )
        continues = (~fresh).float()[None, :, None]  # (1, B, 1)
        hidden, cell = (state * continues for state in self.state)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.uses_bf16):
            logits, state = self.model(inputs, (hidden, cell))
        nats = summed_nats(logits, targets)
        self.optimizer.zero_grad()
        torch.autograd.backward(nats / segment.symbols)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()
        self.state = (state[0].detach().float(), state[1].detach().float())
        progress.step += 1
        progress.symbols += segment.symbols
        self._unread.append((torch.stack([nats.detach(), norm.detach()]), segment.symbols))
        if progress.step % DISPLAY_INTERVAL_STEPS == 0:
            self._read_losses()

    def _read_losses(self) -> None:
        """Fetch the losses of the latest steps: reading each at once would make a GPU wait.

        A gradient that is not finite has already spoilt the weights, whatever the loss said.
        """
        if not self._unread:
            return
        nats, norms = torch.stack([figures for figures, _ in self._unread]).double().sum(0).tolist()
        symbols = sum(count for _, count in self._unread)
        self._unread.clear()
        if not math.isfinite(nats + norms):
            raise TrainingDivergedError(self.progress.step)
        self.progress.nats += nats
        self.progress.nats_symbols += symbols
        self.observer.advanced(self.progress.symbols, bits(nats, symbols))

    def _validate(self) -> None:
        self._read_losses()
        progress = self.progress
        held_out = held_out_bits_per_character(self.model, self.held_out)
        row = {
            "step": progress.step,
            "characters": progress.symbols,
            "epoch": round(progress.symbols / self.training.symbols, 4),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "training_bits_per_character": round(bits(progress.nats, progress.nats_symbols), 5),
            "held_out_bits_per_character": round(held_out, 5),
            "elapsed_seconds": round(progress.elapsed_seconds, 1),
        }
        progress.nats, progress.nats_symbols = 0.0, 0
        progress.rows.append(row)
        best = held_out < progress.best_held_out
        if best:
            progress.best_held_out = held_out
            self.session.save_best(BestWeights(self.model.state_dict(), progress.step, held_out))
        self.save()
        self.observer.validated(row, best=best)

    def save(self) -> None:
        """Save everything that `resume` needs, and the metrics so far."""
        self._read_losses()
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "hidden": self.state[0],
            "cell": self.state[1],
            "slots": self.slots.state(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
            "progress": vars(self.progress),
        }
        self.session.save_last(state)
        if self.progress.rows:
            self.session.save_metrics(self.progress.rows)

    def resume(self) -> None:
        """Go back to the last checkpoint of this session.

        Raises:
            SessionError: there is none, or it is damaged.
        """
        state = self.session.load_last()
        try:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            hidden, cell = state["hidden"].to(self.device), state["cell"].to(self.device)
            if not hidden.shape == cell.shape == self.state[0].shape:
                raise ValueError("the carried state has another shape")
            self.state = (hidden, cell)
            self.slots.restore(state["slots"])
            torch.set_rng_state(state["random"])
            if self.device.type == "cuda" and len(state["random_cuda"]) == torch.cuda.device_count():
                torch.cuda.set_rng_state_all(state["random_cuda"])
            self.progress = Progress(**state["progress"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise SessionError(self.session.folder, "last.pt does not fit the session; train anew") from error


@torch.no_grad()
def held_out_bits_per_character(model: CharLSTM, songs: EncodedSongs) -> float:
    """Score whole songs, each from zero state after SOS, in fp32.

    Returns total nats / ln 2 / predicted symbols; EOS counts, SOS and padding do not.
    """
    device = model.output.weight.device
    was_training = model.training
    model.eval()
    nats = torch.zeros((), dtype=torch.float64, device=device)
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for chosen in similar_length_batches(songs, _EVALUATION_SLOTS):
            inputs, targets = (torch.from_numpy(array).to(device) for array in pad(songs, chosen))  # (T, B)
            state = model.initial_state(len(chosen))
            for first in range(0, len(inputs), _EVALUATION_CHUNK):
                piece = slice(first, first + _EVALUATION_CHUNK)
                logits, state = model(inputs[piece], state)
                nats += summed_nats(logits, targets[piece]).double()
    model.train(was_training)
    return bits(float(nats), songs.symbols)


def summed_nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the summed cross entropy of logits (T, B, V_out) against targets (T, B), in nats."""
    flat = logits.float().flatten(0, 1)  # (T * B, V_out)
    return functional.cross_entropy(flat, targets.flatten(), ignore_index=IGNORED, reduction="sum")


def bits(nats: float, symbols: int) -> float:
    """Turn summed nats into bits per symbol."""
    return nats / math.log(2) / max(symbols, 1)


def scheduled_learning_rate(config: TrainConfig, done: float) -> float:
    """Return the learning rate when the share `done` of the run is over: a climb, then a cosine."""
    if done < config.warmup_share:
        return config.learning_rate * max(done / config.warmup_share, 0.01)
    fallen = min(1.0, (done - config.warmup_share) / (1 - config.warmup_share))
    low = config.final_learning_rate_share
    return config.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * fallen)) / 2)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Return AdamW that decays the weight matrices and leaves the biases alone."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def choose_device(wish: str) -> torch.device:
    """Return the device for auto, cpu or cuda.

    Raises:
        OptionError: cuda was asked for and is not there.
    """
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise OptionError("device", wish, "auto or cpu on this machine: PyTorch finds no CUDA device")
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def choose_bf16(wish: str, device: torch.device) -> bool:
    """Decide whether the forward pass runs in bf16: for auto, where the hardware multiplies in it."""
    if wish != "auto":
        return wish == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


class StopFlag:
    """Set by the first Ctrl-C."""

    requested = False


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Let the first Ctrl-C finish the step; a second one interrupts at once."""
    flag = StopFlag()

    def request(_signum: int, _frame: object) -> None:
        flag.requested = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, request)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)
