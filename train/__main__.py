"""`python -m train`."""

from lyricgen.terminal import interrupt


def main() -> None:
    """Run the command."""
    interrupt.on_interrupt(interrupt.END)
    from train import cli

    cli.main()


if __name__ == "__main__":
    main()
