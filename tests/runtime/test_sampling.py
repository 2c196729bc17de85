import itertools
import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from lyricgen.engine.sampling import NOT_FINITE, Filters, choose, draw, exp, keep_likeliest, philox, uniform

PLAIN = Filters(1.0, 0, 1.0, 0.0)


def drawn(logits: np.ndarray, random: float, filters: Filters = PLAIN) -> int:
    return draw(logits, filters, random, np.empty(len(logits)), np.empty(len(logits), np.int64))


def test_philox_gives_its_published_test_vectors() -> None:
    assert philox(0, 0, 0, 0, 0, 0) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox(*[0xFFFFFFFF] * 6) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
    assert philox(*pi) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


def test_uniform_uses_the_first_53_bits_of_philox() -> None:
    high, low, _, _ = philox(7, 0, 5, 0, 3, 0)
    assert uniform(3, 5, 7) == ((high << 32 | low) >> 11) / 2**53


def test_uniform_numbers_are_uniform() -> None:
    counters = itertools.product((0, 2**64 - 1), range(50), range(200))
    numbers = [uniform(seed, song, position) for seed, song, position in counters]
    assert min(numbers) >= 0
    assert max(numbers) < 1
    assert stats.kstest(numbers, "uniform").pvalue > 0.001


def test_every_part_of_seed_song_and_position_counts() -> None:
    changes = [(2**bit * (n == 0), 2**bit * (n == 1), 2**bit * (n == 2)) for n in range(3) for bit in (0, 32)]
    assert len({uniform(0, 0, 0), *(uniform(*change) for change in changes)}) == 7


@pytest.mark.parametrize("temperature", [0.3, 0.75, 1.0, 2.0])
def test_sampled_frequencies_match_the_softmax(temperature: float) -> None:
    logits = np.random.default_rng(1).normal(0, 2, 40).astype(np.float32)
    draws = 200_000
    counts = np.bincount([choose(logits, temperature, 11, 22, n) for n in range(draws)], minlength=40)
    weights = np.exp(logits.astype(np.float64) / temperature)
    expected = draws * weights / weights.sum()
    order = np.argsort(-expected)  # the chi-square test needs at least 5 in each class: the rare ones are one
    classes = (expected >= 5).sum() - 1
    seen, wanted = ([*n[:classes], n[classes:].sum()] for n in (counts[order], expected[order]))
    assert stats.chisquare(seen, wanted).pvalue > 0.001


def test_the_random_number_falls_into_the_cumulated_distribution() -> None:
    logits = np.log(np.array([1, 2, 1], np.float32))
    numbers = (0.0, 0.2499, 0.2501, 0.7499, 0.7501, 1 - 2**-53)
    assert [drawn(logits, number) for number in numbers] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("temperature", "logits", "unit"),
    [
        (0.0, [1, 5, 5, 2], 1),  # the first of the highest
        *((temperature, [-3e38, 3e38, 0], 1) for temperature in (1e-300, 1e-5, 1e300)),
        *((temperature, [1, np.nan, 2], NOT_FINITE) for temperature in (0.0, 1.0)),
        *((temperature, [1, np.inf, 2], NOT_FINITE) for temperature in (0.0, 1.0)),
        *((temperature, [1, -np.inf, 2], NOT_FINITE) for temperature in (0.0, 1.0)),
    ],
)
def test_extreme_temperatures_and_logits(temperature: float, logits: list[float], unit: int) -> None:
    for random in (0.4, 0.5, 0.6):
        filters = PLAIN._replace(temperature=temperature)
        assert drawn(np.array(logits, np.float32), random, filters) == unit


def distribution(logits: np.ndarray, filters: Filters) -> npt.NDArray[np.float64]:
    """The filtered distribution as the definitions say it, in the plainest way."""
    scaled = logits.astype(np.float64) / filters.temperature
    weights = np.exp(scaled - scaled.max())
    ranked = sorted(range(len(weights)), key=lambda unit: (-weights[unit], unit))
    if filters.top_k:
        ranked = ranked[: filters.top_k]
    total, passed, kept = sum(weights[ranked]), 0.0, []
    for unit in ranked:
        if filters.top_p < 1 and passed >= filters.top_p * total:
            break
        kept.append(unit)
        passed += weights[unit]
    kept = [unit for unit in kept if weights[unit] >= filters.min_p]
    left = np.zeros(len(weights))
    left[kept] = weights[kept]
    return np.asarray(left / left.sum())


@pytest.mark.parametrize(
    "filters",
    [
        *(Filters(0.75, top_k, 1.0, 0.0) for top_k in (0, 1, 7, 40, 1000)),
        *(Filters(1.3, 0, top_p, 0.0) for top_p in (1e-9, 0.5, 0.999)),
        *(Filters(1.0, 0, 1.0, min_p) for min_p in (0.1, 1.0)),
        Filters(0.9, 10, 0.8, 0.05),
    ],
)
@pytest.mark.parametrize("outputs", [1, 2, 3, 40, 77])
def test_filters_keep_what_their_definitions_say(filters: Filters, outputs: int) -> None:
    """The cumulated distribution is probed in the middle of each of its steps."""
    for seed in range(5):
        logits = np.random.default_rng(seed).normal(0, 2, outputs).astype(np.float32)
        logits[outputs // 2 :] = np.round(logits[outputs // 2 :])  # equals among them
        steps = np.concatenate([[0.0], np.cumsum(distribution(logits, filters))])
        for unit in np.flatnonzero(np.diff(steps) > 1e-12):
            assert drawn(logits, (steps[unit] + steps[unit + 1]) / 2, filters) == unit


@pytest.mark.parametrize("top_k", [100, 1000])
def test_as_many_as_there_are_keeps_even_the_least_likely(top_k: int) -> None:
    for numerators in np.exp(-np.random.default_rng(0).uniform(0, 60, (200, 100))):
        before = numerators.copy()
        keep_likeliest(numerators, top_k, 1.0, np.empty(100, np.int64))
        np.testing.assert_array_equal(numerators, before)


def test_the_exponential_function_is_right_to_the_last_place_or_so() -> None:
    numbers = [-n / 1009 for n in range(700_000)]
    ours = [exp(x) for x in numbers]
    assert max(abs(mine / math.exp(x) - 1) for x, mine in zip(numbers, ours, strict=True)) < 2.5e-16
    assert all(one >= other for one, other in itertools.pairwise(ours))
    assert exp(0.0) == 1.0
    assert 0 < exp(-708.0) == exp(-709.0) == exp(-math.inf) < 1e-300


def test_the_exponential_function_is_made_of_exact_arithmetic_alone() -> None:
    """No call of a library's function and no fused multiply-add: the same bits on every CPU."""
    compiled: Any = exp
    code = "\n".join(compiled.inspect_llvm(signature) for signature in compiled.signatures)
    called = set(re.findall(r"call \w+ @([\w.]+)", code.split("define linkonce_odr")[0]))
    assert "fmul" in code
    assert not [name for name in called if name.startswith(("exp", "llvm.exp", "llvm.fma", "llvm.fmuladd"))]
    assert not re.search(r"f(mul|add|sub) (fast|contract|reassoc)", code)
