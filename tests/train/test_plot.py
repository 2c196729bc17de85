import math
from dataclasses import replace

from train.callbacks import Validation
from train.plot import draw_losses

FIRST = Validation(10, 1000, 0.5, 1e-3, 3.0, 3.1, 1.0)
BEFORE_TRAINING = replace(FIRST, characters=0, training_bits_per_character=math.nan)
WORSE = replace(FIRST, characters=2000, held_out_bits_per_character=5.5)


def test_a_picture_is_drawn_from_the_first_validation_on_and_later_ones_change_it() -> None:
    pictures = {
        draw_losses(rows, "歌 $x^: 1 × 64 on songs.csv")
        for rows in ([FIRST], [FIRST, WORSE], [BEFORE_TRAINING, FIRST])
    }
    assert len(pictures) == 3
    for image in pictures:
        assert image.startswith(b"\x89PNG")
        assert (int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")) == (960, 660)
