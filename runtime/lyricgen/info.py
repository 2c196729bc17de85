"""What `lyricgen-run --info` shows: a model file's card as lines for a reader."""

from __future__ import annotations

from lyricgen.command import printable
from lyricgen.contract import ModelCard, Quality

_SHOWN_HASH = 16
"""Hexadecimal digits of a SHA-256 that are shown: enough to tell two files apart."""


def describe(card: ModelCard, path: str, size_bytes: int) -> str:
    """Return aligned lines of labels and values, safe for a terminal whatever the file says."""
    facts = _facts(card, path, size_bytes)
    width = max(map(len, facts))
    return "\n".join(f"{label:{width}}  {printable(value)}" for label, value in facts.items())


def _facts(card: ModelCard, path: str, size_bytes: int) -> dict[str, str]:
    origin, words = card.provenance, card.vocabulary
    facts = {
        "file": f"{path}, {_size(size_bytes)}",
        "network": f"{card.layers} × {card.hidden_size} LSTM",
        "precision": card.precision,
        "characters": f"{len(words.characters):,}",
        "styles": ", ".join(words.styles) or "none",
        "titles": "yes" if card.title_line else "no",
        "suggested temperature": f"{card.suggested_temperature:g}",
        "session": origin.session,
        "corpus": origin.corpus,
        "corpus licence": origin.corpus_licence or "not stated",
        "corpus sha256": f"{origin.corpus_sha256[:_SHOWN_HASH]}…",
        "training characters": f"{origin.training_characters:,}",
        "fine-tuned from": origin.base_model,
        "held-out songs": _held_out(card.quality),
        "parity with PyTorch": _parity(card.quality),
        "exported by": f"lyricgen {origin.creating_version}",
    }
    if not origin.base_model:
        del facts["fine-tuned from"]
    return facts


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _held_out(quality: Quality) -> str:
    bits = quality.held_out_bits_per_character
    if bits is None:
        return "not measured"
    return f"{bits:.4f} bits per character over {quality.held_out_symbols:,} symbols"


def _parity(quality: Quality) -> str:
    if not quality.parity_steps:
        return "not measured"
    return (
        f"logits within {quality.parity_logits:.0e}, final state within {quality.parity_state:.0e}, "
        f"over {quality.parity_steps} carried steps"
    )
