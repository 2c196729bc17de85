"""From a corpus in another language to songs that rhyme: train, export, run."""

import random
from pathlib import Path

import pytest

import lyricgen
from export import cli as export_cli
from lyricgen.song.sound import SPELLING, line_syllables, rhyme, words
from tests.conftest import Apps
from train import cli as train_cli

BEGINNINGS = """\
Der Wind geht leise
Ich suche heute
Die Sterne stehen
Du singst am Abend
Das Wasser trägt mich
Wir wandern langsam
Mein Mädchen wartet
Die Vögel ziehen
Ein altes Lied klingt
Sie kommen wieder""".splitlines()
MIDDLES = ["durch das weite", "in das kalte", "über unser", "hinter meinem", "an dem alten", "vor dem grünen"]
RHYMES = [
    ["Haus", "Strauß", "hinaus", "daraus"],
    ["Nacht", "Pracht", "gedacht", "gelacht", "gebracht"],
    ["Tal", "Mal", "Saal", "Strahl"],
    ["See", "Schnee", "Klee"],
    ["Land", "Strand", "Sand", "Band"],
    ["Zeit", "Kleid", "weit", "bereit"],
    ["Garten", "warten", "Karten"],
    ["Wagen", "sagen", "tragen", "fragen"],
]


def german_songs(count: int) -> list[str]:
    """Return songs of three stanzas of rhyming couplets."""
    rng = random.Random(1)
    songs = []
    for _ in range(count):
        stanzas = []
        for _ in range(3):
            ends = [word for group in rng.sample(RHYMES, 2) for word in rng.sample(group, 2)]
            lines = (f"{rng.choice(BEGINNINGS)} {rng.choice(MIDDLES)} {end}" for end in ends)
            stanzas.append("\n".join(lines))
        songs.append("\n\n".join(stanzas))
    return songs


@pytest.mark.slow
def test_a_model_of_another_language_rhymes_by_spelling(
    run: Apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = tmp_path / "lieder"
    corpus.mkdir()
    for n, song in enumerate(german_songs(200)):
        (corpus / f"{n}.txt").write_text(song + "\n", "utf-8")
    train, export = run(train_cli.app, "python -m train"), run(export_cli.app, "python -m export")
    trained = train("--corpus", corpus, "--preset", "tiny", "--epochs", 12)
    assert trained.code == 0, trained.err
    exported = export("--session", 0)
    assert exported.code == 0, exported.err
    model = lyricgen.load("exported_models/session_0.onnx")
    assert model.card.language == "spelling"
    assert model.card.suggested_form == "auto"
    songs = [
        *model.songs(range(10), seed=1, candidates=32),
        *model.songs(range(10), seed=1, candidates=32, rhyme="ABAB", syllables="9-11", stanzas=2),
    ]
    pairs = [
        (words(one.text)[-1], words(other.text)[-1])
        for song in songs
        for n, one in enumerate(song.lines)
        for other in song.lines[n + 1 :]
        if (one.stanza, one.rhyme) == (other.stanza, other.rhyme) and one.rhyme
    ]
    rhyming = [one != other and rhyme(SPELLING, one, other) == 1 for one, other in pairs]
    assert len(pairs) >= 60
    assert sum(rhyming) / len(pairs) >= 0.95
    lines = [line for song in songs[10:] for line in song.lines]
    fitting = [bool(line_syllables(SPELLING, line.text) & {9, 10, 11}) for line in lines]
    assert sum(fitting) / len(lines) >= 0.95
    real = {word for song in german_songs(200) for word in words(song)}
    spoken = [word for line in lines for word in words(line.text)]
    assert sum(word in real for word in spoken) / len(spoken) >= 0.9  # it learned to write
