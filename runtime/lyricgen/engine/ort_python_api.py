"""onnxruntime through its Python module: slower to load and to call than its C API, but always there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lyricgen.engine.ort_c_api import CONFIG, NamedArrays, stay_offline
from lyricgen.errors import OrtError

if TYPE_CHECKING:
    import onnxruntime as ort


class OrtPythonSession:
    """A graph, opened by onnxruntime's Python module; each step computes in the thread that asks for it.

    Our graphs have no node too many, so nothing is optimised: what computes is what was checked.

    Args:
        content: the .onnx file's bytes.
        optimization: an `onnxruntime.GraphOptimizationLevel`; None: nothing.

    Raises:
        OrtError: this version of onnxruntime cannot open it.
    """

    def __init__(self, content: bytes, optimization: ort.GraphOptimizationLevel | None = None) -> None:
        stay_offline()
        import onnxruntime as ort

        self.description = f"onnxruntime {ort.__version__} through its Python module"
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # one step gains nothing from more
        options.graph_optimization_level = optimization or ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4  # what matters comes as an exception
        for key, value in CONFIG.items():
            options.add_session_config_entry(key, value)
        try:
            self._session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no base of their own
            raise OrtError(str(error)) from error

    def bind(self, inputs: NamedArrays, outputs: NamedArrays) -> ort.IOBinding:
        """Tie the graph's inputs and outputs to arrays, for `run`; keep them alive."""
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, array in outputs.items():
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        return binding

    def run(self, binding: ort.IOBinding) -> None:
        """Compute the outputs.

        Raises:
            OrtError: it could not.
        """
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # as above
            raise OrtError(str(error)) from error
