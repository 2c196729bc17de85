"""The pages say what is so: options, links, the picture; their Python runs."""

import html
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperOption

from export import cli as export_cli
from lyricgen.song.form import NAMED
from lyricgen.terminal import commands
from lyricgen.terminal import run as cli
from tests.make_forms_page import songs_on_page, written
from tests.make_picture import COMMAND, PICTURE_PATH, picture
from train import cli as train_cli
from train.report import cli as report

ROOT = Path(__file__).parent.parent
PAGES = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for path in (ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md")))
}
FEW_CANDIDATES = "import lyricgen.options; lyricgen.options.CANDIDATES = 8  # quick"
COMMANDS = {
    "lyricgen-run": cli.app,
    "python -m train": train_cli.app,
    "python -m export": export_cli.app,
    "python -m train.report": report.app,
}
OFFERED = {
    name: {option for parameter in typer.main.get_command(app).params for option in parameter.opts}
    | {"--help", "-h"}
    for name, app in COMMANDS.items()
} | {
    f"lyricgen {name}": {
        option for parameter in one.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    for name, one in typer.main.get_command(commands.app).commands.items()  # type: ignore[attr-defined]
}
OTHERS = {
    *("--nproc-per-node", "--path", "--ignore-scripts"),  # torchrun, pip-audit, npm
    *("--cpu", "--fault", "--cases", "--corpus", "--steps", "--prefix"),  # of checks and benchmarks
}
"""Options of other commands that the pages speak of."""
NOT_IN_PAGES = {"--show-completion", "--install-completion", "--help", "-h", "--version"}


def commands_in(page: str) -> list[tuple[str, list[str]]]:
    """Every command of ours in code, with its words."""
    page = page.replace("\\\n", "")  # lines that go on
    spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    lines = [line for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    found = []
    for text in [span.replace("\n", " ") for span in spans] + [line.removeprefix("$ ") for line in lines]:
        for name in sorted(OFFERED, key=len, reverse=True):
            if re.match(rf"{re.escape(name)}(\s|$)", text):
                rest = text.removeprefix(name).split("#")[0].split("   ")[0].split(" > ")[0].split(" | ")[0]
                found.append((name, shlex.split(rest.replace("…", ""))))
                break
    return found


def test_commands_are_found() -> None:
    assert sum(len(commands_in(page)) for page in PAGES.values()) >= 50
    assert commands_in("`python -m train\n--epochs 2`") == [("python -m train", ["--epochs", "2"])]


@pytest.mark.parametrize("name", PAGES)
def test_commands_have_the_options_that_the_page_gives_them(name: str) -> None:
    for command, words in commands_in(PAGES[name]):
        options = {word.split("=")[0] for word in words if word.startswith("-") and word not in ("-1", "-")}
        assert options <= OFFERED[command], (command, words)


@pytest.mark.parametrize("name", PAGES)
def test_every_option_that_is_named_exists(name: str) -> None:
    ours = re.sub(
        r"^.*(pip |setpriv|debootstrap|benchmarks|checks\.).*$", "", PAGES[name], flags=re.MULTILINE
    )
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours))
    assert named <= set().union(*OFFERED.values()) | OTHERS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_in_a_page(command: str) -> None:
    text = "\n".join(PAGES.values())
    for option in OFFERED[command] - NOT_IN_PAGES:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), option


def test_the_defaults_in_the_page_are_those_of_help() -> None:
    """The table of docs/train.md against what --help shows."""
    shown = {
        parameter.opts[0]: str(parameter.show_default)
        for parameter in typer.main.get_command(train_cli.app).params
        if isinstance(parameter, TyperOption)
    }
    rows = re.findall(r"^\| `(--[\w-]+)` \| ([\w.]+) \|", PAGES["docs/train.md"], re.MULTILINE)
    rows = [row for row in rows if row[1] != "network"]
    assert len(rows) >= 14
    for option, default in rows:
        usual = shown[option].split(";")[0]
        assert default.strip() == usual or float(default) == float(usual), option


def anchors_of(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", PAGES[name])
    for link in links:
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors_of(target.read_text("utf-8")), link


@pytest.mark.parametrize("name", ["README.md", "docs/embed.md"])
def test_the_python_in_a_page_runs(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGES[name], re.MULTILINE | re.DOTALL)
    assert blocks
    program = "\n".join([FEW_CANDIDATES, *blocks])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_first_script_is_ten_lines() -> None:
    block = re.search(r"^```python\n(.*?)^```", PAGES["docs/embed.md"], re.MULTILINE | re.DOTALL)
    assert block is not None
    assert len(block.group(1).splitlines()) <= 10


@pytest.mark.parametrize(
    "name",
    ["limerick", *(pytest.param(name, marks=pytest.mark.slow) for name in NAMED if name != "limerick")],
)
def test_the_songs_of_the_page_of_forms_are_of_runs(name: str) -> None:
    ((arguments, song),) = (one for one in songs_on_page().items() if f"--form {name} " in one[0])
    assert written(arguments) == song


def test_the_picture_is_of_a_run() -> None:
    shown = PICTURE_PATH.read_text("utf-8")
    assert words_of(shown) == words_of(picture())
    assert COMMAND in words_of(shown)
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "")


def words_of(svg: str) -> str:
    """What stands in a picture; where it stands is for rich to say."""
    drawn = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return " ".join(" ".join(html.unescape(text) for text in drawn).split())
