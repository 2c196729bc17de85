"""`python -m train.report`."""

from lyricgen.terminal import interrupt


def main() -> None:
    """Run the command."""
    interrupt.on_interrupt(interrupt.END)
    from train.report import cli

    cli.main()


if __name__ == "__main__":
    main()
