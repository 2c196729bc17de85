"""Entry point of `lyricgen-run` and `python -m lyricgen`: quick to import, so that Ctrl-C is met early."""

import sys


def main() -> None:
    """Run the command; Ctrl-C while it is still being imported ends it without a traceback, too."""
    try:
        from lyricgen import cli
    except KeyboardInterrupt:
        sys.exit(130)  # command.EXIT_INTERRUPTED, which may not have been imported
    cli.main()


if __name__ == "__main__":
    main()
