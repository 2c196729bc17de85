import os
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

import lyricgen
from lyricgen.engine import machine_code
from lyricgen.engine.machine_code import KernelCache, ObjectCode
from tests.make_fake_model import FAKE_MODEL_PATH
from tests.runtime.conftest import python

WRITE = f"""
import sys, lyricgen
from lyricgen.engine import machine_code
song = lyricgen.load({str(FAKE_MODEL_PATH)!r}).generate(seed=1)
print(len(song.text), "numba" in sys.modules, machine_code.is_kept())
"""

OWNERS = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")


@pytest.fixture(scope="module")
def code() -> ObjectCode:
    """The kernel, as this machine keeps it."""
    machine_code.advance()
    kept = KernelCache(machine_code.folders()).load()
    assert kept is not None
    return kept


@pytest.fixture
def cache(tmp_path: Path) -> KernelCache:
    """A cache of one folder."""
    return KernelCache([tmp_path])


def test_kept_code_is_found_again_and_can_be_called(cache: KernelCache, code: ObjectCode) -> None:
    assert cache.load() is None
    cache.save(code)
    kept = cache.load()
    assert kept == code
    assert callable(kept.link())
    assert [path.name for path in cache.paths[0].parent.iterdir()] == [machine_code.file_name()]


@pytest.mark.parametrize("place", [0, 1, 64, 65, 80, 100, 300, 2000, 5000, -1, -1000])
def test_damaged_code_or_half_of_it_is_not_run(cache: KernelCache, code: ObjectCode, place: int) -> None:
    damaged = bytearray(code.to_bytes())
    damaged[place] ^= 1
    for content in (damaged, code.to_bytes()[:place]):
        cache.paths[0].write_bytes(content)
        assert cache.load() is None


@OWNERS
@pytest.mark.parametrize(
    ("owner", "mode", "trusted"),
    [
        *((0, 0o100644, True), (4321, 0o100664, True), (4321, 0o40755, True)),
        *((1234, 0o100644, False), (4321, 0o100666, False), (0, 0o40777, False)),
    ],
)
def test_only_what_root_or_this_user_alone_may_write_is_trusted(
    monkeypatch: pytest.MonkeyPatch, owner: int, mode: int, *, trusted: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    facts = os.stat_result((mode, 0, 0, 1, owner, 4321, 0, 0, 0, 0))
    assert machine_code.is_trusted(facts) == trusted


@OWNERS
def test_code_that_anybody_may_write_is_neither_run_nor_kept(tmp_path: Path, code: ObjectCode) -> None:
    cache = KernelCache([tmp_path / "theirs", tmp_path / "own"])
    before = os.umask(0)  # a careless one
    cache.save(code)
    os.umask(before)
    assert cache.load() == code
    cache.paths[0].chmod(0o666)
    assert cache.load() is None
    cache.paths[0].chmod(0o644)
    cache.paths[0].parent.chmod(0o777)
    assert cache.load() is None
    cache.save(code)
    assert cache.paths[1].exists()
    assert cache.load() == code


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed here")
def test_a_link_to_code_is_not_followed(cache: KernelCache, code: ObjectCode) -> None:
    elsewhere = cache.paths[0].with_name("elsewhere.o")
    elsewhere.write_bytes(code.to_bytes())
    cache.paths[0].symlink_to(elsewhere)
    assert cache.load() is None


def test_without_a_home_there_is_the_packages_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "here")  # one that is not absolute is not used
    assert all(folder.is_absolute() for folder in machine_code.folders())
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("Could not determine home directory.")))
    assert machine_code.folders() == [Path(machine_code.__file__).parent / "__pycache__"]


@pytest.mark.parametrize("name", ["llvmlite.__version__", "llvmlite.binding.get_host_cpu_name"])
def test_each_cpu_and_version_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    usual = machine_code.file_name()
    monkeypatch.setattr(name, "0.0.1" if name.endswith("version__") else lambda: "another")
    machine_code.file_name.cache_clear()
    other = machine_code.file_name()
    machine_code.file_name.cache_clear()
    assert other != usual


