import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

import lyricgen
from lyricgen.engine import machine_code
from tests.make_fake_model import FAKE_MODEL_PATH

WRITE = f"""
import sys, lyricgen
from lyricgen.engine import machine_code
song = lyricgen.load({str(FAKE_MODEL_PATH)!r}).generate(seed=1)
print(len(song.text), "numba" in sys.modules, machine_code.is_kept())
"""


@pytest.fixture(scope="module")
def code() -> bytes:
    """The kept file, as this machine has it."""
    machine_code.advance()
    (path,) = [path for path in kept_paths() if path.exists()][:1]
    return path.read_bytes()


def kept_paths() -> list[Path]:
    return [folder / machine_code._name() for folder in machine_code.folders()]


@pytest.fixture
def only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only one for machine code."""
    monkeypatch.setattr(machine_code, "folders", lambda: [tmp_path])
    return tmp_path


def test_kept_code_is_found_again(only_folder: Path, code: bytes) -> None:
    assert machine_code._kept() is None
    machine_code._keep(machine_code._parse(code))
    assert [path.read_bytes() for path in only_folder.iterdir()] == [code]
    assert machine_code.is_kept()
    kept = machine_code._kept()
    assert kept == machine_code._parse(code)
    assert kept is not None
    assert machine_code._link(kept) is not None


@pytest.mark.parametrize("place", [0, 64, 65, 80, 300, 2000, -1, -1000])
def test_damaged_code_is_not_run(only_folder: Path, code: bytes, place: int) -> None:
    damaged = bytearray(code)
    damaged[place] ^= 1
    path = only_folder / machine_code._name()
    path.write_bytes(damaged)
    assert machine_code._kept() is None


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_half_a_file_is_not_run(only_folder: Path, code: bytes, length: int) -> None:
    (only_folder / machine_code._name()).write_bytes(code[:length])
    assert machine_code._kept() is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_code_of_another_user_is_not_run(
    only_folder: Path, code: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = only_folder / machine_code._name()
    path.write_bytes(code)
    assert machine_code._kept() is not None
    if os.geteuid() == 0:
        os.chown(path, 12345, -1)
    else:  # then we are another one
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert machine_code._kept() is None


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_code_that_anybody_may_write_is_not_run(only_folder: Path, code: bytes) -> None:
    path = only_folder / machine_code._name()
    path.write_bytes(code)
    path.chmod(0o666)
    assert machine_code._kept() is None
    path.chmod(0o664)
    assert machine_code._kept() is not None


def test_without_a_home_there_is_the_packages_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert machine_code.folders() == [Path(machine_code.__file__).parent / "__pycache__"]


def test_the_name_depends_on_cpu_source_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {machine_code._name()}
    for owner, attribute, value in (
        (llvm, "get_host_cpu_name", lambda: "another"),
        (machine_code, "_features", lambda: "+none"),
        (machine_code.llvmlite, "__version__", "0.0.1"),
        (machine_code, "_SOURCES", ("record.py", "sampling.py")),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, attribute, value)
            machine_code._name.cache_clear()
            names.add(machine_code._name())
    machine_code._name.cache_clear()
    assert len(names) == 5


def test_code_that_calls_other_code_is_refused(code: bytes) -> None:
    parsed = machine_code._parse(code)
    needy = machine_code._Code(parsed.symbol, [*parsed.needs, "exp"], parsed.content)
    with pytest.raises(ImportError, match="needs exp: it must not call other code"):
        machine_code._link(needy)
    nameless = machine_code._Code("none", parsed.needs, parsed.content)
    with pytest.raises(ImportError, match="has no function none"):
        machine_code._link(nameless)


def test_the_kernel_calls_nothing_but_onnxruntime(code: bytes) -> None:
    """No libm: its results differ between platforms. What numba raises errors with is never called."""
    needs = machine_code._parse(code).needs
    assert all(name.startswith(machine_code._FOR_ERRORS) for name in needs)


@pytest.mark.usefixtures("only_folder")
def test_under_a_careless_umask_code_is_kept_all_the_same(code: bytes) -> None:
    before = os.umask(0)
    try:
        machine_code._keep(machine_code._parse(code))
    finally:
        os.umask(before)
    assert machine_code.is_kept()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
def test_code_in_a_folder_that_anybody_may_write_to_is_not_run(only_folder: Path, code: bytes) -> None:
    machine_code._keep(machine_code._parse(code))
    only_folder.chmod(0o777)
    assert not machine_code.is_kept()


def test_a_cache_folder_that_is_not_absolute_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert all(folder.is_absolute() for folder in machine_code.folders())


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
    command = [sys.executable, "-W", "ignore", "-c", NUMBA_AFTERWARDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "('too big', 5)\n0\n"), done.stderr


WRITING_AT_THE_END = f"""
import sys, threading, time, lyricgen
model = lyricgen.load({str(FAKE_MODEL_PATH)!r})
if sys.argv[1] == "songs":
    songs = model.songs(range(10**6), seed=1, threads=2)
    next(songs)
