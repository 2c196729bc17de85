"""Copies are found wherever they stand, and nothing else is."""

import random

import pytest

from train.report.originality import Originals

SONGS = [
    "the moon is low, the wind is cold\nand over all the hills\n",
    "o come with me and be my own true love\nand over all the hills\n",
]


@pytest.fixture(scope="module")
def originals() -> Originals:
    return Originals(SONGS)


def longest_by_trying(text: str, songs: list[str]) -> int:
    spans = {text[a:b] for a in range(len(text)) for b in range(a + 1, len(text) + 1)}
    return max((len(span) for span in spans if any(span in song for song in songs)), default=0)


@pytest.mark.parametrize("seed", range(30))
def test_the_longest_span_is_that_of_trying_all(seed: int) -> None:
    draw = random.Random(seed)
    songs = ["".join(draw.choices("abc é", k=draw.randint(1, 60))) for _ in range(4)]
    texts = ["".join(draw.choices("abc é", k=draw.randint(1, 40))) for _ in range(5)]
    found = Originals(songs).longest_spans(texts)
    for text, span in zip(texts, found, strict=True):
        assert len(span) == longest_by_trying(text, songs)
        assert span in text
        assert any(span in song for song in songs)


def test_no_span_runs_from_one_song_into_the_next(originals: Originals) -> None:
    assert originals.longest_spans([SONGS[0] + SONGS[1], SONGS[0], "ZZZ"]) == [SONGS[1], SONGS[0], ""]


def test_lines_of_four_words_or_more_count(originals: Originals) -> None:
    text = "and over all the hills\nall the hills\nand over all the seas\n\nthe moon is low, the wind is cold"
    assert originals.copied_lines([text]) == (2, 3)


def test_runs_of_eight_words_count_whatever_stands_between_them(originals: Originals) -> None:
    assert originals.copied_runs(["COME with me\nand be my own true"]) == (1, 1)
    assert originals.copied_runs(["come with me and be my own true love and"]) == (3, 3)
    assert originals.copied_runs(["come with me and be my own blue love and"]) == (0, 3)
    assert originals.copied_runs(["come with me and be my own", "true love"]) == (0, 0)
    assert originals.copied_runs(["zip zap zop zup zep zyp zxp zqp"]) == (0, 1)