def test_code_that_calls_other_code_is_refused(code: ObjectCode) -> None:
    """The kernel uses no libm: its results differ between platforms."""
    with pytest.raises(ImportError, match="needs exp: it must not call other code"):
        replace(code, needs=[*code.needs, "exp"]).link()
    with pytest.raises(ImportError, match="has no function none"):
        replace(code, symbol="none").link()


NUMBA_AFTERWARDS = f"""
import sys, lyricgen
lyricgen.load({str(FAKE_MODEL_PATH)!r}).generate(seed=1)
assert "numba" not in sys.modules
import numba

@numba.njit
def fails(x):
    if x > 3:
        raise ValueError("too big", x)
    return [x]

@numba.njit
def length(values):
    return len(values)

assert fails(1) == [1]
try:
    fails(5)
except ValueError as error:
    print(error)
names = ["a name that is nowhere else"]
before = sys.getrefcount(names[0])
for _ in range(100):
    length(names)
print(sys.getrefcount(names[0]) - before)
"""


@pytest.mark.usefixtures("code")
def test_other_code_that_numba_compiles_afterwards_is_not_touched() -> None:
    """It finds Python's functions for errors and references, not what the kernel was linked with."""
    done = python(NUMBA_AFTERWARDS, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    assert (done.returncode, done.stdout) == (0, "('too big', 5)\n0\n"), done.stderr


WRITING_AT_THE_END = f"""
import sys, threading, lyricgen
model, begun = lyricgen.load({str(FAKE_MODEL_PATH)!r}), threading.Event()
if sys.argv[1] == "songs":
    songs = model.songs(range(10**6), seed=1, threads=2)
    next(songs)
else:
    def work():
        while True:
            model.generate(seed=1)
            begun.set()
    threading.Thread(target=work, daemon=True).start()
    begun.wait()
print("end")
"""


@pytest.mark.parametrize("way", ["songs", "thread"])
def test_python_may_end_while_songs_are_written(way: str) -> None:
    for _ in range(3):
        done = python(WRITING_AT_THE_END, way, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def installed_in(folder: Path) -> dict[str, str]:
    """The environment of a process that sees a copy of the package, and no other folder it may write to."""
    package = Path(lyricgen.__file__).parent
    shutil.copytree(package, folder / "lyricgen", ignore=shutil.ignore_patterns("__pycache__"))
    own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    return {**os.environ, **own}


def written(environment: dict[str, str]) -> list[str]:
    return python(WRITE, env=environment, check=True).stdout.split()


def test_the_first_song_compiles_and_the_second_does_not_even_import_numba(tmp_path: Path) -> None:
    """numba's switch for debugging does not keep the kernel from being compiled."""
    environment = {**installed_in(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    first, second = written(environment), written(environment)
    assert first[1:] == ["True", "True"]
    assert second == [first[0], "False", "True"]
    assert list((tmp_path / "lyricgen" / "engine" / "__pycache__").glob("kernel-*.o"))
    with (tmp_path / "lyricgen" / "engine" / "kernel.py").open("a") as source:
        source.write("# another version")
    asked = python("from lyricgen.engine import machine_code as m; print(m.is_kept())", env=environment)
    assert asked.stdout == "False\n"


def test_the_users_cache_folder_is_used_where_the_package_is_read_only(tmp_path: Path) -> None:
    environment = installed_in(tmp_path)
    blocked = tmp_path / "lyricgen" / "engine" / "__pycache__"
    blocked.write_text("a file where a folder would have to be")
    assert written(environment)[1:] == ["True", "True"]
    assert written(environment)[1:] == ["False", "True"]
    assert len(list((tmp_path / "cache" / "lyricgen").glob("kernel-*.o"))) == 1
    environment["XDG_CACHE_HOME"] = str(blocked)
    characters, compiled, kept = written(environment)
    assert (int(characters) > 0, compiled, kept) == (True, "True", "False")
