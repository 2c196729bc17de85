"""Export: a session → one self-describing .onnx, proved before it takes its name. Not in the wheel."""
