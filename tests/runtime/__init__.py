"""What the wheel holds: the model file, the engine, the commands; needs no torch."""
