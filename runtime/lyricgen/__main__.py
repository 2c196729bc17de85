"""Entry point of `lyricgen-run` and `python -m lyricgen`: quick to import, so that Ctrl-C is met early."""

from lyricgen.terminal import interrupt


def main() -> None:
    """Run the command."""
    interrupt.on_interrupt(interrupt.END)
    from lyricgen.terminal import run as cli

    cli.main()


if __name__ == "__main__":
    main()
