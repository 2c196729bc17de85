"""Entry point of `lyricgen-run` and `python -m lyricgen`."""

from lyricgen.terminal.interrupt import run_main


def main() -> None:
    """Run the command."""
    run_main("lyricgen.terminal.run")


if __name__ == "__main__":
    main()
