from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.grammar import LazyCommands
from cli.main import cli, run
from services.migrations.upgrade import newest
from services.migrations.version import NEWEST
from tests.cli.conftest import ROOT, Heard

LAZY = cli.commands
assert isinstance(LAZY, LazyCommands)


@pytest.mark.parametrize("name", sorted(LAZY))
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    command = LAZY[name]
    assert isinstance(LAZY, LazyCommands)
    assert LAZY.short(name) == (command.help or "").split("\n")[0]


def test_help_loads_no_command_and_no_library_of_theirs() -> None:
    code = (
        "import sys; from cli.main import run; assert run(['--help']) == 0; "
        "heavy = {'sqlalchemy', 'aiomqtt', 'paho', 'amqtt', 'structlog', 'rich'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["tenant", "nonsense"],
        ["order", "place", "--tenant", "demo"],
        ["order", "place", "--tenant", "demo", "burger=0"],
        ["order", "place", "--tenant", "demo", "burger=many"],
        ["order", "place", "--tenant", "Demo!", "burger"],
        ["order", "list"],
        ["up", "--for", "soon"],
        ["up", "--broker", "rabbit"],
        ["device", "add", "x", "--tenant", "demo", "--role", "service"],
        ["replay", "orders", "missing.csv"],
        ["quarantine", "clear"],
        ["tenant", "add", "roma", "--currency", "euro"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(arguments)
    out, err = capsys.readouterr()
    assert code == 2, err
    assert err.startswith("heard: ")
    assert "--help" in err
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["order", "list", "--tenant", "demo"], "heard db upgrade"),
        (["tenant", "list", "--database", "mysql://x/y"], "sqlite or postgresql"),
        (["tenant", "list", "--database", "nonsense"], "sqlite:///FILE"),
        (["tenant", "list", "--database", "postgresql://127.0.0.1:1/x"], "database"),
        (["order", "place", "--tenant", "demo", "burger"], "heard up"),
        (["up", "--broker-host", "192.0.2.1"], "loopback"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_failure_is_one_line_that_says_what_to_do(
    heard: Heard, arguments: list[str], says: str
) -> None:
    ended = heard(*arguments)
    assert ended.code == 1
    assert says in ended.complaint
    assert "Traceback" not in ended.err


def test_settings_come_from_flags_then_variables_then_the_file(heard: Heard) -> None:
    heard.home.mkdir()
    (heard.home / "heard.toml").write_text('database = "sqlite:///from-file.db"\n')
    assert heard.done("db", "upgrade", "--json").json["database"].endswith("from-file.db")
    heard.env["HEARD_DATABASE"] = "sqlite:///from-variable.db"
    assert heard.done("db", "upgrade", "--json").json["database"].endswith("from-variable.db")
    for line in (
        ["--database", "sqlite:///from-flag.db", "db", "upgrade", "--json"],
        ["db", "upgrade", "--json", "--database", "sqlite:///from-flag.db"],
    ):
        assert heard.done(*line).json["database"].endswith("from-flag.db")


def test_a_wrong_setting_is_named(heard: Heard) -> None:
    heard.env["HEARD_BROKER_PORT"] = "many"
    ended = heard("tenant", "list")
    assert ended.code == 1
    assert "broker_port" in ended.complaint


def test_a_broken_file_of_settings_is_named(heard: Heard) -> None:
    heard.home.mkdir()
    (heard.home / "heard.toml").write_text("database = \n")
    ended = heard("tenant", "list")
    assert ended.code == 1
    assert "heard.toml" in ended.complaint


def test_db_version_tells_by_its_exit_code(heard: Heard) -> None:
    assert heard("db", "version").code == 1
    heard.done("db", "upgrade")
    told = heard.done("db", "version", "--json").json
    assert told["version"] == told["newest"]


def test_the_version_that_commands_ask_for_is_the_newest_migration() -> None:
    assert newest() == NEWEST


def test_the_contract_is_printed_in_three_forms(heard: Heard) -> None:
    assert heard.done("contract").json["asyncapi"].startswith("3.")
    assert heard.done("contract", "--jsonschema").json
    assert "export" in heard.done("contract", "--typescript").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_for_the_shell(heard: Heard, shell: str) -> None:
    assert "_HEARD_COMPLETE" in heard.done("completion", shell).out


def test_who_asks_for_completions_gets_commands(heard: Heard) -> None:
    heard.env |= {"_HEARD_COMPLETE": "bash_complete", "COMP_WORDS": "heard ten", "COMP_CWORD": "1"}
    assert heard().out.split() == ["plain,tenant"]


def test_logs_are_json_where_machines_read_them(heard: Heard) -> None:
    ended = heard.done("up", "--for", "1s", "--broker-port", "0", "--log-format", "json")
    told = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert any(each["event"] == "serving" and each["level"] == "info" for each in told)


def test_every_group_without_a_command_shows_its_help() -> None:
    groups = [name for name in LAZY if isinstance(LAZY[name], click.Group)]
    assert {"tenant", "device", "order", "db"} <= set(groups)


def test_mosquitto_files_are_rendered_for_their_owner_alone(heard: Heard, tmp_path: Path) -> None:
    heard.done("db", "upgrade")
    directory = tmp_path / "mosquitto"
    arguments = ["broker", "render", "mosquitto", "--directory", str(directory)]
    heard.done(*arguments)
    for name in ("mosquitto.conf", "dynamic-security.json"):
        assert (directory / name).stat().st_mode & 0o077 == 0
    assert "left alone" in heard.done(*arguments).err
    secret = (heard.home / "services.secret").read_text().strip()
    assert secret not in (directory / "dynamic-security.json").read_text()
