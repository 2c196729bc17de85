"""Export: a session becomes one .onnx file, compared with PyTorch before it is written. Not in the wheel."""
