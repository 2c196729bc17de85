"""`python -m lyricgen`: the same as `lyricgen-run`."""

from lyricgen.cli import main

if __name__ == "__main__":
    main()
