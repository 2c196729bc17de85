"""Entry points: `lyricgen-run`, which is `python -m lyricgen`, too, and `lyricgen`, with its commands."""

from lyricgen.terminal.interrupt import run_main


def main() -> None:
    """Run `lyricgen-run`."""
    run_main("lyricgen.terminal.run")


def commands() -> None:
    """Run `lyricgen`."""
    run_main("lyricgen.terminal.commands")


if __name__ == "__main__":
    main()
