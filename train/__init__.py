"""Training: a corpus of songs → a session. The PyTorch side of lyricgen; not in the wheel."""
