"""Faults on purpose: kills, full disks, closed pipes, damaged files, nonsense on the command line.

    python -m checks.faults                        # a few of each kind
    python -m checks.faults --cases 1000 --seed 7
    python -m checks.faults --kind "training killed" --cases 50

Each case makes one thing go wrong and then holds what happened against what is promised: an exit code that
is documented, at most one line of error and no traceback, no character that a terminal would obey, nothing
half written under its final name, no song or checkpoint lost, and the same result afterwards as if nothing
had happened. The table counts the cases by kind; what broke a promise is printed with what to type to see
it again. Needs Linux. A full disk is a small one of memory, which only root may make, else a limit on the
size of files.
"""
