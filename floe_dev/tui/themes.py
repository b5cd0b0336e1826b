"""The dashboard's four looks: dark, light, high contrast, and one without any colour."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

#: Name on the command line and in the settings -> Textual's name.
THEMES = {"dark": "floe-dark", "light": "floe-light", "contrast": "floe-contrast", "mono": "floe-mono"}
# Textual's own have one orange for what goes on and for what is to be looked at, and in the light one the keys are
# written in it, which nobody can read.
DARK = replace(
    BUILTIN_THEMES["textual-dark"],
    name="floe-dark",
    variables={**BUILTIN_THEMES["textual-dark"].variables, "text-accent": "#57a5e2"},
)
# Its tones are as pale as those on black, and its cursor so dark that a green state under it is not to be read.
LIGHT = replace(
    BUILTIN_THEMES["textual-light"],
    name="floe-light",
    accent="#0060b0",
    variables={
        **BUILTIN_THEMES["textual-light"].variables,
        "primary-muted": "#b4cbe0",
        "text-success": "#0b5a2b",
        "text-warning": "#6f4400",
        "text-error": "#8f1730",
        "text-accent": "#004a99",
        "text-primary": "#004a99",
    },
)
CONTRAST = Theme(
    name="floe-contrast",
    primary="#ffff00",
    secondary="#00ffff",
    accent="#00ffff",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    success="#00ff00",
    warning="#ffff00",
    error="#ff6060",
    dark=True,
    variables={
        # Blue is also there among 16 colours; dark yellow is black or bright there, and white on it is not to be read.
        "primary-muted": "#000080",
        "text-muted": "#ffffff",
        "text-success": "#00ff00",
        "text-warning": "#ffff00",
        "text-error": "#ff6060",
    },
)
MONO = Theme(
    name="floe-mono",
    primary="#c0c0c0",
    secondary="#c0c0c0",
    accent="#c0c0c0",
    foreground="#e0e0e0",
    background="#000000",
    surface="#000000",
    panel="#202020",
    success="#e0e0e0",
    warning="#e0e0e0",
    error="#ffffff",
    dark=True,
    variables={
        "text-muted": "#a0a0a0",
        "text-success": "#e0e0e0",
        "text-warning": "#e0e0e0",
        "text-error": "#ffffff",
        "text-accent": "#e0e0e0",
        "text-primary": "#ffffff",
    },
)
OWN = (DARK, LIGHT, CONTRAST, MONO)
