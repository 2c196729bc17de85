"""The options of a song, each defined once, and the plan that they become with a given model.

The command line, the keyword arguments of the API, their checks and the numbers that the kernel reads are all
made from the fields of `SongOptions`. Nothing heavy is imported, so that --help answers at once.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict, get_args, get_type_hints

from lyricgen.errors import ExcludedOptionError, OptionError, UnknownCharacterError
from lyricgen.model_file.contract import AUTO_FORM, FREE_FORM, MAX_CHARACTERS, MAX_TEMPERATURE, join_title
from lyricgen.schema import Range, SchemaError, parse

if TYPE_CHECKING:
    from lyricgen.engine.slots import SongPlan
    from lyricgen.model_file.card import ModelCard
    from lyricgen.song.composer import FormPlan
    from lyricgen.song.draft import Draft
    from lyricgen.song.form import Form

MAX_INDEX = 2**64 - 1
"""Largest index of a song under a seed, and largest seed."""
Index = Annotated[int, Range(0, MAX_INDEX)]
MAX_STANZAS, STANZAS = 50, 3
"""Most stanzas that may be asked for, and how many there are if nothing is said."""
MAX_CANDIDATES, CANDIDATES = 65_536, 128
"""The same for the lines written for each line of a song with a form."""
FORM_TEMPERATURE = 0.8
"""Temperature of songs with a form, which are chosen among many; unless another one is asked for."""
_NUMBERS = re.compile("([0-9]{1,6})(?:-([0-9]{1,6}))?")
_NO_STRESS = "this model, whose language has no dictionary of stress"
Threads = Annotated[int | None, Range(1, 1024)]


class Option(NamedTuple):
    """What a field of `SongOptions` says about itself, besides its type and range."""

    default: Any
    help: str
    """One or two sentences for --help and for `help(lyricgen.SongOptions)`."""
    shown_default: str = ""
    """What --help shows as the default, if that is not the value itself."""


class SongOptions(TypedDict, total=False):
    """The options of `Model.generate`, `Model.stream` and `Model.songs`; all can be left out.

    Example:
        >>> import lyricgen
        >>> options: lyricgen.SongOptions = {"temperature": 0.75, "seed": 7, "max_length": 100}
        >>> model = lyricgen.load()
        >>> model.generate(**options) == model.generate(**options)
        True
    """

    temperature: Annotated[
        float | None,
        Range(0, MAX_TEMPERATURE),
        Option(None, "Below 1 is safer, above 1 wilder; 0 is the likeliest song.", "the model's own"),
    ]
    """Divides the logits; what is safer is more repetitive. None: what the model suggests."""
    top_k: Annotated[
        int,
        Range(0, MAX_CHARACTERS),
        Option(0, "Choose among so many of the likeliest characters.", "0: all"),
    ]
    top_p: Annotated[
        float,
        Range(0, 1, above_low=True),
        Option(1.0, "Choose among the likeliest that together are so probable, up to 1.", "all"),
    ]
    """Of those, choose among the likeliest that together have this probability; 1: all."""
    min_p: Annotated[
        float,
        Range(0, 1),
        Option(0.0, "Choose among those at least so probable, as a share of the likeliest.", "all"),
    ]
    """Of those, choose among the ones with at least this share of the likeliest one's probability; 0: all."""
    style: Annotated[
        str | None, Option(None, 'A style that the model knows, see --info; "" for none.', "the model's own")
    ]
    """One of `card.vocabulary.styles`, in capitals or not; "": none. None: those that the card suggests, in
    turns."""
    title: Annotated[
        str | None,
        Option(None, "The song's title, if the model writes titles.", "such a model invents one"),
    ]
    """One line of text, for a model that writes titles (`card.title_line`). The song begins with it and an
    empty line. None or a blank title: such a model invents one."""
    prompt: Annotated[
        str,
        Option("", r"How the song begins; \n is a line end. Without --title, it begins the title."),
    ]
    """How the song begins, after its title. Without a title, a model that writes titles goes on from the
    prompt with the rest of a title; but if the song has a form, a prompt of several lines begins the song."""
    form: Annotated[
        str | None,
        Option(
            None,
            "auto, free, a name (see --forms) or a text such as 'verse ABAB 8,6,8,6'.",
            "the model's own",
        ),
    ]
    """"auto": a shape that songs of the corpus have; "free": from SOS to EOS, as the model goes; or another
    one, see `lyricgen.song.form`. None: auto or free, as the card suggests."""
    draft: Annotated[
        str | None,
        Option(None, "A song whose gaps are filled: lines such as ... or 'The moon ...'."),
    ]
    """The text of a song whose lines stay as they are, and whose gaps are filled; see `lyricgen.song.draft`.
    Its form is found in its lines, unless one is asked for. It may have a title."""
    rewrite: Annotated[
        str | None, Option(None, "Lines of the draft to write anew, such as 3,5-7; their rhymes stay.")
    ]
    """Numbers of lines, from 1; title, labels and empty lines do not count."""
    keep: Annotated[str | None, Option(None, "The only lines of the draft to keep, such as 1-4.")]
    """The same for the others; in place of `rewrite`."""
    rhyme: Annotated[
        str | None,
        Option(None, "A letter for each line of a stanza: those with the same one rhyme; x is free."),
    ]
    """Such as "ABAB"; in place of a form."""
    syllables: Annotated[
        str | None,
        Option(None, "Of each line of a stanza, such as 8,6,8,6 or 7-9."),
    ]
    """Numbers or ranges, one for each line or one for all; in place of a form."""
    stanzas: Annotated[
        int | None,
        Range(1, MAX_STANZAS),
        Option(None, "How many, with --rhyme or --syllables.", "3"),
    ]
    """How many stanzas alike; in place of a form."""
    metre: Annotated[
        str | None,
        Option(None, "iambic: the even syllables are strong; trochaic: the odd ones.", "as the form says"),
    ]
    """Where the stress falls, in a form of any kind; for English models."""
    about: Annotated[
        str,
        Option("", "Words that a song with a form is about.", "its title"),
    ]
    """One of the main ones stands in its first four lines; without a title, also in that."""
    candidates: Annotated[
        int | None,
        Range(1, MAX_CANDIDATES),
        Option(None, "How many lines are written for each that is kept.", str(CANDIDATES)),
    ]
    """More take longer and make more sense. None: `CANDIDATES`."""
    original: Annotated[bool, Option(default=False, help="Keep no line that the model has read.")]
    """Refuse lines of four words or more that stand in songs that the model read, by `card.known_lines`."""
    near_rhymes: Annotated[bool, Option(default=False, help="Let words rhyme that nearly do: time, mine.")]
    """Whether the same vowel with a related consonant is rhyme enough."""
    max_length: Annotated[
        int,
        Range(1, 10_000_000),
        Option(6000, "Characters after which a song is cut to its last whole line."),
    ]
    """Those of title and prompt count, too."""
    exact_length: Annotated[
        bool, Option(default=False, help="Cut at exactly --max-length, even within a line.")
    ]
    """Whether a song that stops there keeps its unfinished last line."""
    seed: Annotated[
        int | None,
        Range(0, MAX_INDEX),
        Option(None, "The same seed gives the same songs.", "chosen and shown"),
    ]
    """The same seed gives the same songs. None: chosen; see `seed` of the result."""


