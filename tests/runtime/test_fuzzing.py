"""Thousands of damaged model files: each is refused with our error, or is a step and writes a song."""

import faulthandler
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, MutableSequence, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import ModelProto

from export.step import build_step
from lyricgen.engine.step_model import ModelFile
from lyricgen.errors import ModelFormatError, NonFiniteLogitsError
from lyricgen.generator import BUNDLED_MODEL_PATH, Model, Song
from lyricgen.model_file.card import ModelCard
from lyricgen.model_file.protobuf import varint
from lyricgen.model_file.step_graph import step_graph
from tests.make_fake_model import FAKE_INT8_MODEL_PATH, FAKE_MODEL_PATH, FAKE_STYLED_MODEL_PATH, fake_weights
from tests.runtime.test_protobuf import padded

FAKE_PATHS = (FAKE_MODEL_PATH, FAKE_INT8_MODEL_PATH, FAKE_STYLED_MODEL_PATH)
FEW, MANY, MANY_BUNDLED = 400, 5000, 300
HANG_SECONDS = 60
MAX_LENGTH = 20
REFUSED, OPENED, NOT_FINITE = "refused", "opened", "not finite"

Changes = Callable[[Sequence[Path]], st.SearchStrategy[bytes]]


@lru_cache
def source(path: Path) -> tuple[bytes, list[npt.NDArray[np.int64]]]:
    """A real file, and the positions inside and outside of its tensors' data."""
    content = path.read_bytes()
    is_data = np.zeros(len(content), bool)
    for tensor in onnx.load_from_string(content).graph.initializer:
        start = content.index(tensor.raw_data)
        is_data[start : start + len(tensor.raw_data)] = True
    return content, [np.flatnonzero(is_data), np.flatnonzero(~is_data)]


def signed(content: bytes) -> bytes:
    """The file with the right hash of its tensors: whoever writes a hostile file can put it there."""
    try:
        model = onnx.load_from_string(content)
    except DecodeError:
        return content
    digest = hashlib.sha256(b"".join(tensor.raw_data for tensor in model.graph.initializer)).hexdigest()
    written = [entry.value for entry in model.metadata_props if entry.key == "lyricgen.tensors_sha256"]
    if not (written and written[0] and isinstance(written[0], str)):  # bytes where it is no UTF-8
        return content
    return content.replace(written[0].encode(), json.dumps(digest).encode())


# What is asked of each file.


def outcome(content: bytes) -> str:
    """What becomes of a file; anything but these three is a failure."""
    content = signed(content)
    try:
        file = ModelFile(Path("fuzzed.onnx"), content)
    except ModelFormatError:
        return REFUSED
    # Made from the card alone; and read by google.protobuf, not by our reader.
    expected = build_step(fake_weights(file.card), file.card)
    assert skeleton(onnx.load_from_string(content), file.card) == skeleton(expected, file.card)
    try:
        song = Model(file).generate(max_length=MAX_LENGTH, seed=1, temperature=1.0)
    except NonFiniteLogitsError:
        return NOT_FINITE
    assert isinstance(song, Song)
    assert len(song.text) <= MAX_LENGTH
    return OPENED


def skeleton(model: ModelProto, card: ModelCard) -> ModelProto:
    """The model without its weights and metadata."""
    constants = step_graph(card).constants
    for tensor in model.graph.initializer:
        if constants[tensor.name].content is None:
            tensor.ClearField("raw_data")
    model.ClearField("metadata_props")
    return model


def fuzz(files: st.SearchStrategy[bytes], examples: int, capfd: pytest.CaptureFixture[str]) -> Counter[str]:
    """Count what becomes of `examples` files; a hang ends the process with a traceback."""
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(files)
    def run(content: bytes) -> None:
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        try:
            outcomes[outcome(content)] += 1
        finally:
            faulthandler.cancel_dump_traceback_later()

    with capfd.disabled():  # so that the traceback of a hang is seen
        run()
    return outcomes


# Changes of bytes.

EXTREMES = [
    *map(varint, (0, 1, 127, 128, 2**14, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1)),
    *(padded(0, 10), padded(8, 5), b"\xff" * 11, b"\x80" * 20),
]
SHORT = st.integers(1, 40)
CHANGES = st.sampled_from([1, 1, 1, 2, 3])
"""How many changes one file undergoes; hardly any survives several."""
KINDS = st.sampled_from(["flip", "write"] * 4 + ["delete", "truncate", "repeat", "swap", "splice"])


def change_bytes(draw: st.DrawFn, content: bytes, at: int, other: bytes) -> bytes:
    """The content with something else in place of what stands at a position."""
    piece, removed, written = content[at : at + draw(SHORT)], len(content), b""
    match draw(KINDS):
        case "flip":
            removed, written = 1, bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in piece[:1])
        case "write":
            written = draw(st.binary(min_size=1, max_size=8) | st.sampled_from(EXTREMES))
            removed = draw(st.sampled_from([0, 1, len(written), len(written)]))
        case "delete":
            removed = len(piece)
        case "repeat":
            removed, written = len(piece), piece * draw(st.integers(2, 5))
        case "swap":
            following = content[at + len(piece) :][: draw(SHORT)]
            removed, written = len(piece + following), following + piece
        case "splice":
            written = other[draw(st.just(at) | st.integers(0, len(other))) :]
    return content[:at] + written + content[at + removed :]


@st.composite
def changed_bytes(draw: st.DrawFn, paths: Sequence[Path]) -> bytes:
    content, parts = source(draw(st.sampled_from(paths)))
    other, _ = source(draw(st.sampled_from(paths)))
    for _change in range(draw(CHANGES)):
        positions = draw(st.sampled_from(parts))
        at = int(positions[draw(st.integers(0, len(positions) - 1))])
        content = change_bytes(draw, content, min(at, len(content)), other)
    return content


