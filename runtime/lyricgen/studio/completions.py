"""The completions protocol that clients of language models speak: /v1/models and /v1/completions.

A completion goes on from its prompt, character by character, as with `--form free`; a token is a character.
What cannot be honoured is an error. The protocol: https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from starlette.responses import Response
from starlette.routing import Route

from lyricgen.errors import ExcludedOptionError, OptionError
from lyricgen.generator import Model, SongStream
from lyricgen.model_file.contract import FREE_FORM, MAX_TEMPERATURE
from lyricgen.options import MAX_INDEX, plan_song
from lyricgen.schema import MaxLength, Range, SchemaError, annotations_of, from_json
from lyricgen.studio.errors import RequestError, said
from lyricgen.studio.messages import as_json, check_prompt, read_body, reply, streamed
from lyricgen.studio.work import Workroom

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_CHOICES, MAX_PROMPTS, MAX_STOPS, MAX_TOKENS = 16, 16, 4, 50_000


@dataclass(frozen=True)
class Asked:
    """What a client asks for."""

    model: str
    """The name of the model that the server has."""
    prompt: Annotated[tuple[str, ...], MaxLength(MAX_PROMPTS)] = ("",)
    """How songs begin, with title and empty line."""
    max_tokens: Annotated[int, Range(0, MAX_TOKENS)] = 16
    """Characters; 16 is the protocol's."""
    temperature: Annotated[float | None, Range(0, MAX_TEMPERATURE)] = None
    top_p: Annotated[float, Range(0, 1, above_low=True)] = 1.0
    seed: Annotated[int | None, Range(0, MAX_INDEX)] = None
    n: Annotated[int, Range(1, MAX_CHOICES)] = 1
    """Choices for each prompt: the seed's songs 0, 1, 2, …"""
    stop: Annotated[tuple[str, ...], MaxLength(MAX_STOPS)] = ()
    """Texts that end a choice, and are left out."""
    stream: bool = False
    stream_options: dict[str, bool] = field(default_factory=dict)
    echo: bool = False
    user: str | None = None
    """Of no consequence, as the protocol has it."""
    style: str | None = None
    """Not of the protocol: a style of the model."""
    best_of: Annotated[int | None, Range(1, MAX_CHOICES)] = None
    suffix: str | None = None
    logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def __post_init__(self) -> None:
        for name in ("suffix", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty"):
            if (value := getattr(self, name)) or (name == "logprobs" and value is not None):
                raise ExcludedOptionError(name, value, "this server, which cannot honour it")
        if self.best_of not in (None, self.n):
            raise ExcludedOptionError("best_of", self.best_of, "another n: this server does not choose")
        if self.stream_options and not self.stream:
            raise ExcludedOptionError("stream_options", self.stream_options, "a reply that is no stream")
        if unknown := self.stream_options.keys() - {"include_usage"}:
            raise OptionError("stream_options", unknown.pop(), "include_usage")
        if not self.prompt:
            raise OptionError("prompt", [], "a text, or a list of texts")
        for prompt in self.prompt:
            check_prompt("prompt", prompt)
        if "" in self.stop:
            raise OptionError("stop", "", "a text")

    @property
    def tells_usage(self) -> bool:
        """Whether a stream ends with how much was read and written."""
        return self.stream_options.get("include_usage", False)


class Piece(NamedTuple):
    """More of the text of a choice."""

    choice: int
    text: str
    finish_reason: str | None = None
    """"stop" at the end of the song or at a stop, "length" after max_tokens; None before."""


@dataclass
class Usage:
    """How many characters were read and written."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def to_json(self) -> dict[str, int]:
        """Return it as the protocol has it."""
        total = self.prompt_tokens + self.completion_tokens
        return {**vars(self), "total_tokens": total}


@dataclass(frozen=True)
class Reply:
    """What all parts of a reply have in common."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def to_json(self, pieces: list[Piece], usage: Usage | None) -> dict[str, object]:
        """Return a whole reply, or a part of a stream."""
        choices = [
            {"index": one.choice, "text": one.text, "logprobs": None, "finish_reason": one.finish_reason}
            for one in pieces
        ]
        found = {**vars(self), "object": "text_completion", "choices": choices}
        return {**found, "usage": usage.to_json()} if usage else found


def routes(model: Model, room: Workroom) -> list[Route]:
    """Return the routes of the protocol.

    Args:
        model: writes the completions.
        room: where that is done.
    """
    name, since = model.path.stem, int(time.time())

    async def models(_request: Request) -> Response:
        found = {"id": name, "object": "model", "created": since, "owned_by": "lyricgen"}
        return reply({"object": "list", "data": [found]})

    async def complete(request: Request) -> Response:
        asked = _asked(await read_body(request))
        if asked.model != name:
            raise RequestError(404, f"there is no model {asked.model}; this server has {name}")
        answer, usage = Reply(name), Usage()
        pieces = room.chunks(lambda threads: _write(model, asked, usage, threads))
        if not asked.stream:
            return reply(answer.to_json(await _whole(pieces, request), usage))

        def event(piece: Piece) -> str:
            is_news = piece.text or piece.finish_reason
            return _event(answer.to_json([piece], None)) if is_news else ""

        def end() -> str:
            told = _event(answer.to_json([], usage)) if asked.tells_usage else ""
            return f"{told}data: [DONE]\n\n"

        return await streamed(pieces, event, end, lambda error: _event(said(error, request.url.path)))

    return [
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/completions", complete, methods=["POST"]),
    ]


def _asked(body: dict[str, Any]) -> Asked:
    """Return what a body asks for; null in it is the same as nothing, and a text as a list of one."""
    lists = {name: [body[name]] for name in ("prompt", "stop") if isinstance(body.get(name), str)}
    known = {name: value for name, value in {**body, **lists}.items() if value is not None}
    for parameter in known.keys() - annotations_of(Asked).keys():
        raise ExcludedOptionError(parameter, parameter, "this server, which does not know it")
    try:
        return from_json(Asked, known)
    except SchemaError as error:
        raise OptionError(error.name, error.found, error.expected) from None


def _write(model: Model, asked: Asked, usage: Usage, threads: int) -> Generator[Piece]:
    """Yield the completions of all prompts, one after another; count in `usage`."""
    for number, prompt in enumerate(asked.prompt):
        read = len(model.card.vocabulary.readable(prompt))
        plan = plan_song(
            model.card,
            {
                "form": FREE_FORM,
                "prompt": prompt,
                "temperature": asked.temperature,
                "top_p": asked.top_p,
                "seed": asked.seed,
                "style": asked.style,
                "max_length": max(1, read + asked.max_tokens),
                "exact_length": True,
            },
        )
        usage.prompt_tokens += len(plan.prefix)
        for index in range(asked.n):
            choice = number * asked.n + index
            if asked.echo:
                yield Piece(choice, prompt)
            if not asked.max_tokens:
                yield Piece(choice, "", "length")
                continue
            stream = SongStream(model.file, plan, index, threads)
            for piece in _completion(stream, len(plan.prefix), asked.stop):
                usage.completion_tokens += len(piece.text)
                yield piece._replace(choice=choice)


def _completion(stream: SongStream, known: int, stops: tuple[str, ...]) -> Generator[Piece]:
    """Yield what a stream writes after its first `known` characters, up to a stop."""
    held = ""
    for text, _ in stream.pieces():
        held += text[known:]
        known = max(0, known - len(text))
        ends = [place for place in map(held.find, stops) if place >= 0]
        if ends:
            yield Piece(0, held[: min(ends)], "stop")
            return
        sure = _sure(held, stops)
        yield Piece(0, held[:sure])
        held = held[sure:]
    yield Piece(0, held, "stop" if stream.finished == "eos" else "length")


def _sure(text: str, stops: tuple[str, ...]) -> int:
    """Return how much of a text belongs to no stop that may have begun at its end."""
    for start in range(max(0, len(text) - max(map(len, stops), default=0)), len(text)):
        if any(stop.startswith(text[start:]) for stop in stops):
            return start
    return len(text)


async def _whole(pieces: AsyncGenerator[Any], request: Request) -> list[Piece]:
    """Return the whole choices, unless nobody waits for them any more."""
    texts: dict[int, list[str]] = {}
    reasons = {}
    async with aclosing(pieces):
        async for piece in pieces:
            texts.setdefault(piece.choice, []).append(piece.text)
            reasons[piece.choice] = piece.finish_reason
            if await request.is_disconnected():
                break
    return [Piece(choice, "".join(found), reasons[choice]) for choice, found in texts.items()]


def _event(found: object) -> str:
    return f"data: {as_json(found)}\n\n"
