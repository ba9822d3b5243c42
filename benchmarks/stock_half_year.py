"""Play a file's months on both databases, and print what came of each as JSON.

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


def play(files: list[str], *more: str) -> dict[str, Any]:
    """Play it once; the figures, and how many seconds it took."""
    lines, menu, recipes, *options = files
    told = ["--menu", menu, "--recipes", recipes, "--json", *options, *more]
    began = time.monotonic()
    ended = subprocess.run(
        [*HEARD, "simulate", "stock", lines, *told], stdout=subprocess.PIPE, check=False
    )
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures | {
        "exit_code": ended.returncode,
        "took_s": round(time.monotonic() - began, 1),
    }


def main() -> int:
    """Play it on SQLite, then on PostgreSQL."""
    if len(sys.argv) < 4:
        print(__doc__, file=sys.stderr)
        return 2
    found = {"sqlite": play(sys.argv[1:])}
    with PostgresCluster.running() as cluster:
        found["postgresql"] = play(sys.argv[1:], "--database", cluster.url())
    print(json.dumps(found, indent=2))
    return max(int(each["exit_code"]) for each in found.values())


if __name__ == "__main__":
    sys.exit(main())
