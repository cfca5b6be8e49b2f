"""Colors of plots and page by role, on light and on dark paper.

Text and marks keep the contrast that WCAG 2.2 asks for: 4.5 for text, 3 for marks.
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "decoder_role", "variables"]

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b2430",
    "soft": "#566272",
    "rule": "#dde3ea",
    "fcn32s": "#b3590a",
    "fcn16s": "#0b7a75",
    "fcn8s": "#3a50c4",
    "other": "#6a5d7b",
    "preprocess": "#9a7b10",
    "infer": "#5c7391",
    "decode": "#a34677",
}
DARK = {
    "paper": "#14181e",
    "ink": "#e7ebf0",
    "soft": "#a0abb9",
    "rule": "#313a46",
    "fcn32s": "#f0a050",
    "fcn16s": "#45c2b8",
    "fcn8s": "#94a6ff",
    "other": "#b9a8d0",
    "preprocess": "#d6b440",
    "infer": "#8ba3c4",
    "decode": "#e086b4",
}
"""The same roles as ``LIGHT``. No two roles of one of them have the same color."""


def decoder_role(decoder: str) -> str:
    """The role whose color a decoder has."""
    return decoder if decoder in ("fcn32s", "fcn16s", "fcn8s") else "other"


def variables(colors: dict[str, str]) -> str:
    """The colors as declarations of CSS variables, such as ``--ink: #1b2430;``."""
    return " ".join(f"--{role}: {color};" for role, color in colors.items())
