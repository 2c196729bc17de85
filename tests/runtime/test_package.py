"""What is true of the package as a whole: its public face, its imports, what importing it costs."""

import ast
import os
import re
import sys
import typing
from functools import cache
from pathlib import Path

import pytest
import typer

import lyricgen
from lyricgen import errors
from lyricgen.engine.record import BATCH
from lyricgen.errors import LyricgenError
from lyricgen.options import checked, definitions, plan_song
from lyricgen.terminal import command
from lyricgen.terminal import run as cli
from tests.conftest import Apps
from tests.make_fake_model import FAKE_MODEL_PATH
from tests.runtime.conftest import python

ROOT = Path(__file__).parents[2]
ROOMS = ["runtime/lyricgen", "train", "export", "benchmarks", "checks"]
"""A room imports those before it, and none after it."""
WRITE = f"import lyricgen; lyricgen.load({str(FAKE_MODEL_PATH)!r}).generate(seed=1)"


def module_name(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("runtime.")
    return name.removesuffix(".__init__")


MODULES = {module_name(path): path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))}


def imports_of(path: Path) -> set[str]:
    """Names of all modules and members that a file imports: at its top, inside functions, and for types."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def own_imports(name: str) -> frozenset[str]:
    """Names of the modules of this repository that a module imports."""
    named = {one if one in MODULES else one.rpartition(".")[0] for one in imports_of(MODULES[name])}
    return frozenset(named & MODULES.keys())


def loaded_after(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after `code`."""
    shown = "import sys; print('\\n', *{name.partition('.')[0] for name in sys.modules})"
    return set(python(f"{code}\n{shown}", check=True).stdout.splitlines()[-1].split())


def test_imports_point_one_way() -> None:
    rank = {room.rpartition("/")[2]: place for place, room in enumerate(ROOMS)}
    assert len(MODULES) >= 60
    for name in MODULES:
        for other in own_imports(name):
            assert rank[other.partition(".")[0]] <= rank[name.partition(".")[0]], f"{name} imports {other}"
        tops = {one.partition(".")[0] for one in imports_of(MODULES[name])}
        assert "tests" not in tops
        assert not (name.startswith("lyricgen") and tops & {"torch", "onnx", "pandas"}), name


def test_no_two_modules_import_each_other_directly_or_around() -> None:
    """Every round takes away the modules that import none of those left; a circle would stay."""
    left = set(MODULES)
    while done := {name for name in left if not (own_imports(name) - {name}) & left}:
        left -= done
    assert not left


def test_the_foundations_need_only_the_standard_library() -> None:
    allowed = {*sys.stdlib_module_names, "lyricgen"}
    foundations = ("errors", "vocabulary", "printable", "schema", "files", "options")
    for name in (*foundations, "model_file.contract", "terminal.interrupt"):
        assert {one.partition(".")[0] for one in imports_of(MODULES[f"lyricgen.{name}"])} <= allowed, name


def test_all_is_true() -> None:
    assert sorted(lyricgen.__all__) == lyricgen.__all__
    for name in lyricgen.__all__:
        assert getattr(lyricgen, name) is not None
    assert dir(lyricgen) == lyricgen.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lyricgen.nothing


def test_an_option_of_a_song_is_defined_once_and_known_everywhere() -> None:
    """The command line, the explanation and the kernel's record are made from the fields of `SongOptions`."""
    offered = {parameter.name: parameter for parameter in typer.main.get_command(cli.app).params}
    card = lyricgen.load().card
    for name, (annotation, option) in definitions().items():
        assert f"    {name}: {option.help}" in (lyricgen.SongOptions.__doc__ or "")
        assert offered[name].opts == ["--" + name.replace("_", "-")]
        assert offered[name].default == option.default == checked(annotation, option.default, name)
    assert set(plan_song(card, {}).numbers) <= set(BATCH.names or ())


HELP = "from lyricgen.terminal import command; command.run(app, '', ['-h'])"


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import lyricgen", {"numpy", "numba", "onnxruntime", "typer", "rich"}),
        (f"from lyricgen.terminal.run import app; {HELP}", {"numpy", "numba", "onnxruntime"}),
        (f"from train.cli import app; {HELP}", {"torch", "pandas", "onnx"}),
        (f"from export.cli import app; {HELP}", {"torch", "pandas", "onnx"}),
    ],
)
def test_what_is_quick_loads_nothing_heavy(code: str, heavy: set[str]) -> None:
    assert not loaded_after(code) & heavy


def test_once_compiled_a_song_needs_no_numba_nor_onnxruntimes_python_module_nor_training() -> None:
    """What keeps the start short: the machine code is linked by llvmlite, the step called through C."""
    loaded_after(WRITE)  # compiles, if nobody did
    loaded = loaded_after(WRITE)
    assert "llvmlite" in loaded
    assert not loaded & {"numba", "onnxruntime", "rich", "torch", "onnx", "pandas", "train", "export"}


def test_nothing_is_left_in_the_home_folder(tmp_path: Path) -> None:
    """onnxruntime would keep files for its reports there, and send them."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    python(WRITE, env=environment, check=True)
    assert [path for path in tmp_path.rglob("*") if "numba" not in str(path)] in ([], [tmp_path / "cache"])


def test_without_the_training_packages_commands_say_what_to_install(run: Apps) -> None:
    app = typer.Typer()

    @app.command()
    def needy() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    said = "python -m train needs torch; install it with: pip install -e '.[train]'"
    run(app, "python -m train")().assert_one_line_error(1, said)


def test_the_error_tree_in_the_docstring_is_the_tree() -> None:
    drawn = {line.split()[1] for line in (errors.__doc__ or "").splitlines() if "──" in line}
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    defined -= {"LyricgenError", "Path"}
    assert drawn == defined
    assert all(issubclass(getattr(errors, name), LyricgenError) for name in defined)


@pytest.mark.parametrize("extra", ["train", "report"])
def test_a_missing_training_package_is_named_whatever_it_is(extra: str) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = re.search(rf"^{extra} = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert needed is not None
    names = {re.split("[>=<]", name)[0] for name in re.findall('"(.*?)"', needed.group(1))}
    assert names - {"lyricgen[train]"} == set(command.EXTRAS[extra])


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Unpack is in typing_extensions there")
@pytest.mark.parametrize("name", ["generate", "songs", "stream"])
def test_the_types_of_options_can_be_read(name: str) -> None:
    assert "options" in typing.get_type_hints(getattr(lyricgen.Model, name))
