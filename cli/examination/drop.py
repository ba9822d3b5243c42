"""The drop folder: what is put there must be taken, and be put away."""

from __future__ import annotations

import os
from pathlib import Path

from cli.application import Application
from cli.examination.finding import Finding, bad, good
from schemas.identifiers import is_slug


def look_at_drop(app: Application) -> list[Finding]:
    """Each restaurant's folder must be readable and writable by the services."""
    root = app.settings.drop
    if root is None:
        return []
    if not root.is_dir():
        return [bad("drop folder", f"{root} is not there", f"mkdir {root}")]
    closed = [path for path in _folders(root) if not os.access(path, os.R_OK | os.W_OK | os.X_OK)]
    if closed:
        says = f"{len(closed)} of its folders cannot be written: {closed[0]}"
        return [bad("drop folder", says, f"chmod u+rwx {closed[0]}")]
    return [good("drop folder", f"files are taken from {root}")]


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in sorted(root.iterdir()) if is_slug(path.name) and path.is_dir()]
    except PermissionError:
        return [root]
