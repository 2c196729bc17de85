"""The model file: what it holds, what it says about itself, and the checks when it is opened.

From outside, import `contract` (names and limits), `card`, `step_graph` and `onnx_file`.
"""
