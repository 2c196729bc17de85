"""`python -m export`."""

from lyricgen.terminal import interrupt

if __name__ == "__main__":
    interrupt.on_interrupt(interrupt.END)
    from export.cli import main

    main()
