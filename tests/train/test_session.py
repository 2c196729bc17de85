import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from lyricgen.files import write_atomically
from lyricgen.vocabulary import Vocabulary
from tests.train.conftest import change_one_bit, full_disk
from train.config import CorpusConfig, ModelConfig, TrainConfig
from train.corpus.encoded import hash_songs
from train.corpus.load import Corpus, load_corpus
from train.session import BestWeights, Checkpoint, Session
from train.session_folders import SessionError, session_numbers

CONFIG = TrainConfig(model=ModelConfig(layers=1, hidden_size=4), epochs=2.5)


@pytest.fixture(scope="module")
def corpus(small_corpus_path: Path) -> Corpus:
    reading = CorpusConfig(held_out_share=0.1, rare_character_share=0)
    return load_corpus(small_corpus_path, reading, licence="ours")


@pytest.fixture
def session(tmp_path: Path, corpus: Corpus) -> Session:
    return Session.create(tmp_path, CONFIG, corpus)


def test_an_opened_session_is_the_one_that_was_created(tmp_path: Path, session: Session) -> None:
    opened = Session.open(tmp_path, 0)
    assert vars(opened) == vars(session)
    assert opened.corpus.licence == "ours"


def test_sessions_are_numbered_on_and_never_shared(tmp_path: Path, corpus: Corpus) -> None:
    (tmp_path / "session_7").mkdir()
    (tmp_path / "session_x").mkdir()
    numbers = [Session.create(tmp_path, CONFIG, corpus).number for _ in range(2)]
    assert numbers == [8, 9]
    assert session_numbers(tmp_path) == [7, 8, 9]


def test_the_songs_come_back(session: Session, corpus: Corpus) -> None:
    for part, songs in (("training", corpus.training), ("held_out", corpus.held_out)):
        texts = session.songs(part).bodies(session.vocabulary, titles=False)
        assert list(texts) == [song.text for song in songs]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_come_back_in_half_precision(session: Session, dtype: torch.dtype) -> None:
    weights = {name: weight.to(dtype) for name, weight in session.new_model().state_dict().items()}
    session.save_best(BestWeights(weights, 12, 1.23456789))
    best = session.load_best()
    assert (best.step, best.held_out_bits_per_character) == (12, 1.23456789)
    assert best.weights.keys() == weights.keys()
    assert all(torch.equal(best.weights[name], weights[name].half()) for name in weights)


def test_no_session_says_which_there_are(tmp_path: Path, corpus: Corpus) -> None:
    with pytest.raises(SessionError, match=r"session_3: no such session; there are none in .*-m train"):
        Session.open(tmp_path / "none", 3)
    Session.create(tmp_path, CONFIG, corpus)
    with pytest.raises(SessionError, match=r"no such session; those in .*: 0"):
        Session.open(tmp_path, 3)


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        *(("config.json", content, "is damaged ") for content in ("", "{}", "[]", "[" * 100_000)),
        ("config.json", '{"format": 9}', "session format 9 is not supported; expected 2"),
        ("config.json", '{"format": 2, "corpus": {}, "config": {"model": {"x": 1}}}', "is damaged "),
        ("config.json", None, "has no config.json: it is no session"),
        *(("vocabulary.json", content, "is damaged ") for content in ('["a"', "{}", '{"characters": 5}')),
    ],
)
def test_a_missing_or_damaged_description_is_an_error(
    tmp_path: Path, session: Session, name: str, content: str | None, problem: str
) -> None:
    (session.folder / name).unlink()
    if content is not None:
        (session.folder / name).write_text(content)
    with pytest.raises(SessionError) as caught:
        Session.open(tmp_path, 0)
    assert problem in str(caught.value)