# Changes of what the bytes mean.

TEXTS = st.sampled_from(
    [
        *("", "none", "token", "hidden", "table", "row", "first_axis", "B", "axis", "to", "body", "\0", "é"),
        *("Add", "Mul", "Tanh", "Loop", "If", "Identity", "MatMul", "com.microsoft", "Evil"),
        *("location", "/dev/zero", "*/_ORT_MEM_ADDR_/*", "ort_config", "lyricgen.layers", "lyricgen."),
    ]
)
NUMBERS = st.sampled_from([-(2**63), -(2**31), -1, 0, 1, 2, 3, 5, 7, 16, 2**31 - 1, 2**32 + 1, 2**63 - 1])
FLOATS = st.sampled_from([0.0, -0.0, 1e-45, 1.0, -1e38, 3.4e38, np.inf, -np.inf, np.nan])
FOUR_BYTES = FLOATS.map(lambda number: np.float32(number).tobytes()) | st.binary(min_size=4, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def change_any_field(draw: st.DrawFn, message: Message) -> None:
    """Change one field of a message, or of one in it: as often one that is set as any that there can be."""
    fields = [field for field, _ in message.ListFields()]
    if not fields or draw(st.booleans()):
        fields = list(message.DESCRIPTOR.fields)
    field = draw(st.sampled_from(fields))
    value = getattr(message, field.name)
    if isinstance(value, Message):
        value.SetInParent()
        change_any_field(draw, value)
    elif not hasattr(value, "extend"):
        setattr(message, field.name, draw(new_values(field)))
    elif field.message_type is None:
        change_list(draw, value, new_values(field))
    elif len(value) and draw(st.booleans()):
        change_any_field(draw, value[draw(st.integers(0, len(value) - 1))])
    else:
        change_list(draw, value, st.just(field.message_type._concrete_class()))


def new_values(field: FieldDescriptor) -> st.SearchStrategy[object]:
    """Values that a field of numbers or texts may be given."""
    if field.cpp_type == field.CPPTYPE_STRING:
        return TEXTS if field.type == field.TYPE_STRING else st.binary(max_size=8)
    is_float = field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE)
    return FLOATS if is_float else NUMBERS | st.integers(-1, 25)


def change_list(draw: st.DrawFn, values: MutableSequence[object], new: st.SearchStrategy[object]) -> None:
    """Take out an entry; put it in again, elsewhere or several times, or another one, or none."""
    taken = values.pop(draw(st.integers(0, len(values) - 1))) if len(values) else draw(new)
    entry = draw(st.just(taken) | new)
    for _ in range(draw(st.integers(0, 2))):
        values.insert(draw(st.integers(0, len(values))), entry)


def change_weights(draw: st.DrawFn, model: ModelProto) -> None:
    """What is no concern of the check: any numbers, not finite ones included, in some places or in all."""
    if weights := [tensor for tensor in model.graph.initializer if len(tensor.raw_data) > 16]:
        tensor = draw(st.sampled_from(weights))
        count = len(tensor.raw_data) // 4
        data = bytearray(tensor.raw_data)
        some: st.SearchStrategy[Iterable[int]] = st.lists(st.integers(0, count - 1), min_size=1, max_size=8)
        number = draw(FOUR_BYTES)
        for at in draw(some | st.just(range(count))):
            data[4 * at : 4 * at + 4] = number
        tensor.raw_data = bytes(data)


def change_property(draw: st.DrawFn, model: ModelProto) -> None:
    """Put any value in place of one in the card, or of one deep in it."""
    if model.metadata_props:
        entry = draw(st.sampled_from(list(model.metadata_props)))
        try:
            value = json.loads(entry.value)
        except ValueError:  # an earlier change
            return
        if isinstance(value, dict | list) and value:
            value[draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))] = (
                draw(JSON)
            )
        else:
            value = draw(JSON)
        entry.value = json.dumps(value)


def add_property(draw: st.DrawFn, model: ModelProto) -> None:
    model.metadata_props.add(key=draw(TEXTS), value=draw(st.text(max_size=20)))


@st.composite
def changed_models(draw: st.DrawFn, paths: Sequence[Path]) -> bytes:
    model = onnx.load_from_string(source(draw(st.sampled_from(paths)))[0])
    for _ in range(draw(CHANGES)):
        if draw(st.booleans()):
            with suppress(ValueError):  # a number that the field cannot hold
                change_any_field(draw, draw(st.sampled_from([model, model.graph])))
        else:
            draw(st.sampled_from([change_weights, change_property, add_property]))(draw, model)
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("path", [*FAKE_PATHS, BUNDLED_MODEL_PATH])
def test_the_files_before_the_changes_open(path: Path) -> None:
    assert outcome(path.read_bytes()) == OPENED


@pytest.mark.parametrize("changes", [changed_bytes, changed_models])
@pytest.mark.parametrize(
    ("paths", "examples"),
    [
        (FAKE_PATHS, FEW),
        pytest.param(FAKE_PATHS, MANY, marks=pytest.mark.slow),
        pytest.param([BUNDLED_MODEL_PATH], MANY_BUNDLED, marks=pytest.mark.slow),
    ],
)
def test_changed_files_are_refused_or_harmless(
    changes: Changes, paths: Sequence[Path], examples: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """The changes are neither all so gross that any reader refuses them, nor all harmless.

    Which changes are drawn depends on the modules that were imported before (Hypothesis takes numbers and
    texts from them): of 100 changed bundled models 7 to 33 opened.
    """
    outcomes = fuzz(changes(paths), examples, capfd)
    assert outcomes.total() >= examples
    assert outcomes[REFUSED] >= examples / 4
    assert outcomes[OPENED] >= examples / 50
