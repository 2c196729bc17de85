"""How well songs with a form keep to it, and what they take.

    python -m benchmarks.forms                 tables of 200 songs, about ten minutes on two cores
    python -m benchmarks.forms --songs 20      of fewer

Rhymes and syllables are judged by lyricgen's own dictionary, which also chose the lines, and by eSpeak NG
(`espeak-ng`, voice en-us), which did not. By eSpeak, two words rhyme if they are the same from the last
stressed vowel on and not as a whole; variants that Americans hear as one phoneme, such as the vowels of
"horn" and "worn", count as one. A line's syllables are its vowels, "fire" having one or two.

A couplet is two lines, AA, of 10 syllables, asked iambic. It is judged so if some way to say its words has
no even syllable with less stress than the one before or after it; words of one syllable fit either way. (The
search asks for more: that no weak word of one syllable, such as "of", stands where a strong one should.)

A title is named where one of its main words stands, with the same ending or another.

Seconds of songs are those of the CPU, on one thread; those of whole processes are by the clock, on all cores.
The network's share of a song is the time in calls of onnxruntime from Python plus that of the steps that the
compiled loop takes. These are counted by batch size, and as many are taken without the loop, by `StepModel`.
"""

from __future__ import annotations

import itertools
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import typer

import lyricgen
from benchmarks import columns, median_seconds, run
from lyricgen.engine.slots import Batch
from lyricgen.engine.step_model import StepModel
from lyricgen.options import CANDIDATES, SongOptions
from lyricgen.song.english import pronunciations
from lyricgen.song.phonemes import strengths
from lyricgen.song.sound import BY_LANGUAGE, Sounds, line_syllables, rhyme, words
from lyricgen.song.subject import Subject
from lyricgen.terminal import command
from train.report.forms import COMMON, Composed, compose

SYLLABLES = 8, 6, 8, 6
COUPLET: SongOptions = {"form": "verse AA 10 iambic", "seed": 1}
TITLES = (
    *(
        "The Lantern",
        "Winter Road",
        "My Mother's Hands",
        "Rain",
        "The Sailor's Farewell",
        "Goodbye, Old Friend",
    ),
    *("The Empty Chair", "Harvest Moon", "Coffee and Smoke", "Last Train Home", "Dancing in the Kitchen"),
    *("The Lost Child", "Paper Boats", "Ashes", "A Letter from the War", "Blue Guitar", "Neon Heart"),
    *("When the River Rises", "Two Lanes", "The Old Mill Wheel"),
)
"""What songs are to be about."""
LINES, DEPTHS = (4, 8, 16, 32), (16, 32, 64, 128, 256, 512)
RUNS = 5  # of each process
ESPEAK = "espeak-ng"

_row = columns(46, 16, 16)
_VARIANTS = str.maketrans("", "", "#25^%=:")
"""What eSpeak adds to the names of phonemes for their variants."""
_SAME = {"aa": "a", "o@": "O@"}
_SYLLABIC = re.compile(r"[aAeEiIoOuUV03@]|[nml]-")
_ONE_OR_TWO = re.compile(r"a[IU](3|@)")
Stresses = tuple[int, ...]


