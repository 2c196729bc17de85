import gc
import re
import sys
from functools import cache
from pathlib import Path
from unittest.mock import Mock

import pytest

import lyricgen
from lyricgen.engine import ort_c_api
from lyricgen.engine.ort_c_api import OrtCSession
from lyricgen.engine.ort_python_api import OrtPythonSession
from lyricgen.engine.step_model import ModelFile, StepModel
from lyricgen.errors import ModelFormatError, OrtError
from lyricgen.generator import BUNDLED_MODEL_PATH
from tests.make_fake_model import FAKE_MODEL_PATH


def test_the_c_library_is_there() -> None:
    assert ort_c_api.unavailable() is None
    description = OrtCSession(FAKE_MODEL_PATH.read_bytes()).description
    assert re.fullmatch(r"onnxruntime \d+\.\d+\.\d+ through its C API", description)


@pytest.mark.parametrize(("content", "why"), [(None, "not found"), (b"no library", "libonnxruntime")])
def test_without_the_c_library_the_python_module_writes_the_same_songs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, why: str
) -> None:
    expected, library = lyricgen.load(FAKE_MODEL_PATH).generate(seed=3), tmp_path / "libonnxruntime.so"
    library.write_bytes(content or b"")
    monkeypatch.setattr(ort_c_api, "find_library", lambda: library if content else None)
    for name in ("_api", "unavailable"):
        monkeypatch.setattr(ort_c_api, name, cache(getattr(ort_c_api, name).__wrapped__))
    assert why in (ort_c_api.unavailable() or "")
    model = lyricgen.load(FAKE_MODEL_PATH)
    assert model.runs_on.endswith("through its Python module")
    assert model.generate(seed=3) == expected


@pytest.mark.parametrize(
    ("platform", "name"),
    [("linux", "libonnxruntime.so.1.3"), ("darwin", "libonnxruntime.1.dylib"), ("win32", "onnxruntime.dll")],
)
def test_the_library_has_its_name_on_each_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, name: str
) -> None:
    """As the wheels of onnxruntime name it, beside another library that is not meant."""
    package = tmp_path / "onnxruntime"
    (package / "capi").mkdir(parents=True)
    others = ("libonnxruntime_providers_shared.so", "onnxruntime_providers_shared.dll")
    for file in ("__init__.py", *(f"capi/{one}" for one in (name, *others))):
        (package / file).touch()
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    assert ort_c_api.find_library() == package / "capi" / name


@pytest.mark.parametrize("open_session", [OrtCSession, OrtPythonSession])
def test_what_onnxruntime_refuses_is_its_error(open_session: type[OrtCSession]) -> None:
    with pytest.raises(OrtError, match=r"(?i)protobuf|parse|invalid"):
        open_session(b"not a model")


def test_onnxruntimes_words_stand_in_the_error_for_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse = Mock(side_effect=OrtError("Unsupported model IR version: 99\nand more"))
    monkeypatch.setattr("lyricgen.engine.step_model.OrtCSession", refuse)
    with pytest.raises(ModelFormatError, match=r"fake_model\.onnx: onnxruntime: .*found Unsupported"):
        ModelFile(FAKE_MODEL_PATH)


@pytest.mark.parametrize("through_python", [False, True])
def test_a_failing_run_is_onnxruntimes_error(*, through_python: bool) -> None:
    model = StepModel(ModelFile(FAKE_MODEL_PATH, through_python=through_python))
    model.token[0] = 10**9
    with pytest.raises(OrtError, match="Gather"):
        model.step()


def resident_megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_models_and_bindings_give_their_memory_back() -> None:
    """A hundred copies of the bundled model would take 400 MB, their buffers for 64 songs 60 MB."""
    for n in range(100):
        StepModel(ModelFile(BUNDLED_MODEL_PATH, through_python=False), 64).step()
        if n == 10:
            gc.collect()
            before = resident_megabytes()
    gc.collect()
    assert resident_megabytes() < before + 40
