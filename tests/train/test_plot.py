import math
from dataclasses import replace

from train.callbacks import Validation
from train.plot import draw_losses

FIRST = Validation(
    step=10,
    characters=1000,
    epoch=0.5,
    learning_rate=1e-3,
    training_bits_per_character=3.0,
    held_out_bits_per_character=3.1,
    elapsed_seconds=1.0,
)


def size(image: bytes) -> tuple[int, int]:
    assert image.startswith(b"\x89PNG")
    return int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")


def test_a_picture_is_drawn_from_the_first_validation_on_and_later_ones_change_it() -> None:
    first = draw_losses([FIRST], "session_0: 1 × 64 on songs.csv")
    assert size(first) == (960, 660)
    worse = replace(FIRST, characters=2000, held_out_bits_per_character=3.5)
    assert draw_losses([FIRST, worse], "session_0: 1 × 64 on songs.csv") != first


def test_a_validation_before_training_and_an_odd_title_are_drawn() -> None:
    before = replace(FIRST, characters=0, training_bits_per_character=math.nan)
    assert size(draw_losses([before, FIRST], "歌 $x^ on songs.csv")) == (960, 660)
