"""The commands that people type, and how every command of lyricgen ends.

From outside, import `command` and `interrupt`; `run` is `lyricgen-run`.
"""
