"""Where do the files lie that belong to the program but are not code?

In a checkout beside the packages, in an installed wheel inside `newsletter/bundled`.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_BUNDLED = _HERE / "bundled"
_ROOT = _BUNDLED if _BUNDLED.is_dir() else _HERE.parent

TEMPLATES = _ROOT / "templates"
"""`letters/` (MJML), `pages/` and `previews/` (HTML), and `themes/` (colours)."""

MIGRATIONS = _ROOT / "migrations"
"""Alembic's folder."""

LOCALES = _ROOT / "locales"
"""A folder for each language but English, with its catalogs (gettext)."""
