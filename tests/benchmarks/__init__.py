"""Every benchmark runs, small, and prints what it says."""