def change_description(session: Session, section: str, key: str, value: object) -> None:
    path = session.folder / "config.json"
    facts = json.loads(path.read_text())
    facts[section][key] = value
    path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("config", "slots", 2.5), ("config", "seed", True), ("corpus", "sha256", 5)],
)
def test_a_wrong_value_in_the_description_is_an_error(
    tmp_path: Path, session: Session, section: str, key: str, value: object
) -> None:
    change_description(session, section, key, value)
    with pytest.raises(SessionError, match=r"session_0: config\.json is damaged \(.*\); train anew"):
        Session.open(tmp_path, 0)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        *(("held_out", array) for array in (np.zeros((5, 5), np.uint8), np.zeros(5, np.uint8), np.ones(5))),
        *(("held_out", found) for found in (np.full(500, 250, np.uint8), "an end in the middle", "no end")),
        *(("held_out_starts", np.array(starts)) for starts in ([0], [5, 0], [0, 2**63 - 1, -2])),
        *(("held_out_styles", np.array(styles, np.int64)) for styles in ([5], [])),
    ],
)
def test_songs_that_only_seem_right_are_an_error(
    tmp_path: Path, session: Session, name: str, array: "np.ndarray | str"
) -> None:
    """As in a session from a stranger, whose hashes fit."""
    if isinstance(array, str):
        tokens = np.load(session.folder / "songs" / f"{name}.npy")
        tokens[3 if array == "an end in the middle" else -1] = session.vocabulary.eos + (array == "no end")
        array = tokens
    np.save(session.folder / "songs" / f"{name}.npy", array)
    change_description(session, "songs_sha256", "held_out", hash_songs(session.folder / "songs", "held_out"))
    with pytest.raises(SessionError, match="held-out songs have changed since it began"):
        Session.open(tmp_path, 0).songs("held_out")


@pytest.mark.skipif(os.name == "nt", reason="links are not for everybody there")
@pytest.mark.parametrize("name", ["held_out.json", "about.txt", "samples/more.txt", "songs/training.npy"])
def test_a_session_with_a_link_in_it_is_refused(tmp_path: Path, session: Session, name: str) -> None:
    path = session.folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(SessionError, match=f"{name} is a link"):
        Session.open(tmp_path, 0)


class Attack:
    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (Path("touched"),)


