"""`python -m train.report`."""

from train.report import cli

if __name__ == "__main__":
    cli.main()
