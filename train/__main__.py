"""`python -m train`."""

from lyricgen.terminal.interrupt import importing

with importing():
    from train import cli

if __name__ == "__main__":
    cli.main()