@cache
def definitions() -> Mapping[str, tuple[Any, Option]]:
    """Return the annotation of each option of a song and what it says about itself, by its name."""
    hints = get_type_hints(SongOptions, include_extras=True)
    return {name: (hint, get_args(hint)[-1]) for name, hint in hints.items()}


def plan_song(card: ModelCard, options: SongOptions) -> SongPlan:
    """Check every option against its range and the model, and fill in those that were left out.

    Raises:
        OptionError: an option is out of its range, or not for this model.
        UnknownCharacterError: the title or prompt has characters that the model has never seen.
        DraftError: the draft makes no sense.
        TypeError: there is no such option.
    """
    from lyricgen.engine.record import BATCH
    from lyricgen.engine.slots import SongPlan

    known = definitions()
    if unknown := sorted(options.keys() - known.keys()):
        raise TypeError(f"songs have no option {unknown[0]!r}, but {', '.join(known)}")
    asked = {
        name: checked(annotation, options.get(name, option.default), name)
        for name, (annotation, option) in known.items()
    }
    draft = _draft(card, asked)
    form = _form(card, asked, draft)
    _check_form(card, asked, form)
    if asked["temperature"] is None:
        asked["temperature"] = card.suggested_temperature if form == FREE_FORM else FORM_TEMPERATURE
    if asked["seed"] is None:
        asked["seed"] = secrets.randbelow(10**9)  # short enough to type again
    title, prompt, max_length = asked["title"], asked["prompt"], asked["max_length"]
    prefix = _title(card, title) + _encoded(card, "prompt", prompt)
    if len(prefix) > max_length:
        given = "title and prompt" if title else "prompt"
        raise OptionError("max_length", max_length, f"at least the {given}'s {len(prefix)} characters")
    numbers = {name: value for name, value in asked.items() if name in (BATCH.names or ())}
    plan = SongPlan(_styles(card, asked["style"]), prefix, asked["exact_length"], numbers)
    return plan if form == FREE_FORM else _form_plan(card, plan, form, draft, asked)


