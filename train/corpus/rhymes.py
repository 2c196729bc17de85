"""The words that end the lines of a corpus, in groups that rhyme."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from lyricgen.song.sound import Sounds, words
from lyricgen.vocabulary import Vocabulary

_MOST_WORDS, _FEWEST_ENDS = 12_000, 3
"""How many words are kept, the most frequent, and how often each must end a line."""


def rhyme_groups(texts: Iterable[str], sounds: Sounds, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return groups of two words and more that rhyme, between spaces; a word may stand in several.

    A word is written as it ends lines most often (God, but day).
    """
    ends = Counter(found[-1] for text in texts for line in text.split("\n") if (found := words(line)))
    counts: Counter[str] = Counter()
    written: dict[str, str] = {}
    known = set(vocabulary.characters)
    for word, count in ends.most_common():
        if known.issuperset(word):
            counts[word.lower()] += count
            written.setdefault(word.lower(), word)
    groups = defaultdict(list)
    for word, count in counts.most_common(_MOST_WORDS):
        for ending in sounds.endings(word) if count >= _FEWEST_ENDS else ():
            groups[ending].append(written[word])
    return tuple(" ".join(group) for group in groups.values() if len(group) > 1)
