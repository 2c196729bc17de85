"""Makes docs/run.svg, the picture of a terminal near the top of the README, from a real run:

python -m tests.make_picture
"""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

PICTURE_PATH = Path(__file__).parent.parent / "docs/run.svg"
COMMAND = 'lyricgen-run --form song --style pop --title "Last Bus Home" --seed 6'
COLUMNS = 72


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
    svg = console.export_svg(title="", theme=MONOKAI, unique_id="run")
    return re.sub(r"<!--.*?-->|@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no fonts from elsewhere


if __name__ == "__main__":
    PICTURE_PATH.write_text(picture(), "utf-8")
