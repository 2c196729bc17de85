"""Docstrings: their examples run, and they name the errors that are raised."""

import ast
import builtins
import doctest
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

import lyricgen

ROOT = Path(__file__).parents[2]
PACKAGES = {"runtime/lyricgen": 25, "train": 38, "export": 5}
"""Folders of public code, with how many errors its functions and classes raise at least."""
WITH_EXAMPLES = {"model_file.card", "errors", "generator", "golden", "options", "vocabulary"}
"""Modules of the runtime whose docstrings show how to use them: those that the public names come from."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


# --- examples ---


def example_count(thing: object) -> int:
    return len(doctest.DocTestParser().get_examples(thing.__doc__ or ""))


@pytest.mark.parametrize("name", sorted(WITH_EXAMPLES))
def test_the_examples_of_a_module_run(name: str) -> None:
    result = doctest.testmod(import_module(f"lyricgen.{name}"), globs={})  # they import what they use
    assert result.attempted > 0
    assert result.failed == 0


def test_no_example_is_left_out() -> None:
    folder = Path(lyricgen.__file__).parent
    paths = [path for path in folder.rglob("*.py") if ">>> " in path.read_text("utf-8")]
    assert {".".join(path.relative_to(folder).with_suffix("").parts) for path in paths} == WITH_EXAMPLES


@pytest.mark.parametrize(
    "name",
    [
        *("Model", "ModelCard", "OptionError", "Song", "SongOptions", "SongStream", "UnknownCharacterError"),
        *("Vocabulary", "load", "self_test"),
    ],
)
def test_a_public_name_has_an_example(name: str) -> None:
    assert example_count(getattr(lyricgen, name)) >= 2


@pytest.mark.parametrize("name", ["generate", "songs", "stream"])
def test_each_way_to_write_songs_has_an_example(name: str) -> None:
    assert example_count(getattr(lyricgen.Model, name)) >= 2


# --- errors ---


class Definition(NamedTuple):
    """A public function, method or class, and the errors that it, or a private part of it, raises."""

    where: str
    documented: frozenset[str]
    raised: frozenset[str]


class Errors:
    """Which classes are errors, of Python and of our folders, and what each is a kind of."""

    def __init__(self, trees: list[ast.Module]) -> None:
        classes = [node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
        self._bases = {node.name: [ast.unparse(base) for base in node.bases] for node in classes}
        self._bases.update({"typer.Exit": ["RuntimeError"], "typer.BadParameter": ["Exception"]})
        functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, Function)]
        returned = {node.name: ast.unparse(node.returns) for node in functions if node.returns}
        self._made_by = {name: error for name, error in returned.items() if self.kinds(error)}

    def kinds(self, name: str) -> set[str]:
        """Return an error's own name and those of all its bases; nothing if it is no error."""
        known = getattr(builtins, name, None)
        if isinstance(known, type) and issubclass(known, BaseException):
            return {kind.__name__ for kind in known.__mro__} - {"object"}
        kinds = set().union(*map(self.kinds, self._bases.get(name, [])))
        return kinds | {name} if kinds else set()

    def thrown(self, expression: ast.expr) -> str:
        """Return the name of the error that stands after `raise`: a class, or what a function makes."""
        if not isinstance(expression, ast.Call):
            return ast.unparse(expression)
        name = ast.unparse(expression.func)
        return self._made_by.get(name.rpartition(".")[2], name)


@cache
def trees() -> dict[Path, ast.Module]:
    paths = [path for folder in PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path: ast.parse(path.read_text("utf-8")) for path in paths}


def documented_errors(docstring: str | None) -> frozenset[str]:
    """Return the names before the colons of a section `Raises:`."""
    section = re.search(r"^Raises:\n((?: {4}.*\n?)+)", docstring or "", re.MULTILINE)
    entries = re.findall(r"^ {4}(\w[\w., ]*):", section.group(1), re.MULTILINE) if section else []
    return frozenset(name for entry in entries for name in entry.split(", "))


def caught_by(node: ast.stmt, before: list[ast.stmt]) -> set[str]:
    """Return the names of the errors that do not come out of the body of a statement."""
    kinds: list[ast.expr] = []
    if isinstance(node, ast.Try):
        kinds = [handler.type for handler in node.handlers if handler.type is not None]
    elif isinstance(node, ast.With):
        entered = [item.context_expr for item in node.items]
        names = {ast.unparse(one) for one in entered}
        assigned = [one for one in before if isinstance(one, ast.Assign)]
        entered += [one.value for one in assigned if ast.unparse(one.targets[0]) in names]
        calls = [one for one in entered if isinstance(one, ast.Call) and ast.unparse(one.func) == "suppress"]
        kinds = [one for call in calls for one in call.args]
    return {ast.unparse(name) for kind in kinds for name in getattr(kind, "elts", [kind])}


