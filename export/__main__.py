"""`python -m export`."""

from lyricgen.terminal.interrupt import run_main

if __name__ == "__main__":
    run_main("export.cli")
