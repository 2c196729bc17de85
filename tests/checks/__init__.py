"""Second opinions on a model file, and faults on purpose."""
