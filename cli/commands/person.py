"""`heard person`: who may log in."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import click
import segno

from cli.admission import actor, admission
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import seal_key
from cli.gateway_client import gateway_client
from cli.grammar import Group, json_option
from cli.known_houses import must_be_there
from cli.names import NAME
from cli.printing import note, say, show_json, show_table, when
from schemas.gateway import Problem, ProblemCode, Session
from schemas.people import PersonRole
from services.people import persons
from services.people.keys import SigningKey, SigningKeys
from services.people.passwords import Passwords
from services.people.persons import Person
from services.people.seal import Seal
from services.people.staffing import Staffing
from services.people.totp import provisioning_uri
from services.runtime.database import Database
from services.runtime.tables import NO_TENANT

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

STAFF: Final = [role.value for role in PersonRole if role is not PersonRole.OPERATOR]

_stdin: Final[Callable[[F], F]] = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, one line."
)


def _whose(function: F) -> F:
    """Add ``--tenant`` and ``--operator``, of which one must be given."""
    tenant = click.option("--tenant", type=NAME, metavar="NAME", help="The person's restaurant.")
    operator = click.option("--operator", is_flag=True, help="An operator, who belongs to none.")
    return tenant(operator(function))


def _home(tenant: str | None, *, operator: bool) -> str:
    if (tenant is None) == (not operator):
        raise click.UsageError("say whose: --tenant NAME, or --operator")
    return NO_TENANT if tenant is None else tenant


def _password(*, from_stdin: bool, twice: bool) -> str:
    """Ask for a password where nobody sees it: neither on the screen nor in a process list."""
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
        if not text:
            raise Failure("no password came on standard input")
        return text
    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask on: give the password with --password-stdin")
    text = click.prompt("Password", hide_input=True, confirmation_prompt=twice, err=True)
    return str(text)


def _staff(app: Application, do: Callable[[Staffing], Awaitable[T]]) -> T:
    async def inside(database: Database) -> T:
        passwords = Passwords()
        try:
            return await do(
                Staffing(admission(app, database), passwords, Seal(seal_key(app.settings)))
            )
        finally:
            passwords.close()

    return app.run(inside)


@click.group(cls=Group)
def person() -> None:
    """Look after people: staff who log in at screens, and operators."""


@person.command()
@click.argument("name", type=NAME)
@_whose
@click.option("--role", type=click.Choice(STAFF), help="Their rights follow from it.")
@click.option("--name", "shown", metavar="TEXT", default="", help="The name that others see.")
@_stdin
@pass_application
def add(
    app: Application,
    *,
    name: str,
    tenant: str | None,
    operator: bool,
    role: str | None,
    shown: str,
    password_stdin: bool,
) -> None:
    """Let a person log in. The password is asked for, twice, and shown nowhere.

    Examples:
      heard person add ada --tenant roma --role manager --name "Ada Lovelace"
      heard person add olga --operator
      pass roma/bob | heard person add bob --tenant roma --role cook --password-stdin
    """
    home = _home(tenant, operator=operator)
    if operator == (role is not None):
        raise click.UsageError("--role is for staff, and an operator has none: give one of both")
    password = _password(from_stdin=password_stdin, twice=True)
    wanted = PersonRole.OPERATOR if role is None else PersonRole(role)
    _staff(app, lambda staff: staff.add(home, name, shown or name, wanted, password))
    say(f"{persons.subject_of(home, name)} may log in as {wanted}")


@person.command("list")
@click.option("--tenant", type=NAME, metavar="NAME", help="Only this restaurant's.")
@click.option("--operator", is_flag=True, help="Only operators.")
@json_option
@pass_application
def list_(app: Application, *, tenant: str | None, operator: bool, as_json: bool) -> None:
    """List people.

    Examples:
      heard person list --tenant roma
      heard person list --operator --json
    """
    whose = NO_TENANT if operator else tenant

    async def read(database: Database) -> Sequence[Person]:
        async with database.read() as connection:
            if tenant is not None:
                await must_be_there(connection, tenant)
            return await persons.people(connection, whose)

    found = app.run(read)
    if as_json:
        show_json([_as_json(each) for each in found])
        return
    show_table(
        ("tenant", "person", "name", "role", "code", "since", "disabled"),
        (
            (
                each.tenant,
                each.person,
                each.name,
                each.role.value,
                "yes" if each.totp else "no",
                when(each.created_at),
                when(each.disabled_at),
            )
            for each in found
        ),
        empty="nobody yet: heard person add NAME --tenant NAME --role ROLE",
    )


def _as_json(each: Person) -> dict[str, object]:
    return {
        "tenant": each.tenant,
        "person": each.person,
        "name": each.name,
        "role": each.role.value,
        "code": each.totp is not None,
        "created_at": each.created_at,
        "disabled_at": each.disabled_at,
    }


@person.command()
@click.argument("name", type=NAME)
@_whose
@_stdin
@pass_application
def password(
    app: Application, *, name: str, tenant: str | None, operator: bool, password_stdin: bool
) -> None:
    """Give a person another password; their screens close at once.

    Examples:
      heard person password ada --tenant roma
    """
    home = _home(tenant, operator=operator)
    text = _password(from_stdin=password_stdin, twice=True)
    _staff(app, lambda staff: staff.set_password(home, name, text))
    say(f"{persons.subject_of(home, name)} has another password")


@person.command()
@click.argument("name", type=NAME)
@click.option("--tenant", required=True, type=NAME, metavar="NAME", help="The restaurant.")
@click.option("--role", type=click.Choice(STAFF), required=True, help="The new role.")
@pass_application
def role(app: Application, *, name: str, tenant: str, role: str) -> None:
    """Give a person another role; their screens close at once, and open with other rights.

    Examples:
      heard person role bob --tenant roma --role manager
    """
    _staff(app, lambda staff: staff.change_role(tenant, name, PersonRole(role)))
    say(f"{persons.subject_of(tenant, name)} is {role} now")


@person.command()
@click.argument("name", type=NAME)
@_whose
@click.option("--off", is_flag=True, help="Ask for no codes any more, as when the app is lost.")
@json_option
@pass_application
def totp(
    app: Application, *, name: str, tenant: str | None, operator: bool, off: bool, as_json: bool
) -> None:
    """Ask a person for codes of an authenticator app. The secret is shown this once.

    Examples:
      heard person totp ada --tenant roma
      heard person totp ada --tenant roma --off
    """
    home = _home(tenant, operator=operator)
    if off:
        _staff(app, lambda staff: staff.ask_for_no_code(home, name))
        say(f"{persons.subject_of(home, name)} needs no code any more")
        return
    secret = _staff(app, lambda staff: staff.ask_for_code(home, name))
    address = provisioning_uri(secret, "operator" if home == NO_TENANT else home, name)
    if as_json:
        show_json({"secret": secret, "uri": address})
        return
    if sys.stdout.isatty():
        segno.make(address, error="m").terminal(compact=True)
    say(secret)
    note("to be read by the app, or typed into it; it is shown this once")


@person.command()
@click.argument("name", type=NAME)
@_whose
@pass_application
def disable(app: Application, *, name: str, tenant: str | None, operator: bool) -> None:
    """Let a person log in no more, for now; their screens close at once.

    Examples:
      heard person disable bob --tenant roma
    """
    home = _home(tenant, operator=operator)
    _staff(app, lambda staff: staff.disable(home, name))
    say(f"{persons.subject_of(home, name)} is out")


@person.command()
@click.argument("name", type=NAME)
@_whose
@pass_application
def enable(app: Application, *, name: str, tenant: str | None, operator: bool) -> None:
    """Let a person log in again.

    Examples:
      heard person enable bob --tenant roma
    """
    home = _home(tenant, operator=operator)
    _staff(app, lambda staff: staff.enable(home, name))
    say(f"{persons.subject_of(home, name)} may log in")


@person.command()
@click.argument("name", type=NAME)
@_whose
@pass_application
def remove(app: Application, *, name: str, tenant: str | None, operator: bool) -> None:
    """Forget a person; their screens close at once. What they did stays in the audit.

    Examples:
      heard person remove bob --tenant roma
    """
    home = _home(tenant, operator=operator)
    _staff(app, lambda staff: staff.remove(home, name))
    say(f"{persons.subject_of(home, name)} is gone")


@person.command()
@click.argument("name", type=NAME)
@click.option("--tenant", required=True, type=NAME, metavar="NAME", help="The restaurant.")
@click.option("--operator", is_flag=True, help="An operator, who works in this restaurant.")
@click.option("--url", metavar="URL", help="The gateway; without it, the one that runs here.")
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password from standard input, one line; a second line is the code.",
)
@json_option
@pass_application
def login(
    app: Application,
    *,
    name: str,
    tenant: str,
    operator: bool,
    url: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Log in at the gateway, to try it: prints the token, which is a secret while it counts.

    Examples:
      heard person login ada --tenant roma
      heard person login olga --operator --tenant roma --json
    """
    asked: dict[str, object] = {"tenant": tenant, "person": name, "operator": operator}
    asked["password"] = _password(from_stdin=password_stdin, twice=False)
    if password_stdin and (code := sys.stdin.readline().strip()):
        asked["code"] = code
    with gateway_client(app, url) as client:
        answer = client.post("/v1/login", json=asked)
        if _problem(answer.status_code, answer.content, ProblemCode.CODE_NEEDED):
            if password_stdin or not sys.stdin.isatty():
                raise Failure("a code of the authenticator app is needed, as a second line")
            asked["code"] = click.prompt("Code", err=True)
            answer = client.post("/v1/login", json=asked)
    if answer.status_code != 200:
        problem = Problem.model_validate_json(answer.content)
        wait = problem.retry_after_s
        raise Failure(problem.message + ("" if wait is None else f" for {wait:.0f} s"))
    session = Session.model_validate_json(answer.content)
    if as_json:
        show_json(session.model_dump(mode="json"))
        return
    say(session.token)
    note(f"{session.username} until {when(session.expires_at)}, renewed at most until "
         f"{when(session.ends_at)}")  # fmt: skip


