"""The completions protocol that clients of language models speak: /v1/models and /v1/completions.

A completion goes on from its prompt, character by character, as with `--form free`; a token is a character.
What cannot be honoured is an error. The protocol: https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lyricgen.errors import ExcludedOptionError, LyricgenError, OptionError
from lyricgen.generator import Model, SongStream
from lyricgen.model_file.contract import FREE_FORM, MAX_TEMPERATURE
from lyricgen.options import MAX_INDEX, plan_song
from lyricgen.schema import MaxLength, Range, SchemaError, annotations_of, from_json
from lyricgen.studio.desk import check_prompt, read_body, reply
from lyricgen.studio.errors import PROTOCOL, RequestError, refusal, said
from lyricgen.studio.work import Workroom

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_CHOICES, MAX_PROMPTS, MAX_STOPS, MAX_TOKENS = 16, 16, 4, 50_000
Count = Annotated[int | None, Range(1, MAX_CHOICES)]


@dataclass(frozen=True)
class Asked:
    """What a client asks for; None is the same as nothing."""

    model: str
    """The name of the model that the server has."""
    prompt: Annotated[tuple[str, ...], MaxLength(MAX_PROMPTS)] = ("",)
    """How songs begin, with title and empty line."""
    max_tokens: Annotated[int | None, Range(0, MAX_TOKENS)] = 16
    """Characters; 16 is the protocol's."""
    temperature: Annotated[float | None, Range(0, MAX_TEMPERATURE)] = None
    top_p: Annotated[float | None, Range(0, 1, above_low=True)] = None
    seed: Annotated[int | None, Range(0, MAX_INDEX)] = None
    n: Count = None
    """Choices for each prompt: the seed's songs 0, 1, 2, …"""
    stop: Annotated[tuple[str, ...], MaxLength(MAX_STOPS)] = ()
    """Texts that end a choice, and are left out."""
    stream: bool | None = None
    stream_options: dict[str, bool] | None = None
    echo: bool | None = None
    user: str | None = None
    """Of no consequence, as the protocol has it."""
    style: str | None = None
    """Not of the protocol: a style of the model."""
    best_of: Count = None
    suffix: str | None = None
    logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def __post_init__(self) -> None:
        for name in ("suffix", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty"):
            if (value := getattr(self, name)) or (name == "logprobs" and value is not None):
                raise ExcludedOptionError(name, value, "this server, which cannot honour it")
        if self.best_of not in (None, self.n or 1):
            raise ExcludedOptionError("best_of", self.best_of, "another n: this server does not choose")
        if self.stream_options and not self.stream:
            raise ExcludedOptionError("stream_options", self.stream_options, "a reply that is no stream")
        if unknown := (self.stream_options or {}).keys() - {"include_usage"}:
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
        return bool((self.stream_options or {}).get("include_usage"))


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
        try:
            asked = _asked(await read_body(request))
            if asked.model != name:
                raise RequestError(404, f"there is no model {asked.model}; this server has {name}")
            usage = Usage()
            pieces = room.chunks(lambda threads: _write(model, asked, usage, threads))
            if not asked.stream:
                return reply(Reply(name).to_json(await _whole(pieces, request), usage))
            try:
                first = await anext(pieces)  # so that what is wrong is a status
            except BaseException:
                await pieces.aclose()
                raise
            sent = _sent(Reply(name), first, pieces, usage if asked.tells_usage else None)
            return StreamingResponse(sent, media_type="text/event-stream")
        except LyricgenError as error:
            return refusal(error, PROTOCOL)

    return [
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/completions", complete, methods=["POST"]),
    ]


def _asked(body: dict[str, Any]) -> Asked:
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
    choices, most = asked.n or 1, 16 if asked.max_tokens is None else asked.max_tokens
    for number, prompt in enumerate(asked.prompt):
        read = len(model.card.vocabulary.readable(prompt))
        plan = plan_song(
            model.card,
            {
                "form": FREE_FORM,
                "prompt": prompt,
                "temperature": asked.temperature,
                "top_p": 1.0 if asked.top_p is None else asked.top_p,
                "seed": asked.seed,
                "style": asked.style,
                "max_length": max(1, read + most),
                "exact_length": True,
            },
        )
        usage.prompt_tokens += len(plan.prefix)
        for index in range(choices):
            choice = number * choices + index
            if asked.echo:
                yield Piece(choice, prompt)
            if not most:
                yield Piece(choice, "", "length")
                continue
            stream = SongStream(model.file, plan, index, threads)
            for piece in _completion(stream, len(plan.prefix), asked.stop):
                usage.completion_tokens += len(piece.text)
                yield piece._replace(choice=choice)


def _completion(stream: SongStream, known: int, stops: tuple[str, ...]) -> Generator[Piece]:
    """Yield what a stream writes after its first `known` characters, up to a stop."""
    held = ""
    for text in stream.pieces():
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


async def _sent(
    answer: Reply, first: Piece, pieces: AsyncGenerator[Any], usage: Usage | None
) -> AsyncGenerator[str]:
    """Yield the events of a stream; with `usage`, the last one tells it."""
    async with aclosing(pieces):
        try:
            yield _event(answer.to_json([first], None))
            async for piece in pieces:
                if piece.text or piece.finish_reason:
                    yield _event(answer.to_json([piece], None))
            if usage:
                yield _event(answer.to_json([], usage))
            yield "data: [DONE]\n\n"
        except LyricgenError as error:
            yield _event(said(error, PROTOCOL))


def _event(found: object) -> str:
    return f"data: {json.dumps(found)}\n\n"