else:
    def work():
        while True:
            model.generate(seed=1)
    threading.Thread(target=work, daemon=True).start()
    time.sleep(0.3)
print("end")
"""


@pytest.mark.parametrize("way", ["songs", "thread"])
def test_python_may_end_while_songs_are_written(way: str) -> None:
    for _ in range(5):
        command = [sys.executable, "-c", WRITING_AT_THE_END, way]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def installed_in(folder: Path) -> dict[str, str]:
    """The environment of a process that sees a copy of the package, and no other folder it may write to."""
    package = Path(lyricgen.__file__).parent
    subprocess.run(["cp", "-r", str(package), str(folder / "lyricgen")], check=True)
    for compiled in (folder / "lyricgen").rglob("__pycache__"):
        shutil.rmtree(compiled)
    own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "XDG_CACHE_HOME": str(folder / "cache")}
    return {**os.environ, **own}


def written(environment: dict[str, str]) -> list[str]:
    command = [sys.executable, "-c", WRITE]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_the_first_song_compiles_and_the_second_does_not_even_import_numba(tmp_path: Path) -> None:
    environment = installed_in(tmp_path)
    first, second = written(environment), written(environment)
    assert first[1:] == ["True", "True"]
    assert second == [first[0], "False", "True"]
    assert list((tmp_path / "lyricgen" / "engine" / "__pycache__").glob("kernel-*.o"))


def test_numbas_switch_for_debugging_does_not_keep_the_kernel_from_being_compiled(tmp_path: Path) -> None:
    assert written({**installed_in(tmp_path), "NUMBA_DISABLE_JIT": "1"})[1:] == ["True", "True"]


def test_without_a_writable_folder_songs_are_written_all_the_same(tmp_path: Path) -> None:
    environment = installed_in(tmp_path)
    for blocked in (tmp_path / "lyricgen" / "engine" / "__pycache__", tmp_path / "home"):
        blocked.write_text("a file where a folder would have to be")
    environment |= {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    characters, compiled, kept = written(environment)
    assert (int(characters) > 0, compiled, kept) == (True, "True", "False")


def test_the_users_cache_folder_is_used_where_the_package_is_read_only(tmp_path: Path) -> None:
    environment = installed_in(tmp_path)
    (tmp_path / "lyricgen" / "engine" / "__pycache__").write_text("a file where a folder would have to be")
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    assert written(environment)[1:] == ["True", "True"]
    assert written(environment)[1:] == ["False", "True"]
    assert len(list((tmp_path / "cache" / "lyricgen").glob("kernel-*.o"))) == 1


def test_the_kernel_is_called_through_c() -> None:
    assert isinstance(machine_code.advance(), ctypes._CFuncPtr)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owner here")
@pytest.mark.parametrize("mode", [0o777, 0o755])
def test_where_code_would_not_be_read_it_is_not_kept(
    tmp_path: Path, code: bytes, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    theirs, own = tmp_path / "theirs", tmp_path / "own"
    theirs.mkdir()
    theirs.chmod(mode)
    trusted = machine_code._is_trusted
    inode = theirs.stat().st_ino
    if mode == 0o755:  # somebody else's
        monkeypatch.setattr(
            machine_code, "_is_trusted", lambda facts: facts.st_ino != inode and trusted(facts)
        )
    monkeypatch.setattr(machine_code, "folders", lambda: [theirs, own])
    machine_code._keep(machine_code._parse(code))
    assert list(theirs.iterdir()) == []
    assert machine_code.is_kept()


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed here")
def test_a_link_to_code_is_not_followed(only_folder: Path, code: bytes) -> None:
    (only_folder / "elsewhere.o").write_bytes(code)
    (only_folder / machine_code._name()).symlink_to(only_folder / "elsewhere.o")
    assert machine_code._kept() is None
