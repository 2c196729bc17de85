"""How good a candidate for a line is, besides doing what is asked of it.

Each rule stands here because readers who did not know it kept more songs with it: see docs/forms.md.
"""

from __future__ import annotations

from lyricgen.song.line_search import Candidate
from lyricgen.song.line_task import LineTask
from lyricgen.song.sound import Sounds, words
from lyricgen.song.subject import Subject, main_words

SUBJECT_BY = 4
"""The line by which the subject is named, counted from 1."""
_SUBJECT_BONUS = 0.1
"""Bits per character that a line may cost more if it names the subject."""
_SAME_OPENING, _SAME_TWO, _SAME_WORD, _MOST_TIMES = 0.03, 0.08, 0.03, 3
"""What a line costs for each one before, three at most, with its first word, first two, or a main word."""
_CLOSED = 0.1
"""What it earns to end a stanza's sentence, and costs not to."""
_DOUBTFUL = 0.1
"""What a rhyme costs that is none if both words are said in their commonest way, with their main stress."""
_FORCED, _FORCED_FROM = 0.015, 6.0
"""What each bit of a last word costs beyond so many: it stands there for the rhyme alone."""


def worth(task: LineTask, candidate: Candidate, subject: Subject, sounds: Sounds) -> float:
    """Return how good a candidate is, in bits per character; the higher, the better."""
    text, spoken = candidate.text, [word.lower() for word in words(candidate.text)]
    found = -candidate.bits_per_character - _FORCED * max(0.0, candidate.end_bits - _FORCED_FROM)
    if len(task.before) < SUBJECT_BY and subject.named_in(text):
        found += _SUBJECT_BONUS
    found -= _SAME_OPENING * min(_MOST_TIMES, task.openings[spoken[0]])
    found -= _SAME_TWO * min(_MOST_TIMES, task.openings[" ".join(spoken[:2])])
    for word in main_words(text, english=task.english):
        if not subject.named_in(word):
            found -= _SAME_WORD * min(_MOST_TIMES, task.words[word])
    main = sounds.main_ending(spoken[-1])
    found -= _DOUBTFUL * any(main != sounds.main_ending(partner) for partner in task.partners)
    if task.ends_stanza and any(line.text.endswith((",", ";", ":")) for line in task.before):
        found += _CLOSED * (text[-1:] in ".!?") - _CLOSED * (text[-1:] not in '.!?;"')
    return found
