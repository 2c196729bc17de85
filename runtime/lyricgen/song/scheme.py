"""Which lines of a stanza rhyme, as letters: found in its last words, or guessed where some are missing."""

from __future__ import annotations

import math
import string
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set

from lyricgen.song.form import FREE

Rhyme = Callable[[str, str], float]
"""Returns how well two words rhyme, as `sound.rhyme` does."""
NEAR = 0.8
"""How near a rhyme must be to get a letter."""
REACH = 4
"""Lines over which a rhyme is heard, and a word that comes again."""
_KNOWN = ("ABAB", "AABB", "xAxA", "ABBA", "AA", "AABBA", "ABABCC", "AAA", "AAAA", "xAxAxAxA", "AABBCC")
"""Schemes that stanzas have, the commonest first."""
_UNMET, _UNASKED = 2.0, 0.5
"""What a pair of lines speaks against a scheme: that should rhyme and does not, or rhymes and need not."""
_OTHERS, _UNLIKELY = 0.6, 1e-4
"""What another stanza speaks for its scheme; and the share of schemes that the shapes do not have."""


def rhyme_scheme(ends: Sequence[str], rhyme: Rhyme) -> str:
    """Return a letter for each line of a stanza by its last word; x for a line that rhymes with none.

    A repeated word is like itself, but alone it is no rhyme.
    """
    groups = list(range(len(ends)))
    for n, end in enumerate(ends):
        scores = [(1.01 if ends[m] == end else rhyme(ends[m], end), m) for m in range(max(n - REACH, 0), n)]
        score, m = max(scores, default=(0.0, n))
        if score >= NEAR:
            groups[n] = groups[m]
    distinct: dict[int, set[str]] = defaultdict(set)
    for group, end in zip(groups, ends, strict=True):
        distinct[group].add(end)
    return _lettered(groups, {group for group, words in distinct.items() if len(words) > 1})


def guessed_scheme(
    ends: Sequence[str],
    rhyme: Rhyme,
    can_be_rhymed: Callable[[str], bool],
    shares: Mapping[str, float],
    others: Mapping[str, float],
) -> str:
    """Return the scheme that a stanza with missing lines most likely has.

    Args:
        ends: last words of its lines; "" where a line is missing.
        rhyme: how well two words rhyme.
        can_be_rhymed: tells whether there are words that rhyme with one.
        shares: how common schemes are, by the shapes of a model's songs.
        others: schemes of other stanzas of the song, and how much these count.
    """
    count = len(ends)
    if all(ends):
        return rhyme_scheme(ends, rhyme)
    choices = {*shares, *others, *_KNOWN}
    pairs = [(m, n) for n in range(count) for m in range(max(0, n - REACH), n) if ends[m] and ends[n]]
    heard = {(m, n): ends[m] != ends[n] and rhyme(ends[m], ends[n]) >= NEAR for m, n in pairs}
    unrhymed = [n for n, end in enumerate(ends) if end and not can_be_rhymed(end)]

    def fit(scheme: str) -> float:
        found = _OTHERS * others.get(scheme, 0.0) + 0.05 * math.log(shares.get(scheme, 0.0) + _UNLIKELY)
        found -= sum(_UNMET for n in unrhymed if scheme[n] != FREE)
        for (m, n), rhymes in heard.items():
            asked = scheme[m] == scheme[n] != FREE
            found += asked * (1 if rhymes else -_UNMET) - _UNASKED * (rhymes and not asked)
        return found

    alike = sorted(scheme for scheme in choices if len(scheme) == count)
    return max(alike, key=fit) if alike else _paired(ends, heard)


def _paired(ends: Sequence[str], heard: Mapping[tuple[int, int], bool]) -> str:
    """Return a scheme for a stanza of a rare length: gaps rhyme with lines near by that are left over."""
    groups = list(range(len(ends)))
    for (m, n), rhymes in heard.items():
        if rhymes:
            groups[n] = groups[m]
    for n, end in enumerate(ends):
        near = [m for m in (n - 2, n - 1, n + 2, n + 1) if 0 <= m < len(ends)]
        free = [m for m in near if groups.count(groups[m]) == 1 and m != n]
        if not end and groups.count(groups[n]) == 1 and free:
            groups[max(n, free[0])] = groups[min(n, free[0])]
    return _lettered(groups, {group for group in groups if groups.count(group) > 1})


def _lettered(groups: Sequence[int], rhyming: Set[int]) -> str:
    """Return a letter for each line by its group, as long as there are letters, and x for the others."""
    order = dict.fromkeys(group for group in groups if group in rhyming)
    names = dict(zip(order, string.ascii_uppercase, strict=False))
    return "".join(names.get(group, FREE) for group in groups)
