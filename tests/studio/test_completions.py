"""The completions protocol, spoken by the client that others are measured by."""

from typing import Any

import pytest

import lyricgen
from lyricgen.studio.completions import _sure
from tests.studio.conftest import Studio

openai = pytest.importorskip("openai")
Client = Any
PROMPT = "Low Moon\n\nThe moon is low"


@pytest.fixture
def client(studio: Studio) -> Any:  # noqa: ANN401
    return openai.OpenAI(base_url=f"http://127.0.0.1:{studio.door.port}/v1", api_key="none", max_retries=0)


def text_of(model: lyricgen.Model, length: int, index: int = 0, seed: int = 3) -> str:
    """What lyricgen writes after the prompt."""
    most = len(PROMPT) + length
    options: Any = {"form": "free", "prompt": PROMPT, "max_length": most, "exact_length": True}
    return str(model.generate(seed=seed, index=index, **options))[len(PROMPT) :]


def test_the_model_is_listed(studio: Studio, client: Client) -> None:
    assert [one.id for one in client.models.list()] == [studio.model.path.stem]


def test_completions_are_what_is_written_elsewhere(studio: Studio, client: Client) -> None:
    found = client.completions.create(model="bundled", prompt=PROMPT, max_tokens=120, seed=3, n=2)
    texts = [text_of(studio.model, 120, index) for index in range(2)]
    assert [choice.text for choice in found.choices] == texts
    assert [choice.index for choice in found.choices] == [0, 1]
    assert {choice.finish_reason for choice in found.choices} <= {"stop", "length"}
    assert found.usage is not None
    assert found.usage.prompt_tokens == len(PROMPT)
    assert found.usage.completion_tokens == sum(map(len, texts))


def test_a_stream_is_the_same_in_pieces(studio: Studio, client: Client) -> None:
    options: Any = {"stream": True, "stream_options": {"include_usage": True}}
    parts = list(client.completions.create(model="bundled", prompt=PROMPT, max_tokens=200, seed=3, **options))
    assert len(parts) > 3
    text = "".join(part.choices[0].text for part in parts if part.choices)
    assert text == text_of(studio.model, 200)
    assert [part.choices[0].finish_reason for part in parts[:-1]][-1] in ("stop", "length")
    assert parts[-1].usage.completion_tokens == len(text)
    assert len({part.id for part in parts}) == 1


def test_several_prompts_have_choices_one_after_another(client: Client) -> None:
    found = client.completions.create(
        model="bundled", prompt=["The sea", "The sky"], max_tokens=9, seed=1, n=2, echo=True
    )
    assert [choice.text[:7] for choice in found.choices] == ["The sea"] * 2 + ["The sky"] * 2


def test_a_stop_ends_it_and_is_left_out(studio: Studio, client: Client) -> None:
    whole = text_of(studio.model, 400)
    stop = whole[57:61]
    for stream in (False, True):
        found: Any = client.completions.create(
            model="bundled", prompt=PROMPT, max_tokens=400, seed=3, stop=[stop, "☃"], stream=stream
        )
        parts = list(found) if stream else [found]
        assert "".join(part.choices[0].text for part in parts) == whole[: whole.index(stop)]
        assert parts[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("text", "sure"), [("abc", 3), ("abx", 2), ("abxy", 2), ("xyab", 4), ("x", 0), ("", 0), ("axx", 2)]
)
def test_what_may_be_the_beginning_of_a_stop_is_held_back(text: str, sure: int) -> None:
    assert _sure(text, ("xyz",)) == sure
    assert _sure(text, ()) == len(text)


def test_a_song_that_ends_stops(studio: Studio, client: Client) -> None:
    found = client.completions.create(model="bundled", prompt="", max_tokens=6000, seed=1)
    song = studio.model.generate(form="free", seed=1, max_length=6000)
    assert song.finished == "eos"
    assert (found.choices[0].text, found.choices[0].finish_reason) == (song.text, "stop")


def test_no_tokens_are_no_text(client: Client) -> None:
    found = client.completions.create(model="bundled", prompt=PROMPT, max_tokens=0, echo=True)
    assert (found.choices[0].text, found.choices[0].finish_reason) == (PROMPT, "length")


@pytest.mark.parametrize(
    ("options", "parameter"),
    [
        ({"logprobs": 0}, "logprobs"),
        ({"logprobs": 5}, "logprobs"),
        ({"suffix": "The end"}, "suffix"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -1}, "frequency_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"best_of": 3}, "best_of"),
        ({"n": 17}, "n"),
        ({"max_tokens": 50_001}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"seed": -1}, "seed"),
        ({"prompt": "☃"}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": ["a"] * 17}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": "a" * 5001}, "prompt"),
        ({"extra_body": {"functions": []}}, "functions"),
        ({"extra_body": {"style": "polka"}}, "style"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_honoured_is_an_error(
    client: Client, options: dict[str, Any], parameter: str, *, stream: bool
) -> None:
    asked: Any = {"model": "bundled", "prompt": PROMPT, "stream": stream, **options}
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(**asked)
    assert error.value.param == parameter
    assert error.value.type == "invalid_request_error"


def test_neutral_values_are_honoured(client: Client) -> None:
    asked: Any = {
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "suffix": "",
        "logit_bias": {},
        "best_of": 1,
        "user": "x",
    }
    assert client.completions.create(model="bundled", prompt=PROMPT, **asked).choices


def test_stream_options_are_for_streams(client: Client) -> None:
    with pytest.raises(openai.BadRequestError, match="no stream"):
        client.completions.create(model="bundled", prompt="", stream_options={"include_usage": True})


def test_what_nobody_serves_is_not_found(client: Client, studio: Studio) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="bundled", messages=[])
    assert error.value.type == "invalid_request_error"
    assert studio.ask("GET", "/v1/completions").headers["allow"] == "POST"


def test_another_model_is_not_found(client: Client) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.completions.create(model="gpt", prompt="x")
    assert error.value.code == "model_not_found"
