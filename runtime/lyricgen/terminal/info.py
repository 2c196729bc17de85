"""What `lyricgen-run --info` shows: a model file's card as lines for a reader."""

from __future__ import annotations

import json
from pathlib import Path

from lyricgen.model_file.card import ModelCard, Parity, Report
from lyricgen.model_file.contract import FP32, INT8
from lyricgen.printable import printable, shortened, table, wrapped

_SHOWN_HASH = 16
"""Hexadecimal digits of a SHA-256 that are shown: enough to tell two files apart."""
_SHOWN_CHARACTERS = 360
_SHOWN_FORM = 55
"""Characters of a form that fit beside the longest label."""


def describe(card: ModelCard, path: str, size_bytes: int) -> str:
    """Return what its maker says of a model, and a table of facts; safe for a terminal."""
    about = wrapped(printable(card.about), break_words=True) + "\n\n" if card.about else ""
    return about + table(_facts(card, path, size_bytes))


def to_json(card: ModelCard, path: str, size_bytes: int) -> str:
    """Return the same as a JSON object, the keys as in the file, plain ASCII; of known lines their number."""
    facts = card.to_json() | {"known_lines": _known_lines(card)}
    return json.dumps({"file": path, "size_bytes": size_bytes, **facts}, indent=2)


def _known_lines(card: ModelCard) -> int:
    """Return how many lines the card has fingerprints of."""
    return int(card.known_lines.partition(":")[0] or 0)


def _facts(card: ModelCard, path: str, size_bytes: int) -> dict[str, str]:
    origin, words, song = card.provenance, card.vocabulary, card.golden_song
    visible = " ".join(one for one in words.characters if one.isprintable() and one != " ")
    return {
        "file": f"{Path(path).name}, {megabytes(size_bytes)}",
        "folder": str(Path(path).parent),
        "network": f"{card.layers} × {card.hidden_size} LSTM in {card.precision}",
        "characters": f"{len(words.characters):,}: {shortened(visible, _SHOWN_CHARACTERS)}",
        "styles": shortened(", ".join(words.styles), _SHOWN_CHARACTERS) or "none",
        **({"suggested styles": ", ".join(card.suggested_styles)} if card.suggested_styles else {}),
        "titles": "yes" if card.title_line else "no",
        "suggested temperature": f"{card.suggested_temperature:g}",
        "language": card.language,
        "suggested form": card.suggested_form,
        **({"known lines": f"{_known_lines(card):,} that it read"} if card.known_lines else {}),
        **_shapes(card),
        "session": origin.session,
        "corpus": origin.corpus,
        "corpus licence": origin.corpus_licence or "not stated",
        "corpus sha256": f"{origin.corpus_sha256[:_SHOWN_HASH]}…",
        "training characters": f"{origin.training_characters:,}",
        **({"fine-tuned from": origin.base_model} if origin.base_model else {}),
        **_held_out(card),
        **_parity(card.parity),
        **_report(card.report),
        "golden song": f"seed {song.seed}, {song.characters:,} characters",
        "  sha256": f"{song.sha256[:_SHOWN_HASH]}…",
        "exported by": f"lyricgen {origin.creating_version}",
    }


def _shapes(card: ModelCard) -> dict[str, str]:
    """Return a row for each of the three commonest shapes of all songs, whatever their style."""
    shapes = sorted((shape for shape in card.shapes if not shape.style), key=lambda shape: -shape.share)
    labels = ("corpus's forms", "  then", "  and")
    return {
        label: shortened(f"{shape.share:.1%} {shape.form}", _SHOWN_FORM)
        for label, shape in zip(labels, shapes, strict=False)
    }


def megabytes(size_bytes: int) -> str:
    """Return a file's size for a reader."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.1f} kB"


def _held_out(card: ModelCard) -> dict[str, str]:
    held_out = card.held_out
    if held_out is None:
        return {"bits per character": "not measured"}
    facts = {
        "bits per character": f"{held_out.bits_per_character:.4f} "
        f"(PyTorch {held_out.pytorch_bits_per_character:.4f}, {FP32} {held_out.fp32_bits_per_character:.4f}, "
        f"{INT8} {held_out.int8_bits_per_character:.4f})",
        "  measured on": f"{held_out.symbols:,} symbols of {held_out.songs}",
    }
    if held_out.coverage < 1:
        facts["  left out"] = f"{1 - held_out.coverage:.2%} of their characters, unknown to the model"
    return facts


def _report(report: Report | None) -> dict[str, str]:
    if report is None:
        return {}
    return {
        "its songs": f"{report.songs:,} measured, {report.ended:.1%} end by themselves",
        "  length": f"{report.median_characters:,.0f} characters, the median",
        "  words": f"{report.known_words:.1%} are known ones",
        "  rhyme": f"{report.rhymes:.1%} of lines; by chance {report.rhymes_by_chance:.1%}",
        "  copied": f"{report.copied_lines:.2%} of lines; {report.longest_copied_span} characters at most",
    }


def _parity(parity: Parity) -> dict[str, str]:
    if not parity.steps:
        return {"parity with PyTorch": "not measured"}
    agreement = f"the same likeliest character in {parity.argmax_agreement:.2%} of {parity.steps:,} steps"
    return {
        "parity with PyTorch": agreement,
        "  KL divergence": f"{parity.kl_divergence:.1e} bits per step",
        "  relative difference": f"at most {parity.max_logit_difference:.1e} in logits, "
        f"{parity.max_state_difference:.1e} in the final state",
    }
