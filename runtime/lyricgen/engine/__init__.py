"""The loop from SOS to EOS, compiled, around one step of the network in onnxruntime.

From outside, import `slots` (songs side by side in one batch), `threads` (many batches) and `step_model`.
"""
