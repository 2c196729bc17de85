from pathlib import Path

import numpy as np
import pytest
import torch

from lyricgen.vocabulary import Vocabulary
from train.auxiliary import LETTERS, LINES, MAX_KINDS, AuxiliaryHeads, AuxiliaryTasks, NetworkInTraining
from train.config import ModelConfig
from train.corpus.encoded import IGNORED, EncodedSongs, save_songs
from train.corpus.scratch import CorpusSong
from train.model import CharLSTM
from train.segments import SegmentLoader

LETTER_KINDS = "abdeghilnost"
WORDS = Vocabulary.of(LETTER_KINDS + "DN \n,é", ["folk", "hymn"])
KINDS = sorted(LETTER_KINDS + "é")


def answered(text: str, style: int = 0) -> list[tuple[list[str], int]]:
    """Return, for each character of a text and its end, the ends of lines asked for, and the style."""
    tokens = np.array([*WORDS.encode(text), WORDS.eos], np.uint8)
    answers = AuxiliaryTasks(WORDS).answers(tokens, style)
    assert answers.shape == (len(text) + 1, LINES * LETTERS + 1)
    asked = []
    for row in answers.tolist():
        letters = ["_" if kind == IGNORED else KINDS[kind] for kind in row[:-1]]
        asked.append((["".join(letters[n : n + LETTERS]) for n in range(0, len(letters), LETTERS)], row[-1]))
    return asked


def test_the_answers_are_the_last_letters_of_this_line_and_those_before() -> None:
    text = "Night,\nlet it lie\n\nin Delight"
    asked = answered(text)
    at = [text.index("N"), text.index("\n"), text.index("let"), text.index("\n\n") + 1, text.index("in"), -1]
    assert [asked[n][0] for n in at] == [
        ["ght", "___", "___"],
        ["ght", "___", "___"],
        ["lie", "ght", "___"],
        ["___", "lie", "ght"],
        ["ght", "lie", "ght"],
        ["ght", "lie", "ght"],
    ]


def test_short_lines_and_lines_without_letters() -> None:
    text = "o\n, \n\nNé"
    asked = answered(text)
    assert asked[0][0] == ["__o", "___", "___"]
    assert asked[3][0] == ["___", "__o", "___"]
    assert asked[-1][0] == ["_né", "__o", "___"]
    assert answered("")[0][0] == ["___"] * LINES
    assert answered("\n")[1][0] == ["___"] * LINES


@pytest.mark.parametrize(("style", "answer"), [(0, IGNORED), (1, 0), (2, 1)])
def test_the_style_is_asked_for_at_every_position(style: int, answer: int) -> None:
    assert [asked for _, asked in answered("in a\nbed", style)] == [answer] * 9


def test_a_vocabulary_without_letters_lines_or_styles_asks_nothing() -> None:
    words = Vocabulary.of("12")
    answers = AuxiliaryTasks(words).answers(np.array([*words.encode("1221"), words.eos], np.uint8), 0)
    assert (answers == IGNORED).all()
    heads = AuxiliaryHeads(4, AuxiliaryTasks(words).sizes)
    scores = heads(torch.ones(5, 1, 4))
    assert heads.summed_nats(scores, torch.from_numpy(answers)[:, None]) == 0


def test_scripts_of_many_letters_share_kinds() -> None:
    characters = [chr(0x4E00 + n) for n in range(300)]
    words = Vocabulary.of("".join(characters))
    tasks = AuxiliaryTasks(words)
    assert tasks.sizes == (MAX_KINDS,) * (LINES * LETTERS) + (1,)
    songs = [np.array([*words.encode(character), words.eos], np.uint16) for character in characters]
    assert {int(tasks.answers(song, 0)[0, LETTERS - 1]) for song in songs} == set(range(MAX_KINDS))


@pytest.mark.parametrize("length", [1, 3, 7, 100])
@pytest.mark.parametrize("dropout", [0.0, 0.5, 1.0])
def test_segments_bring_the_answers_for_the_symbols_that_they_predict(
    tmp_path: Path, length: int, dropout: float
) -> None:
    texts = ["a light\nin the night", "", "got\ntin\nton\nset", "o"]
    save_songs(tmp_path, "training", list(map(CorpusSong, texts, ["folk", "hymn", "", "hymn"])), WORDS)
    songs, tasks = EncodedSongs.open(tmp_path, "training", WORDS), AuxiliaryTasks(WORDS)
    of_text = {
        text: tasks.answers(np.array([*WORDS.encode(text), WORDS.eos], np.uint8), style)
        for text, style in zip(texts, (1, 2, 0, 2), strict=True)
    }
    assert SegmentLoader(songs, 2, length, seed=4).next_segment().answers is None
    slots = SegmentLoader(songs, 2, length, seed=4, style_dropout=dropout, tasks=tasks)
    units: list[list[int]] = [[], []]
    answers: list[list[list[int]]] = [[], []]
    met = set()
    for number in range(150):
        if number == 70:  # amid the songs
            state = slots.state()
            slots = SegmentLoader(songs, 2, length, seed=4, style_dropout=dropout, tasks=tasks)
            slots.restore(state)
        segment = slots.next_segment()
        assert segment.answers is not None
        for slot in range(2):
            real = segment.targets[:, slot] != IGNORED
            units[slot] += segment.targets[real, slot].tolist()
            answers[slot] += segment.answers[real, slot].tolist()
            assert (segment.answers[~real, slot] == IGNORED).all()
            if units[slot] and units[slot][-1] == 0:  # EOS
                text = WORDS.decode([unit + WORDS.eos for unit in units[slot][:-1]])
                assert answers[slot] == of_text[text].tolist()
                units[slot], answers[slot] = [], []
                met.add(text)
    assert met == set(texts)


def test_the_loss_is_that_of_each_question_and_ignores_what_has_no_answer() -> None:
    heads = AuxiliaryHeads(3, (2, 4))
    scores = torch.zeros(2, 1, 6)
    answers = torch.tensor([[[0, 3]], [[IGNORED, 1]]])
    assert float(heads.summed_nats(scores, answers)) == pytest.approx(np.log(2) + 2 * np.log(4))
    scores[0, 0, 5] = 100.0  # the right answer to the second question
    assert float(heads.summed_nats(scores, answers)) == pytest.approx(np.log(2) + np.log(4))


def test_the_heads_read_what_the_output_reads_and_change_nothing_of_it() -> None:
    torch.manual_seed(0)
    model = CharLSTM(9, 8, ModelConfig(layers=1, hidden_size=5))
    tokens, state = torch.randint(9, (4, 2)), model.initial_state(2)
    heads = AuxiliaryHeads(5, (3,))
    logits, scores, _ = NetworkInTraining(model, heads)(tokens, state)
    assert torch.equal(logits, model(tokens, state)[0])
    assert torch.equal(scores, heads.output(model.read(tokens, state)[0]))
    assert NetworkInTraining(model, None)(tokens, state)[1] is None
