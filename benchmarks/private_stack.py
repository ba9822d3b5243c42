"""Run one `heard` command on a private broker and database, and remove both after.

    python -m benchmarks.private_stack mosquitto postgresql -- bench orders --json
    python -m benchmarks.private_stack embedded sqlite -- bench orders --sustain 300 --json

It starts a Mosquitto (as `heard broker render mosquitto` sets it up) and a PostgreSQL on
free ports of this machine, and takes a home folder of its own. Needs what `make test`
brings. ``{home}`` in the command stands for that folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.brokers import PrivateMosquitto
from tests.postgres import PostgresCluster


def main() -> int:
    """Read the arguments, build the stack, run the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("broker", choices=["mosquitto", "embedded"])
    parser.add_argument("database", choices=["postgresql", "sqlite"])
    parser.add_argument("command", nargs=argparse.REMAINDER, help="-- and the heard command")
    arguments = parser.parse_args()
    command = [each for each in arguments.command if each != "--"] or ["doctor"]
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heard-stack-")))
        environment = {**os.environ, "HEARD_HOME": str(home), "HEARD_BROKER": arguments.broker}
        environment.setdefault("HEARD_LOG_LEVEL", "warning")
        if arguments.database == "postgresql":
            cluster = stack.enter_context(PostgresCluster.running())
            environment["HEARD_DATABASE"] = cluster.url()
        if arguments.broker == "mosquitto":
            broker = PrivateMosquitto(home / "mosquitto")
            stack.callback(broker.stop)
            environment["HEARD_BROKER_PORT"] = str(broker.port)
            environment["HEARD_SERVICES_SECRET"] = broker.services.secret
            environment["HEARD_ADMIN_SECRET"] = broker.admin.secret
        heard = [sys.executable, "-c", "from cli.main import main; main()"]
        subprocess.run([*heard, "db", "upgrade"], env=environment, check=True, stdout=sys.stderr)
        command = [each.replace("{home}", str(home)) for each in command]
        return subprocess.run([*heard, *command], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
