"""Play a file's months on both databases at once, and print what came of each as JSON.

    python -m benchmarks.stock_half_year LINES MENU RECIPES [--weeks N]

Needs what `make test` brings; the databases are made for it and removed after.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.postgres import PostgresCluster

HEARD = [sys.executable, "-c", "from cli.main import main; main()"]


def begin(files: list[str], *more: str) -> subprocess.Popen[str]:
    """Begin to play it."""
    lines, menu, recipes, *options = files
    told = ["--menu", menu, "--recipes", recipes, "--json", *options, *more]
    return subprocess.Popen(
        [*HEARD, "simulate", "stock", lines, *told], stdout=subprocess.PIPE, text=True
    )


def main() -> int:
    """Play it on SQLite and on PostgreSQL."""
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    began = time.monotonic()
    found: dict[str, Any] = {}
    with PostgresCluster.running() as cluster:
        playing = {
            "sqlite": begin(sys.argv[1:]),
            "postgresql": begin(sys.argv[1:], "--database", cluster.url()),
        }
        for name, each in playing.items():
            told, _ = each.communicate()
            took = round(time.monotonic() - began, 1)
            figures = json.loads(told) if told else {}
            found[name] = figures | {"exit_code": each.returncode, "took_s": took}
    print(json.dumps(found, indent=2))
    return max(int(each["exit_code"]) for each in found.values())


if __name__ == "__main__":
    sys.exit(main())
