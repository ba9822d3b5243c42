"""The TypeScript module holds the whole contract, and the real compiler takes it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from schemas.catalogue import MESSAGES
from schemas.json_schema import definitions
from schemas.kitchen import TICKET_STEPS
from schemas.message import Message
from schemas.orders import ORDER_STEPS
from schemas.refusals import RefusalCode
from schemas.topics import Plane
from schemas.typescript import types

LOCKED = Path(__file__).parent / "typescript"

every_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)

# What a screen would write; each @ts-expect-error fails to compile where it is no error.
USE = """
import { AnyMessage, Reply, ORDER_STEPS, TICKET_STEPS, filters, topics } from "./heard";

export function told(message: AnyMessage): string {
  switch (message.type) {
    case "heard.reply.v1": return answer(message.data);
    case "heard.ticket.v1": return message.data.ticket.order_number;
    default: return message.id;
  }
}
function answer(reply: Reply): string {
  if (reply.outcome === "rejected") return reply.code ?? "";
  // @ts-expect-error an accepted reply has no code
  void reply.code;
  const result = reply.result;
  if (result?.kind === "order") return `${result.number} ${result.total_minor}`;
  // @ts-expect-error a ticket's receipt has no total
  if (result?.kind === "ticket") return result.total_minor;
  return "";
}
// @ts-expect-error a topic needs its whole address
void (() => topics.placeOrder({ tenant: "demo" }));

function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected) throw new Error(`${what}: ${String(found)}`);
}
same("topic", topics.placeOrder({ tenant: "demo", device: "pos-1" }),
  "heard/v1/demo/request/pos-1/orders/place");
same("filter", filters.ticketState({ tenant: "demo", station: "grill" }),
  "heard/v1/demo/state/kitchen/grill/ticket/+");
same("order", ORDER_STEPS["accepted"]?.["start"], "preparing");
same("ticket", TICKET_STEPS["cancelled"], undefined);
for (const wide of ["+", "#", "a/b", "", "A", "a\\n"]) {
  let refused = false;
  try { topics.stationHead({ tenant: "demo", station: wide }); } catch { refused = true; }
  same(`refused ${JSON.stringify(wide)}`, refused, true);
}
"""


@every_message
def test_a_message_has_its_type_its_topic_and_its_delivery(message: type[Message]) -> None:
    written = types()
    name = message.__name__
    assert re.search(rf"^export (interface|type) {name}\b", written, re.MULTILINE)
    if message.bare:
        assert f'  "{message.type_name}": {name};' in written
    else:
        assert f'  "{message.type_name}": Envelope<"{message.type_name}", {name}>;' in written
    retain = json.dumps(message.retain)
    assert f'plane: "{message.plane}", qos: {message.qos}, retain: {retain} }}' in written
    assert f"\n  {name[0].lower()}{name[1:]}: (to: {{ tenant: string" in written


def test_every_type_that_is_used_is_exported_once() -> None:
    written = types()
    exported = re.findall(r"^export (?:interface|type|const) (\w+)", written, re.MULTILINE)
    assert len(exported) == len(set(exported))
    assert set(definitions()) <= set(exported)
    assert written.count("{") == written.count("}")


def test_enumerations_are_unions_of_their_values() -> None:
    codes = " | ".join(f'"{code}"' for code in RefusalCode)
    assert f"export type RefusalCode = {codes};" in types()
    planes = " | ".join(f'"{plane}"' for plane in Plane)
    assert f"export type Plane = {planes};" in types()


def test_the_state_machines_are_those_of_the_contract() -> None:
    written = types()
    for name, table in (("ORDER_STEPS", ORDER_STEPS), ("TICKET_STEPS", TICKET_STEPS)):
        body = written.split(f"export const {name}:", 1)[1].split("} = {\n", 1)[1]
        body = body.split("\n};", 1)[0]
        rows = dict(re.findall(r'^  "([\w-]+)": (\{.*\}),$', body, re.MULTILINE))
        found = {
            (before, step): after
            for before, steps in rows.items()
            for step, after in json.loads(steps).items()
        }
        assert found == {(str(b), str(s)): str(after) for (b, s), after in table.items()}


def _compiler() -> Path:
    """The pinned compiler, kept between runs; never asked of a machine without Node."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node and npm on this machine: the TypeScript compiler was not run")
    lock = (LOCKED / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "heard-tests" / hashlib.sha256(lock).hexdigest()[:16]
    compiler = home / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        shutil.copytree(LOCKED, home, dirs_exist_ok=True)
        installed = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode != 0:
            # In CI packages can be had, and a compiler that was not run proves nothing.
            say = pytest.fail if os.environ.get("CI") else pytest.skip
            say(f"npm could not install the compiler: {installed.stderr.strip()[-300:]}")
    return compiler


def test_the_real_compiler_takes_the_module_strictly_and_its_code_runs(tmp_path: Path) -> None:
    compiler = _compiler()
    (tmp_path / "heard.ts").write_text(types())
    (tmp_path / "use.ts").write_text(USE)
    done = subprocess.run(
        [compiler, "--strict", "--noUnusedLocals", "--noUncheckedIndexedAccess",
         "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "commonjs",
         "--outDir", "out", "use.ts"],
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    ran = subprocess.run(
        ["node", "out/use.js"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
