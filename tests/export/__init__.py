"""The way from a session to a proven model file."""
