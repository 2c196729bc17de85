"""Songs with a form: how words sound, and the lines that fit.

From outside, import `sound` (syllables and rhymes of words and lines).
"""
