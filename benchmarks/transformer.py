"""A small transformer over characters, to see what the LSTM is worth beside one.

Decoder-only, pre-norm, learned positions, as in GPT-2 (Radford et al. 2019). Letters for axes: B pieces
side by side, T characters of context, E width, V input tokens.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from torch import Tensor, nn

from lyricgen.errors import LyricgenError
from lyricgen.vocabulary import SOS
from train.corpus.encoded import IGNORED, EncodedSongs
from train.evaluation import bits, summed_nats
from train.optimization import choose_bf16

CONTEXT = 256
HEADS = 4
WIDTH, LAYERS = 256, 4
"""3.3 M weights, as many as `base` has."""
BATCH = 8
"""Small, so that minutes on a CPU hold a thousand updates."""
LEARNING_RATE = 2e-3
WARMUP_SHARE = 0.05


class Transformer(nn.Module):
    """Scores the next character after up to 256 others."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(input_size, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        layer = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.output = nn.Linear(WIDTH, output_size)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.normal_(weight, 0.0, 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits (B, T, V_out) for tokens (B, T); a position sees none after it."""
        length = tokens.shape[1]
        embedded = self.tokens(tokens) + self.positions.weight[:length]  # (B, T, E)
        mask = nn.Transformer.generate_square_subsequent_mask(length, tokens.device)
        logits: Tensor = self.output(self.layers(embedded, mask, is_causal=True))
        return logits


def train_for(seconds: float, songs: EncodedSongs, input_size: int, device: torch.device) -> Transformer:
    """Train a new transformer for `seconds`, on pieces that begin anywhere, with a cosine that ends then.

    Raises:
        LyricgenError: the songs have fewer characters than one piece.
    """
    torch.manual_seed(0)
    model = Transformer(input_size, input_size - songs.eos).to(device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.01, fused=True
    )
    stream = np.insert(np.asarray(songs.tokens), songs.starts[:-1], SOS).astype(np.int64)
    draw = np.random.default_rng(0)
    bf16 = choose_bf16("auto", device)
    if len(stream) <= CONTEXT:
        raise LyricgenError(f"the transformer needs songs of more than {CONTEXT} characters in all")
    begun = time.monotonic()
    while (done := (time.monotonic() - begun) / seconds) < 1:
        rate = min(done / WARMUP_SHARE, (1 + math.cos(math.pi * done)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * max(rate, 0.02)
        starts = draw.integers(0, len(stream) - CONTEXT, BATCH)
        pieces = torch.from_numpy(stream[starts[:, None] + np.arange(CONTEXT + 1)]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(pieces[:, :-1])
        units = torch.where(pieces[:, 1:] < songs.eos, IGNORED, pieces[:, 1:] - songs.eos)  # SOS is given
        optimizer.zero_grad()
        torch.autograd.backward(summed_nats(logits, units) / (units != IGNORED).sum())
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


@torch.no_grad()
def bits_per_character(model: Transformer, songs: EncodedSongs, device: torch.device) -> float:
    """Score whole songs, each character after at least 128 others of its song where there are as many."""
    model.eval()
    pieces, step = [], CONTEXT // 2
    for start, end in zip(songs.starts[:-1], songs.starts[1:], strict=True):
        song = np.concatenate([[SOS], songs.tokens[start:end]]).astype(np.int64)
        for first in range(0, max(len(song) - 1 - step, 1), step):
            given, asked = song[first : first + CONTEXT], song[first + 1 : first + CONTEXT + 1] - songs.eos
            asked[: step if first else 0] = IGNORED  # scored by the piece before
            inputs, units = np.zeros(CONTEXT, np.int64), np.full(CONTEXT, IGNORED)
            inputs[: len(given)], units[: len(asked)] = given, asked
            pieces.append((inputs, units))
    nats = 0.0
    for first in range(0, len(pieces), BATCH):
        batch = torch.from_numpy(np.stack(pieces[first : first + BATCH])).to(device)  # (B, 2, T)
        nats += float(summed_nats(model(batch[:, 0]), batch[:, 1]))
    return bits(nats, songs.symbols)