def _problem(status: int, content: bytes, code: ProblemCode) -> bool:
    return status == 401 and Problem.model_validate_json(content).code is code


@person.group(cls=Group)
def keys() -> None:
    """Look after the keys that sign tokens."""


@keys.command("list")
@json_option
@pass_application
def list_keys(app: Application, *, as_json: bool) -> None:
    """List the keys that count; the newest signs.

    Examples:
      heard person keys list
    """

    async def read(database: Database) -> list[SigningKey]:
        return await SigningKeys(database, Seal(seal_key(app.settings))).listed()

    found = app.run(read)
    if as_json:
        show_json(
            [
                {"kid": each.kid, "created_at": each.created_at, "retires_at": each.retires_at}
                for each in found
            ]
        )
        return
    show_table(
        ("key", "since", "until"),
        ((each.kid, when(each.created_at), when(each.retires_at)) for each in found),
        empty="none yet: the first login makes one",
    )


@keys.command()
@pass_application
def rotate(app: Application) -> None:
    """Let a new key sign tokens; the old one counts until its last token has ended.

    Examples:
      heard person keys rotate
    """

    async def change(database: Database) -> str:
        return await SigningKeys(database, Seal(seal_key(app.settings))).rotate(actor())

    say(f"{app.run(change)} signs from now on")
