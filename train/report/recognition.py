"""Whether songs of a style can be told from those of others: by a reader that only counts words.

A multinomial naive Bayes classifier learns the words of each style from the songs that the model read.
How often it recognises the style that generated songs were asked for, compared with held-out songs, says
whether styles differ visibly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lyricgen.song.originality import plain_words

_SMOOTHING = 0.5
"""Occurrences that every word is taken to have had in every style."""


class StyleReader:
    """Knows the words of each style. All styles count as equally frequent."""

    def __init__(self, texts_by_style: Mapping[str, Sequence[str]]) -> None:
        self.styles = tuple(texts_by_style)
        counts = {
            style: pd.Series(
                [word for text in texts for word in plain_words(text)], dtype=object
            ).value_counts()
            for style, texts in texts_by_style.items()
        }
        table = pd.DataFrame(counts).reindex(columns=list(self.styles)).fillna(0.0) + _SMOOTHING
        self._log_likelihoods = np.log((table / table.sum()).to_numpy())  # (words, styles)
        self._words = table.index

    def recognise(self, text: str) -> str:
        """Return the style that a text's words fit best; '' for one without a word that any style has."""
        ids = self._words.get_indexer(pd.Index(plain_words(text), dtype=object))
        known = self._log_likelihoods[ids[ids >= 0]]
        return self.styles[int(known.sum(axis=0).argmax())] if len(known) else ""

    def recognised(self, texts: Sequence[str], style: str) -> float:
        """Return the share of texts, from 0 to 1, whose style it finds to be `style`."""
        return sum(self.recognise(text) == style for text in texts) / max(len(texts), 1)
