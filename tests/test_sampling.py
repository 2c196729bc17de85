import numba
import numpy as np
import pytest
from scipy import stats

from lyricgen import sampling
from lyricgen.sampling import NOT_FINITE, choose, draw, philox, uniform


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_its_published_test_vectors(
    counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]
) -> None:
    assert philox(*counter, *key) == words


def test_uniform_uses_the_first_53_bits_of_philox() -> None:
    high, low, _, _ = philox(7, 0, 5, 0, 3, 0)
    assert uniform(3, 5, 7) == ((high << 32 | low) >> 11) / 2**53


def test_uniform_numbers_are_uniform() -> None:
    numbers = [
        uniform(seed, song, position)
        for seed in (0, 2**64 - 1)
        for song in range(50)
        for position in range(200)
    ]
    assert min(numbers) >= 0
    assert max(numbers) < 1
    assert stats.kstest(numbers, "uniform").pvalue > 0.001


@pytest.mark.parametrize(
    "change", [(1, 0, 0), (2**32, 0, 0), (0, 1, 0), (0, 2**32, 0), (0, 0, 1), (0, 0, 2**32)]
)
def test_every_part_of_seed_song_and_position_counts(change: tuple[int, int, int]) -> None:
    assert uniform(*change) != uniform(0, 0, 0)


@pytest.mark.parametrize("temperature", [0.3, 0.75, 1.0, 2.0])
def test_sampled_frequencies_match_the_softmax(temperature: float) -> None:
    logits = np.random.default_rng(1).normal(0, 2, 40).astype(np.float32)
    draws = 200_000
    counts = np.bincount([choose(logits[None], temperature, 11, 22, n) for n in range(draws)], minlength=40)
    scaled = logits.astype(np.float64) / temperature
    expected = draws * np.exp(scaled - scaled.max()) / np.exp(scaled - scaled.max()).sum()
    common = expected >= 5  # the chi-square test needs at least this many in each class
    classes = [*counts[common], counts[~common].sum()], [*expected[common], expected[~common].sum()]
    seen, wanted = (np.array(values) for values in classes)
    if wanted[-1] < 5:  # rare symbols together are still rare: count them with the last class
        seen, wanted = ([*values[:-2], values[-2:].sum()] for values in (seen, wanted))
    assert stats.chisquare(seen, wanted).pvalue > 0.001


def test_the_random_number_falls_into_the_cumulated_distribution() -> None:
    logits = np.log(np.array([1, 2, 1], np.float32))
    assert [draw(logits, 1.0, x) for x in (0.0, 0.2499, 0.2501, 0.7499, 0.7501, 1 - 2**-53)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]


@pytest.mark.parametrize("random", [0.0, 0.5, 1 - 2**-53])
def test_temperature_0_takes_the_first_highest_score(random: float) -> None:
    assert draw(np.array([1, 5, 5, 2], np.float32), 0.0, random) == 1


@pytest.mark.parametrize("temperature", [1e-300, 1e-5, 1e300])
def test_extreme_temperatures_and_scores_stay_finite(temperature: float) -> None:
    logits = np.array([-3e38, 3e38, 0], np.float32)
    assert draw(logits, temperature, 0.5) == 1


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_score_that_is_not_finite_is_reported(broken: float, temperature: float) -> None:
    assert draw(np.array([1, broken, 2], np.float32), temperature, 0.5) == NOT_FINITE


def test_without_a_folder_for_the_cache_the_code_still_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    njit = numba.njit

    def without_cache(signatures: list[str], *, cache: bool = False) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(signatures)

    monkeypatch.setattr(numba, "njit", without_cache)

    def double(value: int) -> int:
        return 2 * value

    assert sampling._compiled("int64(int64)")(double)(21) == 42
