"""Faults on purpose: kills, full disks, closed pipes, read-only installs, damaged files, odd options.

    python -m checks.faults                        # a few of each
    python -m checks.faults --cases 1000 --seed 7
    python -m checks.faults --fault "training stopped" --cases 50

Each case makes one thing go wrong with one of the commands and compares what happened with what is promised:
a documented exit code, one line of error and no traceback, no character that a terminal would obey, nothing
half written under its final name, no song or checkpoint lost, and afterwards the same result as if nothing
had gone wrong. A table counts the cases; each broken promise is printed with the command that shows it again.

Needs Linux. A full disk is a small disk in memory, which only root may make, or else a limit on file sizes.
"""