def _draft(card: ModelCard, asked: Mapping[str, Any]) -> Draft | None:
    """Return the draft that is to be finished, if there is one."""
    from lyricgen.song.draft import read_draft
    from lyricgen.song.draft_form import rewritten, with_repeats

    numbers = [name for name in ("rewrite", "keep") if asked[name] is not None]
    if asked["draft"] is None:
        if numbers:
            raise ExcludedOptionError(numbers[0], asked[numbers[0]], "a song without a draft")
        return None
    draft = with_repeats(read_draft(asked["draft"], titles=card.title_line))
    if len(numbers) > 1:
        raise ExcludedOptionError("keep", asked["keep"], "rewrite")
    for name in numbers:
        found = line_numbers(name, asked[name], len(draft.lines))
        draft = rewritten(draft, found if name == "rewrite" else set(range(1, len(draft.lines) + 1)) - found)
    excluded = {"prompt": "a draft, which has its own lines"}
    if draft.title or not card.title_line:
        excluded["title"] = (
            "a draft that has one" if draft.title else "this model, whose songs have no titles"
        )
    for name, why in excluded.items():
        if (asked[name] or "").strip():
            raise ExcludedOptionError(name, asked[name], why)
    return draft


def line_numbers(option: str, text: str, most: int) -> set[int]:
    """Return the numbers that a text such as "3,5-7" stands for, each from 1 to `most`.

    Raises:
        OptionError: it makes no sense.
    """
    found = set[int]()
    for part in text.split(","):
        numbers = _NUMBERS.fullmatch(part.strip())
        low, high = (int(numbers[1]), int(numbers[2] or numbers[1])) if numbers else (0, 0)
        if not 1 <= low <= high <= most:
            raise OptionError(option, text, f"numbers of lines from 1 to {most}, such as 3,5-7")
        found |= set(range(low, high + 1))
    return found


def _form(card: ModelCard, asked: Mapping[str, Any], draft: Draft | None) -> str | Form:
    """Return the form asked for or suggested: `AUTO_FORM`, `FREE_FORM` or the form itself."""
    from lyricgen.song.draft_form import found_form, given_form

    form = _form_asked(card, asked, draft)
    if draft is None:
        return form or card.suggested_form
    if form == FREE_FORM:
        raise ExcludedOptionError("draft", asked["draft"], "form free")
    if isinstance(form, str):
        return found_form(draft, card)
    return given_form(draft, form, next((name for name in ("rhyme", "syllables") if asked[name]), "form"))


def _form_asked(card: ModelCard, asked: Mapping[str, Any], draft: Draft | None) -> str | Form:
    """Return the form asked for: `AUTO_FORM`, `FREE_FORM` or the form itself; "" if none is."""
    from lyricgen.song.form import NAMED, read_form, stanzas

    shape = [name for name in ("rhyme", "syllables", "stanzas") if asked[name] is not None]
    if asked["form"] is not None and shape:
        raise ExcludedOptionError(shape[0], asked[shape[0]], "another form")
    if shape == ["stanzas"]:
        raise OptionError(
            "stanzas", asked["stanzas"], "given with rhyme or syllables, whose stanzas it counts"
        )
    if shape:
        count = asked["stanzas"] or (len(draft.stanzas) if draft else STANZAS)
        return stanzas(asked["rhyme"], asked["syllables"], count)
    if asked["form"] is None:
        return ""
    form: str = asked["form"]
    name = form.strip().lower()
    if name in (AUTO_FORM, FREE_FORM):
        return name
    found = read_form(form)
    if card.language != "en" and name in NAMED:
        return found.without_metre()
    if card.language != "en" and found != found.without_metre():
        raise ExcludedOptionError("form", form, _NO_STRESS)
    return found


def _check_form(card: ModelCard, asked: Mapping[str, Any], form: str | Form) -> None:
    """Raise an OptionError if other options or the model do not go with a form, or without one."""
    if asked["original"] and not card.known_lines:
        expected = "this model, whose file does not know the lines it read"
        raise ExcludedOptionError("original", asked["original"], expected)
    for name in ("metre", "about", "candidates", "original", "near_rhymes"):
        if form == FREE_FORM and asked[name]:
            raise ExcludedOptionError(name, asked[name], "a song without a form")
    if form != FREE_FORM and asked["exact_length"]:
        raise ExcludedOptionError("exact_length", asked["exact_length"], "a form (--form free has none)")
    if form != FREE_FORM and "\n" not in card.vocabulary.characters:
        raise ExcludedOptionError("form", asked["form"], "this model, which writes no line ends")
    if form == AUTO_FORM and not card.shapes:
        raise ExcludedOptionError("form", form, "this model, whose card lists no shapes of songs")


