"""The desk over HTTP: write, suggest, rhymes, score, forms, card. docs/http.md describes each.

What is sent is an object in JSON whose names are those of the Python API; what comes back has the fields of
its results. Songs and suggestions come as server-sent events, each as soon as it is found.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Generator, Iterable
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import Route

from lyricgen.errors import ExcludedOptionError, OptionError
from lyricgen.generator import Model, SongStream
from lyricgen.model_file.contract import AUTO_FORM, FREE_FORM
from lyricgen.options import Index, checked, definitions, plan_song
from lyricgen.song.form import NAMED
from lyricgen.studio.errors import RequestError, said
from lyricgen.studio.messages import as_json, check_prompt, read_body, reply, streamed
from lyricgen.studio.work import Workroom

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_CANDIDATES, MAX_LENGTH = 2048, 50_000
"""What a request may ask for at most; the Python API allows more."""
Events = Generator[tuple[str, object]]
"""Names of server-sent events, and what they carry."""


def routes(model: Model, room: Workroom) -> list[Route]:
    """Return the desk's routes.

    Args:
        model: writes and reads the songs.
        room: where that is done.
    """
    desk = Desk(model, room)
    return [
        Route("/api/card", desk.card, methods=["GET"]),
        Route("/api/forms", desk.forms, methods=["GET"]),
        Route("/api/write", desk.write, methods=["POST"]),
        Route("/api/suggest", desk.suggest, methods=["POST"]),
        Route("/api/rhymes", desk.rhymes, methods=["POST"]),
        Route("/api/score", desk.score, methods=["POST"]),
    ]


class Desk:
    """Answers the requests of `routes`."""

    def __init__(self, model: Model, room: Workroom) -> None:
        self._model, self._room = model, room

    async def card(self, _request: Request) -> Response:
        """Return what the page needs to know of the model."""
        card = self._model.card
        return reply(
            {
                "model": self._model.path.name,
                "about": card.about,
                "styles": card.vocabulary.styles,
                "suggested_styles": card.suggested_styles,
                "characters": "".join(card.vocabulary.characters),
                "titles": card.title_line,
                "language": card.language,
                "knows_lines": bool(card.known_lines),
            }
        )

    async def forms(self, _request: Request) -> Response:
        """Return the names of the forms, each with its shape."""
        return reply({AUTO_FORM: "", FREE_FORM: "", **NAMED})

    async def write(self, request: Request) -> Response:
        """Write a song: events `text`, a piece each, `open`, what follows for now, and at the end `song`."""
        asked = await read_body(request)
        index = asked.pop("index", 0)
        options = _song_options(asked)

        def start(threads: int) -> Events:
            plan = plan_song(self._model.card, options)  # type: ignore[arg-type]
            stream = SongStream(self._model.file, plan, checked(Index, index, "index"), threads)
            for piece in stream.pieces():
                if piece.text or not piece.open:
                    yield "text", piece.text
                if piece.open:
                    yield "open", piece.open
            if stream.song:
                yield "song", stream.song.to_json()

        return await self._events(start)

    async def suggest(self, request: Request) -> Response:
        """Suggest lines for the gaps of a draft: an event `gap` for each."""
        asked = await read_body(request)
        own = {name: asked.pop(name) for name in ("count", "lines") if name in asked}
        options = _song_options(asked)

        def start(threads: int) -> Events:
            for gap in self._model.suggest(threads=threads, **own, **options):
                yield "gap", gap

        return await self._events(start)

    async def rhymes(self, request: Request) -> Response:
        """Find words that rhyme."""
        return await self._called(request, self._model.rhymes, "after")

    async def score(self, request: Request) -> Response:
        """Read a song."""
        return await self._called(request, self._model.score)

    async def _called(self, request: Request, function: Callable[..., object], *texts: str) -> Response:
        """Answer with what a function of the API returns for the arguments in the body.

        Of these, `texts` may be as long as a prompt.
        """
        asked = await read_body(request)
        for name in texts:
            check_prompt(name, asked.get(name))
        known = inspect.signature(function).parameters
        _refuse_unknown(asked, known)
        for name, parameter in known.items():
            if parameter.default is parameter.empty and name not in asked:
                raise RequestError(400, f"{name} is missing")
        return reply(await self._room.only(lambda: function(**asked)))

    async def _events(self, start: Callable[[int], Events]) -> Response:
        """Answer with server-sent events, at last `end` or `error`."""
        return await streamed(
            self._room.chunks(start),
            lambda chunk: _event(*chunk),
            lambda: _event("end", {}),
            lambda error: _event("error", said(error, "")["error"]),
        )


def _event(name: str, found: object) -> str:
    return f"event: {name}\ndata: {as_json(found)}\n\n"


def _song_options(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a song if there are no others and none asks for too much."""
    _refuse_unknown(asked, definitions())
    check_prompt("prompt", asked.get("prompt"))
    limits = {"candidates": MAX_CANDIDATES, "max_length": MAX_LENGTH}
    for name, most in limits.items():
        if isinstance(value := asked.get(name), int) and value > most:
            raise OptionError(name, value, f"at most {most:,} here")
    return asked


def _refuse_unknown(asked: Iterable[str], known: Collection[str]) -> None:
    for name in asked:
        if name not in known:
            raise ExcludedOptionError(name, name, f"this request, which takes {', '.join(known)}")