def main(
    songs: Annotated[int, typer.Option(help="With ABAB; and couplets.", min=1)] = 200,
    model: Annotated[
        Path | None, typer.Option(help="Its file; else the bundled model.", parser=command.path)
    ] = None,
) -> None:
    """Print a table for rhymes and syllables, for couplets, for titles, and for the time."""
    opened = lyricgen.load(model)
    sounds = BY_LANGUAGE[opened.card.language]
    show_common(compose(opened, songs, COMMON), sounds)
    show_couplets(compose(opened, songs, COUPLET), sounds)
    show_subjects(opened, max(1, songs // 2))
    show_time(opened)


def show_common(songs: Sequence[Composed], sounds: Sounds) -> None:
    """Show how well songs in common metre keep to it."""
    lines = [(line, SYLLABLES[n % 4]) for song in songs for n, line in enumerate(song.lines)]
    pairs = [pair for song in songs for pair in song.pairs]
    spoken, endings = syllables_by_espeak([line.text for line, _ in lines]), rhymes_by_espeak(pairs)
    print(
        f"{len(songs)} songs, ABAB 8,6,8,6 × 3: {len(lines):,} lines, {len(pairs):,} pairs that should rhyme"
    )
    _row("", "by dictionary", "by eSpeak NG")
    _row("pairs that rhyme", _share(rhyme(sounds, *pair) == 1 for pair in pairs), _share(endings))
    if not shutil.which(ESPEAK):
        _row(f"{ESPEAK} is not installed")
    exact = (asked in line_syllables(sounds, line.text) for line, asked in lines)
    by_espeak = (asked in found for (_, asked), found in zip(lines, spoken, strict=False))
    _row("lines with the syllables asked for", _share(exact), _share(by_espeak))
    _row("pairs of a word with itself", _share(one == other for one, other in pairs))
    _row("lines given up", _share(not (line.rhymes and line.fits) for line, _ in lines))
    _row("dead ends a song", f"{statistics.mean(song.counts.dead_ends for song in songs):.2f}")
    written = sum(song.counts.candidates for song in songs)
    _row("candidates a line", f"{written / len(lines):.0f}")


def show_couplets(songs: Sequence[Composed], sounds: Sounds) -> None:
    """Show how many couplets pass each check, and all."""
    couplets = [[line.text for line in song.lines] for song in songs]
    pairs = [next(song.pairs) for song in songs]
    said = {word: [strengths(one) for one in pronunciations(word)] for word in _distinct(couplets)}
    by_dictionary = [
        [all(10 in line_syllables(sounds, line) for line in lines) for lines in couplets],
        [all(is_iambic(line, said) for line in lines) for lines in couplets],
        [rhyme(sounds, *pair) == 1 for pair in pairs],
    ]
    judges = [by_dictionary]
    if shutil.which(ESPEAK):
        counts = syllables_by_espeak([line for lines in couplets for line in lines])
        spoken = stresses_by_espeak(_distinct(couplets))
        judges.append(
            [
                [10 in one and 10 in other for one, other in zip(counts[::2], counts[1::2], strict=True)],
                [all(is_iambic(line, spoken) for line in lines) for lines in couplets],
                rhymes_by_espeak(pairs),
            ]
        )
    print(f"\n{len(songs)} couplets")
    _row("", *("by dictionary", "by eSpeak NG")[: len(judges)])
    for n, name in enumerate(("10 syllables in both lines", "both iambic", "rhyme")):
        _row(name, *(_share(judge[n]) for judge in judges))
    _row("all three", *(_share(map(all, zip(*judge, strict=True))) for judge in judges))


def show_subjects(model: lyricgen.Model, count: int) -> None:
    """Show how many songs name what their title says, and where."""
    print(f"\n{count} songs each, with a title")
    _row("the title is named", "by line 4", "in the chorus")
    for form in ("hymn", "song"):
        named, in_chorus = [], []
        for number in range(count):
            title = TITLES[number % len(TITLES)]
            subject = Subject(title, english=model.card.language == "en")
            song = model.generate(form=form, title=title, seed=1, index=number)
            named.append(any(subject.named_in(line.text) for line in song.lines[:4]))
            chorus = [subject.named_in(line.text) for line in song.lines if line.section == "chorus"]
            in_chorus += [any(chorus)] if chorus else []
        _row(f"--form {form}", _share(named), _share(in_chorus))


def show_time(model: lyricgen.Model) -> None:
    """Show what a song takes as a process, within onnxruntime, and by its lines and candidates."""
    song = ["-m", "lyricgen", "--seed", "1", "--model", str(model.path)]
    song += [word for name, value in COMMON.items() for word in (f"--{name}", str(value))]
    ways = {
        f"lyricgen-run, {CANDIDATES} candidates": partial(_process, song),
        "lyricgen-run, 64 candidates": partial(_process, [*song, "--candidates", "64"]),
        "import torch": partial(_process, ["-c", "import torch"]),
    }
    seconds = median_seconds(ways, RUNS)
    print()
    _row("whole processes, all cores", "seconds", "import torch")
    for name, taken in seconds.items():
        _row(name, f"{taken:.2f}", f"{taken / seconds['import torch']:.2f} ×")
    print()
    _row("the network's share of a song", f"{network_share(model):.0%}")
    by_candidates: dict[int, SongOptions] = {n: {**COMMON, "candidates": n} for n in DEPTHS}
    by_lines: dict[int, SongOptions] = {n: {**COMMON, "stanzas": n // 4} for n in LINES}
    for name, asked in (("candidates", by_candidates), ("lines", by_lines)):
        songs = {n: compose(model, 3, options, threads=1) for n, options in asked.items()}
        means = {n: statistics.mean(song.seconds for song in found) for n, found in songs.items()}
        print()
        _row(f"by {name}", "seconds a song", f"to {min(means)}")
        for n, mean in means.items():
            _row(f"{n} {name}", f"{mean:.2f}", f"{mean / means[min(means)]:.2f} ×")


def _process(words: Sequence[str]) -> int:
    subprocess.run([sys.executable, *words], check=True, capture_output=True)  # noqa: S603
    return 1


def network_share(model: lyricgen.Model) -> float:
    """Return which share of a song's time is the network's."""
    steps: Counter[int] = Counter()
    called = 0.0
    session = type(model.file.ort_session)
    run_session, call_kernel = session.run, Batch._call

    def timed(self: object, binding: object) -> None:
        nonlocal called
        start = time.process_time()
        run_session(self, binding)  # type: ignore[arg-type]
        called += time.process_time() - start

    def counted(self: Batch, count: int) -> None:
        before = self._slots.length.copy()
        call_kernel(self, count)
        steps[self.size] += int((self._slots.length - before).max())

    with patch.object(session, "run", timed), patch.object(Batch, "_call", counted):
        taken = sum(song.seconds for song in compose(model, 3, COMMON, threads=1))
    for size, count in steps.items():
        alone = StepModel(model.file, size)
        start = time.process_time()
        for _ in range(count):
            alone.step()
        called += time.process_time() - start
    return called / taken


def is_iambic(line: str, said: Mapping[str, Sequence[Stresses]]) -> bool:
    """Tell whether stress falls on even syllables in some way to say the words of a line."""
    for ways in itertools.product(*({*said[word.lower()]} for word in words(line))):
        beat = [one for way in ways for one in (way if len(way) > 1 else (None,) * len(way))]
        pairs = [
            (beat[n], beat[odd]) for n in range(1, len(beat), 2) for odd in (n - 1, n + 1) if odd < len(beat)
        ]
        if all(even is None or odd is None or even >= odd for even, odd in pairs):
            return True
    return False


def stresses_by_espeak(distinct: Sequence[str]) -> dict[str, list[Stresses]]:
    """Return the stress of each syllable of some words by eSpeak NG."""
    return {
        word: [tuple(" ,'".find(one[0]) if one[0] in ",'" else 0 for one in phonemes if _is_syllable(one))]
        for word, phonemes in zip(distinct, by_espeak(distinct), strict=True)
    }


def _distinct(songs: Iterable[Iterable[str]]) -> list[str]:
    return sorted({word.lower() for lines in songs for line in lines for word in words(line)})


def by_espeak(texts: Iterable[str]) -> list[list[str]]:
    """Return the phonemes of lines by eSpeak NG, with their stress marks; no line at all without it."""
    if not shutil.which(ESPEAK):
        return []
    spoken = [" ".join(words(text)).lower() for text in texts]
    outcome = subprocess.run(  # noqa: S603
        [ESPEAK, "-q", "-x", "--sep=_", "-v", "en-us"],
        input="\n\n".join(spoken) + "\n\n",
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    found = [re.split(r"[_\s]+", line.strip()) for line in outcome.stdout.splitlines() if line.strip()]
    if len(found) != len(spoken):
        raise lyricgen.LyricgenError(f"{ESPEAK} spoke {len(found)} lines, not {len(spoken)}")
    return [[one for one in line if one.strip(":")] for line in found]


def syllables_by_espeak(texts: Sequence[str]) -> list[range]:
    """Return how many syllables each line may have by eSpeak NG."""
    found = []
    for phonemes in by_espeak(texts):
        vowels = [_plain(one) for one in phonemes if _is_syllable(one)]
        found.append(range(len(vowels), len(vowels) + sum(map(bool, map(_ONE_OR_TWO.match, vowels))) + 1))
    return found


def rhymes_by_espeak(pairs: Sequence[tuple[str, str]]) -> list[bool]:
    """Tell for each pair of words whether they rhyme by eSpeak NG."""
    distinct = sorted({word for pair in pairs for word in pair})
    spoken = dict(zip(distinct, by_espeak(distinct), strict=False))
    whole = {word: "".join(map(_plain, phonemes)) for word, phonemes in spoken.items()}
    endings = {word: "".join(map(_plain, _ending(phonemes))) for word, phonemes in spoken.items()}
    return [endings[one] == endings[other] and whole[one] != whole[other] for one, other in pairs if spoken]


def _ending(phonemes: Sequence[str]) -> Sequence[str]:
    """Return phonemes from the last stressed vowel on."""
    stressed = [n for n, one in enumerate(phonemes) if one[0] in "',"] or [0]
    return phonemes[stressed[-1] :]


def _is_syllable(phoneme: str) -> bool:
    return bool(_SYLLABIC.match(_plain(phoneme)))


def _plain(phoneme: str) -> str:
    """Return a phoneme without its stress, and not as one of its variants."""
    plain = phoneme.lstrip("',!").translate(_VARIANTS)
    return _SAME.get(plain, plain)


def _share(found: Iterable[bool]) -> str:
    """Return the share of what is true as a text."""
    marks = list(found)
    return f"{statistics.mean(marks):.1%}" if marks else "–"


if __name__ == "__main__":
    run(main)
