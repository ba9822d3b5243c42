"""How long tests wait: one number for all of them."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 60.0
"""How long a test waits for what must come; generous, for a busy machine says nothing about
the code. It costs nothing where the thing comes."""
