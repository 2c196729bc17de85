"""Writes the songs of docs/forms.md again, each by the command above it:

python -m tests.make_forms_page
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from lyricgen.song.form import NAMED

PAGE_PATH = Path(__file__).parent.parent / "docs/forms.md"
STYLES = {"auto": "country", "hymn": "hymn", "ballad": "ballad", "limerick": "comic", "blues": "blues"}
_HEADING = "## Songs\n"
_SONG = re.compile(
    r"^`lyricgen-run (--form [^`]+)`\n(?:\n    [^\n]+\n)?\n```\n(.*?)\n```", re.MULTILINE | re.DOTALL
)


def songs_on_page() -> dict[str, str]:
    """Return the songs by what was typed for them."""
    return dict(_SONG.findall(PAGE_PATH.read_text("utf-8").partition(_HEADING)[2]))


def written(arguments: str) -> str:
    """Return the song that `lyricgen-run` writes."""
    command = [sys.executable, "-m", "lyricgen", *shlex.split(arguments)]
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout.rstrip("\n")


def songs() -> str:
    """Return the part of the page that shows a song for each form."""
    parts = [f"{_HEADING}\nBy the bundled model, as they came.\n"]
    for seed, form in enumerate(("auto", *NAMED), 1):
        arguments = f"--form {form} --style {STYLES.get(form, 'songwriter')} --seed {seed}"
        shape = f"\n    {NAMED[form]}\n" if form in NAMED else ""
        parts.append(f"### {form}\n\n`lyricgen-run {arguments}`\n{shape}\n```\n{written(arguments)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    page = PAGE_PATH.read_text("utf-8").partition(_HEADING)[0]
    PAGE_PATH.write_text(page + songs(), "utf-8")
