"""docs/http.md describes what the server answers."""

import re
from dataclasses import fields
from pathlib import Path

from lyricgen.studio import completions, desk
from lyricgen.studio.guard import MAX_BODY
from lyricgen.studio.work import MAX_JOBS, MAX_SECONDS
from tests.studio.conftest import Studio

PAGE = (Path(__file__).parents[2] / "docs/http.md").read_text("utf-8")


def test_every_route_is_described_and_exists(studio: Studio) -> None:
    routes = [*desk.routes(studio.model, None), *completions.routes(studio.model, None)]  # type: ignore[arg-type]
    served = {(method, route.path) for route in routes for method in route.methods or () if method != "HEAD"}
    described = set(re.findall(r"^\| `(GET|POST) (/\S*)` \|", PAGE, re.MULTILINE))
    assert described == served | {("GET", "/")}
    for path in re.findall(r"`(/studio\.\w+)`", PAGE):
        assert studio.ask("GET", path).status == 200


def test_every_parameter_of_completions_is_described() -> None:
    for field in fields(completions.Asked):
        assert f"`{field.name}`" in PAGE, field.name


def test_the_limits_are_those_of_the_server() -> None:
    for limit in (
        f"{MAX_BODY // 1024} KiB",
        f"{MAX_JOBS} requests",
        f"{MAX_SECONDS:g} seconds",
        f"{desk.MAX_CANDIDATES:,} candidates",
        f"{desk.MAX_LENGTH:,} characters",
        f"up to {completions.MAX_PROMPTS}",
        f"up to {completions.MAX_STOPS}",
    ):
        assert limit in PAGE, limit
