"""`python -m export`."""

from lyricgen.terminal.interrupt import importing

with importing():
    from export import cli

if __name__ == "__main__":
    cli.main()