def _metre(card: ModelCard, name: str) -> str:
    from lyricgen.song.sound import METRES

    if name.strip().lower() not in METRES:
        raise OptionError("metre", name, " or ".join(METRES))
    if card.language != "en":
        raise ExcludedOptionError("metre", name, _NO_STRESS)
    return name.strip().lower()


def _form_plan(
    card: ModelCard, plan: SongPlan, form: str | Form, draft: Draft | None, asked: Mapping[str, Any]
) -> FormPlan:
    from lyricgen.song.beginnings import given_lines, split_prompt
    from lyricgen.song.composer import FormPlan
    from lyricgen.song.draft import DraftLine

    title, prompt, about = (
        card.vocabulary.decode(_encoded(card, name, asked[name] or ""))
        for name in ("title", "prompt", "about")
    )
    has_title = bool(title.strip()) or not card.title_line
    title_begins, lyrics = split_prompt(prompt, has_title=has_title)
    *whole, begun = given_lines(lyrics)
    given = [*map(DraftLine, whole), *([DraftLine(begins=begun)] if begun else [])]
    if title_begins and lyrics:
        title = title_begins
    if draft is not None:
        title, given = draft.title or title, list(draft.lines)
    if not isinstance(form, str) and len(given) > form.lines:
        raise OptionError("prompt", prompt, f"of at most {form.lines} lines, as many as the form has")
    return FormPlan(
        plan.styles,
        plan.prefix,
        plan.exact_length,
        plan.numbers,
        form=None if isinstance(form, str) else form,
        title=" ".join(title.split()) or None,
        title_begins=title_begins,
        given=tuple(given),
        labels=tuple(stanza.label for stanza in draft.stanzas) if draft else (),
        shows_title=draft is None or draft.wants_title or bool(title.strip()),
        about=about,
        candidates=asked["candidates"] or CANDIDATES,
        original=asked["original"],
        near_rhymes=asked["near_rhymes"],
        metre=_metre(card, asked["metre"]) if asked["metre"] else "",
    )


def checked(annotation: Any, value: object, name: str) -> Any:  # noqa: ANN401 (of that type)
    """Return the value of an option if its annotation allows it.

    Raises:
        OptionError: it does not.
    """
    try:
        return parse(annotation, value, name)
    except SchemaError as error:
        raise OptionError(error.name, error.found, error.expected) from None


def checked_indexes(indexes: Sequence[int]) -> Sequence[int]:
    """Return a copy of indexes of songs if each is in range and there once.

    Raises:
        OptionError: one is out of range or there twice, or they are no sequence.
    """
    try:
        len(indexes)  # an endless iterator has no length, and is not read
        found = indexes if isinstance(indexes, range) else tuple(indexes)
    except TypeError:
        raise OptionError("indexes", indexes, "a range or a list, such as range(100)") from None
    except OverflowError:
        raise OptionError("indexes", indexes, "fewer") from None
    for index in (*found[:1], *found[-1:]) if isinstance(found, range) else found:
        checked(Index, index, "index")
    if not isinstance(found, range) and len(set(found)) < len(found):
        ((twice, _),) = Counter(found).most_common(1)
        raise OptionError("indexes", twice, "different numbers")
    return found


def _title(card: ModelCard, title: str | None) -> list[int]:
    """Return the token ids of a title and the empty line after it; of none if it is blank."""
    if not title or not title.strip():
        return []
    if not card.title_line:
        raise ExcludedOptionError("title", title, "this model, whose songs have no titles")
    if len(title.strip().splitlines()) != 1:
        raise OptionError("title", title, "one line of text")
    return _encoded(card, "title", join_title(" ".join(title.split()), ""))  # as training cleans titles


def _encoded(card: ModelCard, option: str, text: str) -> list[int]:
    try:
        return card.vocabulary.encode(text.replace("\r\n", "\n").replace("\r", "\n"))
    except UnknownCharacterError as error:
        raise UnknownCharacterError(error.characters, error.positions, option) from None


def _styles(card: ModelCard, name: str | None) -> tuple[int, ...]:
    """Return the token ids of the style asked for, or of those that the card suggests."""
    styles = card.vocabulary.styles
    if name is None:
        return tuple(map(card.vocabulary.style_token, card.suggested_styles))
    if not name.strip():
        return ()
    if not styles:
        raise ExcludedOptionError("style", name, "this model, which has no styles")
    try:
        return (card.vocabulary.style_token(name),)
    except ValueError:
        raise OptionError("style", name, f"one of {', '.join(styles)}") from None


SongOptions.__doc__ = (
    cleandoc(SongOptions.__doc__ or "")
    + "\n\nOptions:\n"
    + "\n".join(f"    {name}: {option.help}" for name, (_, option) in definitions().items())
)
