"""Makes docs/run.svg, the picture of a terminal near the top of the README, from a real run:

python -m tests.make_picture
"""

import io
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE_PATH = Path(__file__).parent.parent / "docs/run.svg"
COMMAND = "lyricgen-run --temperature 0.75 --seed 5"
COLUMNS = 64
# Without the font that rich's own frame fetches from elsewhere.
FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; \
line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture() -> str:
    """The picture of what the command writes now."""
    arguments = [sys.executable, "-m", "lyricgen", *shlex.split(COMMAND)[1:]]
    done = subprocess.run(arguments, capture_output=True, check=True)
    said, song = (stream.decode("utf-8").rstrip("\n") for stream in (done.stderr, done.stdout))
    console = Console(
        record=True, file=io.StringIO(), width=COLUMNS, force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "green"), (COMMAND, "bold")))
    console.print(Text(said, "dim"))
    console.print(Text(song))
    return console.export_svg(title="", theme=MONOKAI, code_format=FRAME, unique_id="run")


if __name__ == "__main__":
    PICTURE_PATH.write_text(picture(), "utf-8")
