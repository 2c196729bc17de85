import math

from train.plot import draw_losses

ROW = {
    "characters": 1000.0,
    "learning_rate": 1e-3,
    "training_bits_per_character": 3.0,
    "held_out_bits_per_character": 3.1,
}


def size(image: bytes) -> tuple[int, int]:
    assert image.startswith(b"\x89PNG")
    return int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")


def test_a_picture_is_drawn_from_the_first_validation_on() -> None:
    assert size(draw_losses([ROW], "session_0: 1 × 64 on songs.csv")) == (960, 660)


def test_validations_change_the_picture() -> None:
    worse = {**ROW, "characters": 2000.0, "held_out_bits_per_character": 3.5}
    assert draw_losses([ROW, worse], "a") != draw_losses([ROW], "a")


def test_a_validation_before_training_and_an_odd_title_are_drawn() -> None:
    first = {**ROW, "characters": 0.0, "training_bits_per_character": math.nan}
    assert size(draw_losses([first, ROW], "歌 $x^ on songs.csv")) == (960, 660)
