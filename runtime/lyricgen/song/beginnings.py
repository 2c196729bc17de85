"""How a song and its lines begin: the title, the prompt, and lines that name the subject."""

from __future__ import annotations

from lyricgen.model_file.contract import AFTER_TITLE
from lyricgen.song.subject import Subject

_LEADS = ("{}", "The {}", "My {}", "And the {}", "A {}", "Oh, {}", "Your {}", "In the {}")
"""How an English line may begin that names the subject."""
_TITLE_LEADS = ("{}", "The {}", "My {}", "A {}")
_MOST_WORDS = 3
"""Of the subject, with which lines are begun."""
_ALWAYS_CAPITAL = ("I", "I'm", "I'll", "I'd", "I've")


def split_prompt(prompt: str, *, has_title: bool) -> tuple[str, str]:
    """Return the beginning of the title and that of the lyrics.

    Args:
        prompt: how the song begins; of one line, it begins the title, if this is not given.
        has_title: whether the title is given, or the model's songs have none.
    """
    if has_title:
        return "", prompt
    title, parted, lyrics = prompt.partition(AFTER_TITLE)
    return (title, lyrics) if parted or "\n" not in prompt else ("", prompt)


def given_lines(lyrics: str) -> list[str]:
    """Return the lines of a prompt that are not empty, and last the beginning of one, which may be ""."""
    *whole, begun = lyrics.split("\n")
    return [*filter(str.strip, whole), begun]


def naming(subject: Subject, *, english: bool) -> list[str]:
    """Return beginnings of a line that name the subject; none if there is no subject."""
    leads = _LEADS if english else _LEADS[:1]
    found = (lead.format(word) for word in subject.words[:_MOST_WORDS] for lead in leads)
    return [text[0].upper() + text[1:] for text in found]


def titles_naming(subject: Subject, *, english: bool) -> list[str]:
    """Return beginnings of a title that name the subject; none if there is no subject."""
    leads = _TITLE_LEADS if english else _TITLE_LEADS[:1]
    return [lead.format(word.title()) for word in subject.words[:_MOST_WORDS] for lead in leads]


def as_words(title: str) -> str:
    """Return a title as it would stand in a line: only its first letter and "I" in capitals."""
    first, *others = title.split(" ")
    return " ".join([first, *(word if word in _ALWAYS_CAPITAL else word.lower() for word in others)])
