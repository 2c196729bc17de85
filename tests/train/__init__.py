"""The way from a corpus to a session, and the report on it."""