def raises_and_calls(
    body: list[ast.stmt], caught: frozenset[str] = frozenset()
) -> Iterator[tuple[ast.AST, frozenset[str]]]:
    """Yield statements that raise and calls, outside nested functions, and the errors caught around them."""
    for n, node in enumerate(body):
        if isinstance(node, Function | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise):
            yield node, caught
        inner = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.stmt)]
        handlers = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.ExceptHandler)]
        for part in ast.iter_child_nodes(node):
            if part not in inner and part not in handlers:
                yield from ((one, caught) for one in ast.walk(part) if isinstance(one, ast.Call))
        protected = node.body if isinstance(node, ast.Try) else inner
        yield from raises_and_calls(protected, caught | caught_by(node, body[:n]))
        if isinstance(node, ast.Try):
            rest = [*node.orelse, *node.finalbody, *(one for handler in handlers for one in handler.body)]
            yield from raises_and_calls(rest, caught)


class Module:
    """The functions of a file, and the errors that come out of them."""

    def __init__(self, tree: ast.Module, errors: Errors) -> None:
        self.errors = errors
        self._private: dict[str, list[Function]] = {}
        for node in ast.walk(tree):
            if isinstance(node, Function) and re.match("_[^_]", node.name):
                self._private.setdefault(node.name, []).append(node)

    def raised(self, function: Function, seen: frozenset[str] = frozenset()) -> frozenset[str]:
        """Return the names of the errors that a function, and private ones that it calls, raise."""
        found = set()
        for node, caught in raises_and_calls(function.body):
            names: Iterable[str] = ()
            if isinstance(node, ast.Raise) and node.exc is not None:
                names = [self.errors.thrown(node.exc)]
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                privates = [] if called in seen else self._private.get(called, [])
                names = [name for own in privates for name in self.raised(own, seen | {called})]
            found |= {name for name in names if not self.errors.kinds(name) & caught}
        return frozenset(found)


def is_command(function: Function) -> bool:
    """Tell whether the docstring is what --help shows: a person sees the error itself."""
    return any(".command" in ast.unparse(decorator) for decorator in function.decorator_list)


def definitions(path: Path, tree: ast.Module, errors: Errors) -> Iterator[Definition]:
    module = Module(tree, errors)
    where = path.relative_to(ROOT).as_posix()

    def inside(body: list[ast.stmt], prefix: str, of_class: frozenset[str]) -> Iterator[Definition]:
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                documented = documented_errors(ast.get_docstring(node))
                yield Definition(f"{where}: {prefix}{node.name}", documented, frozenset())
                yield from inside(node.body, f"{prefix}{node.name}.", documented)
            elif isinstance(node, Function) and not is_command(node):
                constructs = node.name in ("__init__", "__post_init__", "__iter__", "__next__")
                if constructs or not node.name.startswith("_"):
                    documented = documented_errors(ast.get_docstring(node))
                    documented |= of_class if constructs else frozenset()
                    raised = module.raised(node)
                    yield Definition(f"{where}: {prefix}{node.name}", documented, raised)

    yield from inside(tree.body, "", frozenset())


def all_definitions(folder: str) -> tuple[list[Definition], Errors]:
    errors = Errors(list(trees().values()))
    chosen = {path: tree for path, tree in trees().items() if path.is_relative_to(ROOT / folder)}
    return [found for path, tree in chosen.items() for found in definitions(path, tree, errors)], errors


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_docstring_names_the_errors_that_its_function_raises(folder: str) -> None:
    found, errors = all_definitions(folder)
    raised = {(definition, name) for definition in found for name in definition.raised}
    missing = {(one.where, name) for one, name in raised if not errors.kinds(name) & one.documented}
    assert not missing
    assert len(raised) >= PACKAGES[folder]


@pytest.mark.parametrize("folder", PACKAGES)
def test_errors_that_docstrings_name_exist(folder: str) -> None:
    found, errors = all_definitions(folder)
    named = {(definition.where, name) for definition in found for name in definition.documented}
    assert not {(where, name) for where, name in named if not errors.kinds(name)}
    assert len(named) >= PACKAGES[folder]


def test_an_error_that_a_docstring_lacks_is_found() -> None:
    code = '''
class BadError(ValueError):
    """."""

def documented(a):
    """Do.

    Raises:
        ValueError: a base of it.
    """
    raise BadError(a)

def forgetful(a):
    """Do."""
    if a:
        raise made(a)
    with suppress(OSError):
        raise FileNotFoundError
    return _part(a)

def _part(a):
    try:
        raise KeyError(a)
    except LookupError:
        raise UnicodeError from None

    def nested():
        raise OSError

def made(a) -> BadError:
    """Return one."""

class Thing:
    """."""

    def __init__(self):
        with a:
            raise TypeError
'''
    tree = ast.parse(code)
    errors = Errors([tree])
    found = {
        definition.where.rpartition(" ")[2]: (definition.documented, definition.raised)
        for definition in definitions(ROOT / "code.py", tree, errors)
        if definition.documented or definition.raised
    }
    assert errors.kinds("BadError") >= {"BadError", "ValueError", "Exception"}
    assert found == {
        "documented": ({"ValueError"}, {"BadError"}),
        "forgetful": (set(), {"BadError", "UnicodeError"}),
        "Thing.__init__": (set(), {"TypeError"}),
    }
