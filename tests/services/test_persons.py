"""How people come in, what ends their screens, and that nobody guesses or locks them out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pyotp
import pytest
from argon2 import PasswordHasher
from structlog.testing import capture_logs

from schemas.devices import Role
from schemas.gateway import ProblemCode
from schemas.people import Permission, PersonRole
from services.people import persons, store
from services.people.admission import Admission
from services.people.login import MOST_SCREENS, Opened
from services.people.password_rules import WeakPassword
from services.people.permissions import STANDINGS, may
from services.people.staffing import Staffing
from services.people.store import Taken, Unknown
from services.people.tables import PEOPLE
from services.runtime import audit
from services.runtime.bus import ConnectionLost
from services.runtime.database import Database
from services.runtime.gateway import Denied
from services.runtime.tables import CREDENTIALS, DEVICES, NO_TENANT
from tests.services.people_world import PASSWORD, World
from tests.services.rows import all_rows

OTHER = "another fine sentence"


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    made = await World(database).peopled()
    yield made
    made.screens.close()


async def denied(doing: Awaitable[object]) -> ProblemCode:
    with pytest.raises(Denied) as refused:
        await doing
    return refused.value.problem.code


async def is_open(world: World, opened: Opened) -> bool:
    try:
        await world.screens.authenticate(opened.token, "192.0.2.1")
    except Denied:
        return False
    return True


# -- logging in ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "operator", "role"),
    [("ada", False, Role.MANAGER), ("bob", False, Role.KITCHEN_DISPLAY),
     ("olga", True, Role.MANAGER)],
)  # fmt: skip
async def test_who_logs_in_has_a_screen_with_the_rights_of_the_role(
    world: World, person: str, operator: bool, role: Role
) -> None:
    opened = await world.log_in(person, operator=operator)
    assert opened.device.role is role
    assert opened.account.identity.tenant == "roma"
    assert opened.device.device.startswith("screen-")
    (device,) = await all_rows(world.database, DEVICES)
    assert device["tenant"] == "roma"
    assert device["role"] == role.value
    assert device["expires_at"] == opened.ends_at
    assert world.accounts.standing == {opened.account.username: opened.token}
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    assert standing.may(Permission.AUDIT_READ) == (person != "bob")


@pytest.mark.parametrize(
    ("tenant", "person", "operator", "password"),
    [
        ("roma", "ada", False, "not the password"),
        ("roma", "nobody", False, PASSWORD),
        ("milano", "ada", False, PASSWORD),
        ("roma", "olga", False, PASSWORD),
        ("-", "olga", False, PASSWORD),
        ("-", "olga", True, PASSWORD),
        ("milano", "olga", True, PASSWORD),
        ("roma", "ada", True, PASSWORD),
        ("napoli", "bob", False, PASSWORD),
    ],
)
async def test_everybody_else_is_refused_in_the_same_words_after_the_same_work(
    world: World, tenant: str, person: str, operator: bool, password: str
) -> None:
    before = world.hasher.verified
    with pytest.raises(Denied) as refused:
        await world.log_in(person, tenant, operator=operator, password=password)
    assert refused.value.problem.code is ProblemCode.LOGIN_REFUSED
    assert str(refused.value) == "name, password or code is wrong"
    assert world.hasher.verified == before + 1
    assert world.accounts.standing == {}
    assert await all_rows(world.database, DEVICES) == []


async def test_a_hash_of_smaller_parameters_is_made_anew_at_the_next_login(world: World) -> None:
    small = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1, hash_len=16).hash(PASSWORD)
    async with world.database.write() as connection:
        ada = await persons.find(connection, "roma", "ada")
        await persons.change(connection, ada, password=small)
    await world.log_in()
    async with world.database.read() as connection:
        stored = (await persons.find(connection, "roma", "ada")).password
    assert stored != small
    assert not world.passwords.outgrown(stored)
    assert await world.passwords.verify(stored, PASSWORD)


async def test_a_person_has_so_many_screens_and_the_oldest_ends_for_one_more(
    world: World,
) -> None:
    opened = []
    for _ in range(MOST_SCREENS + 2):
        world.later(seconds=5)
        opened.append(await world.log_in())
    assert [await is_open(world, each) for each in opened] == [False] * 2 + [True] * MOST_SCREENS
    assert len(world.accounts.standing) == MOST_SCREENS


async def test_nothing_is_kept_of_a_login_that_the_broker_did_not_hear_of(world: World) -> None:
    world.accounts.away = ConnectionLost("gone")
    with pytest.raises(ConnectionLost):
        await world.log_in()
    assert await all_rows(world.database, DEVICES) == []
    assert await all_rows(world.database, CREDENTIALS) == []
    assert "login.succeeded" not in await world.told()
    world.accounts.away = None
    assert await is_open(world, await world.log_in())


async def test_a_screen_that_nobody_uses_ends_by_itself(world: World) -> None:
    opened = await world.log_in()
    admission = Admission(world.database, world.accounts, "heard", lambda: world.now)
    world.now = opened.expires_at
    assert await admission.end_expired() == []
    assert world.accounts.standing == {}
    assert await all_rows(world.database, CREDENTIALS) == []
    world.now = opened.ends_at
    assert [each.device for each in await admission.end_expired()] == [opened.device.device]
    assert await all_rows(world.database, DEVICES) == []


# -- codes --------------------------------------------------------------------------------


async def test_who_has_an_app_needs_a_code_of_it_and_each_counts_once(world: World) -> None:
    secret = await world.staffing.ask_for_code("roma", "ada")
    code = pyotp.TOTP(secret).at(world.now)
    assert await denied(world.log_in()) is ProblemCode.CODE_NEEDED
    assert await denied(world.log_in(password="not this one")) is ProblemCode.LOGIN_REFUSED
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert await denied(world.log_in(code=wrong)) is ProblemCode.LOGIN_REFUSED
    assert await is_open(world, await world.log_in(code=code))
    assert await denied(world.log_in(code=code)) is ProblemCode.LOGIN_REFUSED
    world.later(seconds=30)
    code = pyotp.TOTP(secret).at(world.now)
    assert await is_open(world, await world.log_in(code=code))


async def test_of_two_who_show_one_code_at_once_one_comes_in(world: World) -> None:
    secret = await world.staffing.ask_for_code("roma", "ada")
    code = pyotp.TOTP(secret).at(world.now)
    async with world.database.read() as connection:
        ada = await persons.find(connection, "roma", "ada")
    step = int(world.now.timestamp()) // 30
    counted = []
    for _ in range(2):  # both have seen the row as it was before either counted
        async with world.database.write() as connection:
            counted.append(await persons.use_code(connection, ada, step))
    assert counted == [True, False]
    assert await denied(world.log_in(code=code)) is ProblemCode.LOGIN_REFUSED


async def test_the_secret_of_an_app_is_kept_sealed_and_a_lost_app_is_reset(world: World) -> None:
    secret = await world.staffing.ask_for_code("roma", "ada")
    rows = {row["person"]: row for row in await all_rows(world.database, PEOPLE)
            if row["tenant"] == "roma"}  # fmt: skip
    assert secret not in str(rows)
    assert world.seal.open(rows["ada"]["totp"]) == secret.encode()
    assert rows["bob"]["totp"] is None
    await world.staffing.ask_for_no_code("roma", "ada")
    assert await is_open(world, await world.log_in())


async def test_codes_cannot_be_tried_without_end_from_ever_new_addresses(world: World) -> None:
    await world.staffing.ask_for_code("roma", "ada")
    codes: list[ProblemCode] = []
    for number in range(30):
        world.later(seconds=1)
        login = world.log_in(code=f"{number:06}", source=f"192.0.2.{number}")
        codes.append(await denied(login))
    assert codes.count(ProblemCode.LOGIN_REFUSED) <= 11
    assert codes[-1] is ProblemCode.RATE_LIMITED


# -- guessing -----------------------------------------------------------------------------


async def test_guessing_is_stopped_and_the_right_password_opens_from_another_address(
    world: World,
) -> None:
    codes = [
        await denied(world.log_in(password=f"guess number {n}", source="203.0.113.9"))
        for n in range(10)
    ]
    assert codes == [ProblemCode.LOGIN_REFUSED] * 5 + [ProblemCode.RATE_LIMITED] * 5
    assert world.hasher.verified == 5, "what is refused by count costs no work"
    assert await denied(world.log_in(source="203.0.113.9")) is ProblemCode.RATE_LIMITED
    assert await is_open(world, await world.log_in(source="192.0.2.1"))


async def test_failures_are_told_to_the_audit_but_a_flood_of_them_does_not_fill_it(
    world: World,
) -> None:
    await denied(world.log_in(password="not the password"))
    assert (await world.told())[-1] == "login.refused"
    for number in range(300):
        with pytest.raises(Denied):
            await world.log_in("bob", password="wrong wrong", source=f"198.51.100.{number}")
        world.seconds += 0.1
    assert (await world.told()).count("login.refused") < 30


async def test_made_up_names_write_into_no_tenants_audit(world: World) -> None:
    await denied(world.log_in("nobody"))
    await denied(world.log_in("ada", "made-up"))
    assert "login.refused" not in await world.told()
    assert (await world.told(NO_TENANT))[-2:] == ["login.refused", "login.refused"]
    async with world.database.read() as connection:
        assert await audit.chains(connection) == [NO_TENANT, "napoli", "roma"]


async def test_no_password_token_or_code_is_in_the_log_or_the_audit(world: World) -> None:
    with capture_logs() as told:
        secret = await world.staffing.ask_for_code("roma", "ada")
        code = pyotp.TOTP(secret).at(world.now)
        await denied(world.log_in(password="typed by mistake"))
        opened = await world.log_in(code=code)
        await denied(world.screens.authenticate(opened.token[:-3], "192.0.2.1"))
        await world.staffing.set_password("roma", "ada", OTHER)
    async with world.database.read() as connection:
        written = [await audit.entries(connection, each) for each in ("roma", NO_TENANT)]
    everything = f"{told} {written} {opened!r} {world.screens!r}"
    for each in (PASSWORD, OTHER, "typed by mistake", secret, code, opened.token):
        assert each not in everything
    assert [each["event"] for each in told if each["log_level"] == "warning"] == [
        "login refused", "token refused",
    ]  # fmt: skip


# -- what ends a screen ---------------------------------------------------------------------


async def _logout(world: World, opened: Opened) -> None:
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    await world.screens.log_out(standing)
    await world.screens.log_out(standing)  # twice does no harm


ENDINGS: dict[str, Callable[[World, Opened], Awaitable[object]]] = {
    "logout": _logout,
    "person.role-changed": lambda w, _: w.staffing.change_role("roma", "ada", PersonRole.WAITER),
    "person.password-changed": lambda w, _: w.staffing.set_password("roma", "ada", OTHER),
    "person.disabled": lambda w, _: w.staffing.disable("roma", "ada"),
    "person.removed": lambda w, _: w.staffing.remove("roma", "ada"),
    "person.code-set": lambda w, _: w.staffing.ask_for_code("roma", "ada"),
}


@pytest.mark.parametrize("action", ENDINGS)
async def test_a_screen_ends_at_once_with_whatever_it_rested_on(world: World, action: str) -> None:
    opened = await world.log_in()
    renewed = await world.screens.renew(await world.screens.authenticate(opened.token, "192.0.2.1"))
    others = [await world.log_in("bob"), await world.log_in("ada", "napoli")]
    assert len(world.accounts.standing) == 4
    await ENDINGS[action](world, opened)
    assert not await is_open(world, opened)
    assert not await is_open(world, renewed)
    assert set(world.accounts.standing) == {each.account.username for each in others}
    assert all([await is_open(world, each) for each in others])
    assert action in await world.told()


async def test_nothing_changes_when_the_broker_cannot_put_the_screens_out(world: World) -> None:
    opened = await world.log_in()
    world.accounts.away = ConnectionLost("gone")
    with pytest.raises(ConnectionLost):
        await world.staffing.disable("roma", "ada")
    assert await is_open(world, opened)
    assert "person.disabled" not in await world.told()


async def test_an_operators_screens_end_in_every_restaurant(world: World) -> None:
    opened = [await world.log_in("olga", each, operator=True) for each in ("roma", "napoli")]
    assert {each.device.tenant for each in opened} == {"roma", "napoli"}
    for each in opened:
        standing = await world.screens.authenticate(each.token, "192.0.2.1")
        assert standing.person.subject == "-/olga"
        assert standing.device.tenant == each.device.tenant
    await world.staffing.disable(NO_TENANT, "olga")
    assert not any([await is_open(world, each) for each in opened])


async def test_a_staff_member_of_an_operators_name_is_somebody_else(world: World) -> None:
    await world.staffing.add("roma", "olga", "Another Olga", PersonRole.WAITER, PASSWORD)
    operators = await world.log_in("olga", operator=True)
    waiters = await world.log_in("olga")
    await world.staffing.disable("roma", "olga")
    assert await is_open(world, operators)
    assert not await is_open(world, waiters)


async def test_a_disabled_person_is_let_in_again_when_enabled(world: World) -> None:
    await world.staffing.disable("roma", "ada")
    before = world.hasher.verified
    assert await denied(world.log_in()) is ProblemCode.LOGIN_REFUSED
    assert world.hasher.verified == before + 1
    await world.staffing.enable("roma", "ada")
    assert await is_open(world, await world.log_in())


async def test_a_changed_password_is_the_only_one_that_opens(world: World) -> None:
    await world.staffing.set_password("roma", "ada", OTHER)
    assert await denied(world.log_in()) is ProblemCode.LOGIN_REFUSED
    assert await is_open(world, await world.log_in(password=OTHER))


async def test_a_login_that_was_under_way_when_the_password_changed_opens_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    signing = world.screens.keys.signing

    async def meanwhile() -> object:
        await world.staffing.set_password("roma", "ada", OTHER)
        return await signing()

    monkeypatch.setattr(world.screens.keys, "signing", meanwhile)
    assert await denied(world.log_in()) is ProblemCode.LOGIN_REFUSED
    assert world.accounts.standing == {}


async def test_a_tenant_that_leaves_takes_its_people_and_their_screens(world: World) -> None:
    opened, other = await world.log_in(), await world.log_in("ada", "napoli")
    async with world.database.write() as connection:
        await store.remove_tenant(connection, "roma")
    assert not await is_open(world, opened)
    assert await is_open(world, other)
    assert {row["tenant"] for row in await all_rows(world.database, PEOPLE)} == {"napoli", "-"}
    assert await denied(world.log_in()) is ProblemCode.LOGIN_REFUSED


# -- people -------------------------------------------------------------------------------


async def test_people_are_of_one_restaurant_and_operators_of_none(world: World) -> None:
    add = world.staffing.add
    with pytest.raises(Taken, match="roma/ada already"):
        await add("roma", "ada", "Ada", PersonRole.COOK, PASSWORD)
    with pytest.raises(Taken, match="operators belong to no restaurant"):
        await add("roma", "eve", "Eve", PersonRole.OPERATOR, PASSWORD)
    with pytest.raises(Taken, match="operators belong to no restaurant"):
        await add(NO_TENANT, "eve", "Eve", PersonRole.MANAGER, PASSWORD)
    with pytest.raises(Taken, match="operators belong to no restaurant"):
        await world.staffing.change_role("roma", "ada", PersonRole.OPERATOR)
    with pytest.raises(Unknown, match="no tenant milano: heard tenant list"):
        await add("milano", "eve", "Eve", PersonRole.COOK, PASSWORD)
    with pytest.raises(Unknown, match="no person roma/eve"):
        await world.staffing.disable("roma", "eve")
    with pytest.raises(Taken, match="at most 60"):
        await add("roma", "e" * 61, "Eve", PersonRole.COOK, PASSWORD)


async def test_a_weak_password_is_refused_before_anything_is_written(world: World) -> None:
    for password in ("short", "password123", "roma-trattoria"):
        with pytest.raises(WeakPassword):
            await world.staffing.add("roma", "eve", "Roma Trattoria", PersonRole.COOK, password)
    with pytest.raises(WeakPassword):
        await world.staffing.set_password("roma", "bob", "BobBobBob")
    with pytest.raises(WeakPassword):
        await world.staffing.set_password("roma", "ada", "AdaAdaAdaAdaAdaAda")
    async with world.database.read() as connection:
        assert await persons.seek(connection, "roma", "eve") is None
    assert await is_open(world, await world.log_in())


async def test_who_did_what_to_whom_is_written_down(world: World) -> None:
    cli = Admission(world.database, world.accounts, "cli:root@till", lambda: world.now)
    staffing = Staffing(cli, world.passwords, world.seal)
    opened = await world.log_in()
    await staffing.change_role("roma", "ada", PersonRole.WAITER)
    async with world.database.read() as connection:
        entries = await audit.entries(connection, "roma", newest=3)
        await audit.verify(connection, "roma")
    assert [(each.actor, each.action, each.subject) for each in entries] == [
        ("person:roma/ada", "login.succeeded", "roma/ada"),
        ("cli:root@till", "person.role-changed", "roma/ada"),
        ("cli:root@till", "screen.ended", opened.device.shown),
    ]
    assert entries[0].details["address"] == "192.0.2.1"
    assert entries[1].details == {"role": "waiter", "screens": 1}


def test_every_role_stands_in_the_table_and_only_those_who_lead_may_ask_the_gateway() -> None:
    assert set(STANDINGS) == set(PersonRole)
    for role in PersonRole:
        leads = role in {PersonRole.OPERATOR, PersonRole.MANAGER}
        assert {may(role, each) for each in Permission} == {leads}
        assert STANDINGS[role].screen is not Role.SERVICE
