"""`python -m train`."""

from lyricgen.terminal import interrupt

if __name__ == "__main__":
    interrupt.on_interrupt(interrupt.END)  # before the imports, which take a while
    from train import cli

    cli.main()