@pytest.mark.parametrize("name", ["last", "best"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.write_bytes(b"\x80\x04garbage"), "damaged"),
        (lambda path: torch.save({"model": Attack()}, path), "damaged"),
        (change_one_bit, r"damaged \(its hash differs\)"),
        (lambda path: save_file({"weight": torch.ones(1)}, path, metadata={}), "damaged"),
    ],
)
def test_damaged_weights_are_an_error_and_run_no_code(
    tmp_path: Path,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    damage: Callable[[Path], object],
    problem: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    weights = session.new_model().state_dict()
    session.save_best(BestWeights(weights, 1, 2.5))
    session.save_last(Checkpoint(weights, {"step": 1}))
    load = {"last": session.load_last, "best": session.load_best}[name]
    assert load() is not None
    damage(session.folder / f"{name}.safetensors")
    with pytest.raises(SessionError, match=rf"{name}\.safetensors is {problem}"):
        load()
    assert not Path("touched").exists()


def test_weights_that_are_not_there_yet_are_no_damage(session: Session) -> None:
    assert session.load_last() is None
    with pytest.raises(SessionError, match="no validation yet"):
        session.load_best()


@pytest.mark.parametrize(
    ("left", "problem"),
    [("last.pt", "was begun by an older version"), ("metrics.csv", r"has no last\.safetensors any more")],
)
def test_a_lost_checkpoint_is_not_taken_for_a_beginning(session: Session, left: str, problem: str) -> None:
    (session.folder / left).touch()
    with pytest.raises(SessionError, match=problem):
        session.load_last()


def test_weights_of_before_hashes_were_kept_are_read(session: Session) -> None:
    weights = session.new_model().state_dict()
    facts = {"step": "1", "held_out_bits_per_character": "2.5"}
    save_file(weights, session.folder / "best.safetensors", metadata=facts)
    assert session.load_best().step == 1


def test_a_killed_process_leaves_no_litter_for_ever(tmp_path: Path, session: Session, corpus: Corpus) -> None:
    part = session.folder / ".lyricgen-12345.part"
    part.write_bytes(b"half a checkpoint")
    with session.locked():
        assert not part.exists()
    abandoned, fresh = (tmp_path / f".session_new_{name}" for name in ("old", "young"))
    for folder in (abandoned, fresh):
        (folder / "session").mkdir(parents=True)
    os.utime(abandoned, (1e9, 1e9))
    Session.create(tmp_path, CONFIG, corpus)
    assert not abandoned.exists()
    assert fresh.exists()


def test_songs_that_changed_are_refused_by_their_hash(session: Session) -> None:
    change_one_bit(session.folder / "songs/training.npy")
    with pytest.raises(SessionError, match=r"training songs have changed .* \(their hash differs\)"):
        session.songs("training")


def test_only_one_process_trains_a_session(session: Session, tmp_path: Path) -> None:
    other = Session.open(tmp_path, 0)
    with (
        session.locked(),
        pytest.raises(SessionError, match="another process is training it"),
        other.locked(),
    ):
        pass
    with other.locked():
        pass


def test_a_fine_tuned_session_begins_with_its_parents_weights(tmp_path: Path, corpus: Corpus) -> None:
    first = Session.create(tmp_path, CONFIG, corpus)
    weights = first.new_model().state_dict()
    first.save_best(BestWeights(weights, 12, 1.5))
    second = Session.create(tmp_path, CONFIG, corpus, first.as_parent())
    assert second.facts.base_model == "session_0, trained on small_songs.csv (licence: ours)"
    begun = Session.open(tmp_path, 1).initial_model().state_dict()
    assert all(torch.equal(begun[name], weights[name].half().float()) for name in weights)
    second.save_best(BestWeights(weights, 12, 1.5))
    songs = "small_songs.csv (licence: ours)"
    assert second.facts.base_with_other_songs == ""  # both were trained on the same
    assert second.as_parent().name == f"session_1, trained on {songs}, from session_0, trained on {songs}"


@pytest.mark.parametrize("known", [(), ("folk",), ("folk", "hymn")])
def test_new_styles_begin_as_the_mean_of_the_known_ones(
    tmp_path: Path, corpus: Corpus, known: tuple[str, ...]
) -> None:
    characters, total = corpus.vocabulary.characters, len(known) + 2
    parent = Session.create(tmp_path, CONFIG, replace(corpus, vocabulary=Vocabulary(characters, known)))
    before = parent.new_model().state_dict()
    parent.save_best(BestWeights(before, 1, 1.5))
    wider = replace(corpus, vocabulary=Vocabulary(characters, (*known, "blues", "rock")))
    after = Session.create(tmp_path, CONFIG, wider, parent.as_parent()).initial_model().state_dict()
    old, new = before["lstm.weight_ih_l0"].half().float(), after.pop("lstm.weight_ih_l0")
    styles = old[:, 1 : 1 + len(known)]
    assert torch.equal(new[:, : 1 + len(known)], old[:, : 1 + len(known)])
    assert torch.equal(new[:, 1 + total :], old[:, 1 + len(known) :])
    mean = styles.mean(1) if known else torch.zeros(len(old))
    for column in (total - 1, total):
        torch.testing.assert_close(new[:, column], mean, rtol=0, atol=1e-3)  # half precision
    assert all(torch.equal(after[name], before[name].half().float()) for name in after)


def test_a_session_knows_whether_other_songs_went_into_it(tmp_path: Path, corpus: Corpus) -> None:
    other = replace(corpus, training=corpus.training.select(np.arange(1, len(corpus.training))))
    session, others = Session.create(tmp_path, CONFIG, corpus), []
    for songs in (corpus, other, other, corpus):
        session.save_best(BestWeights(session.new_model().state_dict(), 1, 1.5))
        session = Session.create(tmp_path, CONFIG, songs, session.as_parent())
        reopened = Session.open(tmp_path, session.number)
        assert reopened.facts == session.facts
        others.append(bool(reopened.facts.base_with_other_songs))
    assert others == [False, True, True, True]


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (CONFIG.model, r"0 MB free, but its checkpoints need \d+ MB"),
        (ModelConfig(layers=16, hidden_size=8192), r"299,\d\d\d MB"),  # weighed without making it
    ],
)
def test_a_disk_without_room_for_checkpoints_is_an_error_before_training(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, shape: ModelConfig, problem: str
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    with pytest.raises(SessionError, match=f"cannot write here: .*{problem}"):
        Session.create(tmp_path, replace(CONFIG, model=shape), corpus)
    assert list(tmp_path.iterdir()) == []


def test_a_session_without_its_songs_says_so(session: Session) -> None:
    assert session.has_songs("held_out")
    (session.folder / "songs/held_out.npy").unlink()
    assert not session.has_songs("held_out")
    with pytest.raises(SessionError, match="came without its held-out songs"):
        session.songs("held_out")


def test_a_session_that_cannot_be_begun_leaves_no_folder(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numpy.save", full_disk)
    with pytest.raises(SessionError, match="cannot write here: No space left on device"):
        Session.create(tmp_path, CONFIG, corpus)
    assert list(tmp_path.iterdir()) == []


def test_writing_follows_links_and_keeps_permissions(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o600
