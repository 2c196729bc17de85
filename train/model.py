"""The network: one-hot characters in, scores of the next character out.

Letters for axes: T time steps, B songs side by side, L layers, H hidden size, V input tokens,
V_out output tokens.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from train.config import ModelConfig

State = tuple[Tensor, Tensor]
"""Hidden and cell state, each (L, B, H) float32."""


class CharLSTM(nn.Module):
    """Reads one character at a time and scores what comes next.

    The one-hot vector of a token times the first layer's input weights is a look-up in those
    weights, so there is no embedding to learn beside them; exporting makes the look-up literal.
    `input_size` is V, `output_size` V_out.
    """

    def __init__(self, input_size: int, output_size: int, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.lstm = nn.LSTM(
            input_size,
            config.hidden_size,
            config.layers,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, output_size)
        self.register_buffer("one_hot", torch.eye(input_size), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Start where learning is fast: strong input weights, forget gates near open.

        torch's default shrinks all weights with 1 / √H, for inputs of H numbers. A one-hot input is a
        single 1: at that scale a character hardly moves the gates, and the first million characters
        teach little. Forget gates: Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network
        Architectures". torch orders the gates i, f, g, o and adds two biases: 1 in one of them is enough.
        """
        size = self.config.hidden_size
        bound = 3 / size**0.5
        nn.init.uniform_(self.output.weight, -bound, bound)
        for name, parameter in self.lstm.named_parameters():
            if name == "weight_ih_l0":
                nn.init.normal_(parameter, 0.0, 1.5)
            elif name.startswith("weight_ih"):
                nn.init.uniform_(parameter, -bound, bound)
            elif name.startswith("bias"):
                nn.init.constant_(parameter.data[size : 2 * size], 1.0 if name.startswith("bias_ih") else 0.0)

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Score the successors of `tokens` (T, B) int64, starting from `state`.

        Returns logits (T, B, V_out) and the state after the last token.
        """
        hidden, state = self.read(tokens, state)
        return self.output(hidden), state  # (T, B, V_out)

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the last layer's hidden states (T, B, H) after each of `tokens` (T, B), and the state."""
        one_hot = functional.embedding(tokens, self.get_buffer("one_hot"))  # (T, B, V)
        hidden, state = self.lstm(one_hot, state)
        return self.dropout(hidden), state

    def initial_state(self, songs: int) -> State:
        """Return the zero state that every song starts from, for B = `songs` songs side by side."""
        shape = (self.config.layers, songs, self.config.hidden_size)
        zeros = torch.zeros(shape, device=self.output.weight.device)
        return zeros, zeros.clone()


def with_new_inputs(weights: Mapping[str, Tensor], before: int, count: int) -> dict[str, Tensor]:
    """Return a network's weights with room for `count` new style tokens, numbered from `before` on.

    A new style says at first what the known styles say in the mean; without any, nothing.

    Args:
        weights: of a `CharLSTM`, by name.
        before: the token id of EOS, which the new tokens push up: 1 + the number of known styles.
        count: 0 or more.
    """
    inputs = weights["lstm.weight_ih_l0"]  # (4H, V)
    known = inputs[:, 1:before]
    mean = known.sum(1, keepdim=True) / max(1, known.shape[1])
    widened = torch.cat([inputs[:, :before], mean.expand(-1, count), inputs[:, before:]], 1)
    return {**weights, "lstm.weight_ih_l0": widened}
