"""Auxiliary tasks: while it trains, the network must also tell how the lines around it end, and the style.

What comes next hardly ever depends on how the last line but one ended or on the style named a thousand
characters ago, so the next character alone teaches a network to forget both; rhyme and style need them.
Asked for at every character, they are kept; where a song is read without its style, the style is to be
guessed. The heads that answer exist in training only: the exported step has none of it.

After Trinh et al. 2018, "Learning Longer-term Dependencies in RNNs with Auxiliary Losses".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lyricgen.vocabulary import SOS, Vocabulary
from train.corpus.encoded import IGNORED, IntArray
from train.evaluation import summed_nats
from train.model import CharLSTM, State

LINES, LETTERS = 3, 3
"""The questions are about the last letters of so many lines: of the line that is being written (a guess)
and of those before it."""
MAX_KINDS = 128
"""Letters are told apart by so many kinds. Scripts with more letters share kinds, so that the heads stay
smaller than the model."""


class AuxiliaryTasks:
    """The questions asked at each position of a song, and their answers."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        first = vocabulary.eos + 1
        letters = {first + n: char.lower() for n, char in enumerate(vocabulary.characters) if char.isalpha()}
        kinds = {letter: n % MAX_KINDS for n, letter in enumerate(sorted(set(letters.values())))}
        self._kind_of = np.full(vocabulary.input_size, IGNORED)  # (V,) token id → kind of letter
        for token, letter in letters.items():
            self._kind_of[token] = kinds[letter]
        self._newline = first + vocabulary.characters.index("\n") if "\n" in vocabulary.characters else -1
        letter_kinds = max(kinds.values(), default=0) + 1
        self.sizes = (letter_kinds,) * (LINES * LETTERS) + (max(len(vocabulary.styles), 1),)
        """Answers to choose from, for each question."""

    def answers(self, tokens: npt.NDArray[np.unsignedinteger], style: int) -> IntArray:
        """Return the right answers at each position of a song, (n, questions); `IGNORED` if there is none.

        First the last letters of the position's own line, in reading order, upper and lower case alike, then
        those of the line before it, and so on; lines without letters are passed over. The style comes last.

        Args:
            tokens: (n,) token ids of the song, EOS included.
            style: token id of its style, 0 for none.
        """
        is_newline = tokens == self._newline
        line_of = np.cumsum(is_newline) - is_newline  # (n,) a newline belongs to the line that it ends
        lines = int(line_of[-1]) + 1
        kinds = self._kind_of[tokens]
        places = np.flatnonzero(kinds != IGNORED)  # of letters
        after = np.searchsorted(line_of[places], np.arange(lines), side="right")  # (lines,) up to its end
        nth = after[:, None] + np.arange(-LETTERS, 0)  # (lines, LETTERS) which letters end the line
        known = nth >= np.searchsorted(line_of[places], np.arange(lines))[:, None]
        ends = np.full(nth.shape, IGNORED)  # (lines, LETTERS)
        ends[known] = kinds[places[nth[known]]]
        lettered = known[:, -1]
        before: IntArray = np.cumsum(lettered) - lettered  # (lines,) lines with letters before this one
        history = np.concatenate([np.full((LINES - 1, LETTERS), IGNORED), ends[lettered]])
        asked = [ends] + [history[before + LINES - 1 - back] for back in range(1, LINES)]
        of_line = np.concatenate(asked, axis=1)  # (lines, LINES * LETTERS)
        style_answers = np.full((len(tokens), 1), style - SOS - 1 if style else IGNORED)
        return np.concatenate([of_line[line_of], style_answers], axis=1)


class AuxiliaryHeads(nn.Module):
    """Answers the questions from the hidden state."""

    def __init__(self, hidden_size: int, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.output = nn.Linear(hidden_size, sum(sizes))

    def forward(self, hidden: Tensor) -> Tensor:
        """Score all answers to all questions: (T, B, H) → (T, B, sum of sizes)."""
        scores: Tensor = self.output(hidden)
        return scores

    def summed_nats(self, scores: Tensor, answers: Tensor) -> Tensor:
        """Return the summed loss in nats of `forward`'s scores against answers (T, B, questions) int64."""
        each = torch.split(scores, list(self.sizes), dim=-1)
        return torch.stack([summed_nats(own, answers[..., n]) for n, own in enumerate(each)]).sum()


class NetworkInTraining(nn.Module):
    """The model and, if it is to learn auxiliary tasks, their heads."""

    def __init__(self, model: CharLSTM, heads: AuxiliaryHeads | None) -> None:
        super().__init__()
        self.model, self.heads = model, heads

    def forward(self, tokens: Tensor, state: State) -> tuple[Tensor, Tensor | None, State]:
        """Score the successors of `tokens` (T, B) int64, and the answers, starting from `state`.

        Returns logits (T, B, V_out), the answers' scores (T, B, sum of sizes) or None without heads, and
        the state after the last token.
        """
        hidden, state = self.model.read(tokens, state)
        return self.model.output(hidden), self.heads(hidden) if self.heads else None, state
