"""Keys and tokens against the database: what was signed, and whether it still stands."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from structlog.testing import capture_logs

from schemas.gateway import ProblemCode
from services.people import tokens
from services.people.keys import AGE, KEPT, OVERLAP, SigningKeys
from services.people.login import SESSION, Lifetimes, Opened
from services.people.seal import Seal, SealBroken
from services.people.tables import SIGNING_KEYS
from services.runtime import audit
from services.runtime.database import Database
from services.runtime.gateway import Denied
from services.runtime.tables import CREDENTIALS, NO_TENANT
from tests.services.people_world import World
from tests.services.rows import all_rows


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    made = await World(database).peopled()
    yield made
    made.screens.close()


async def believed(world: World, opened: Opened) -> bool:
    """Whether a token makes one whose screen it is."""
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    return standing.person.subject == opened.person.subject


async def refused(world: World, token: str | None) -> ProblemCode:
    with pytest.raises(Denied) as denied:
        await world.screens.authenticate(token, "192.0.2.1")
    assert denied.value.status == 401
    return denied.value.problem.code


# -- keys ---------------------------------------------------------------------------------


async def test_the_first_token_makes_the_first_key_and_it_stays(world: World) -> None:
    keys = world.screens.keys
    kid, private = await keys.signing()
    again, _ = await keys.signing()
    assert again == kid
    (row,) = await all_rows(world.database, SIGNING_KEYS)
    assert row["kid"] == kid
    raw = private.private_bytes_raw()
    assert base64.urlsafe_b64encode(raw).decode().rstrip("=") not in str(row)
    assert world.seal.open(row["private"]) == raw


async def test_another_process_signs_with_the_same_key(world: World) -> None:
    kid, _ = await world.screens.keys.signing()
    assert (await world.another().keys.signing())[0] == kid


async def test_a_new_key_signs_and_the_old_one_is_believed_until_its_last_token_ended(
    world: World,
) -> None:
    keys = world.screens.keys
    first, _ = await keys.signing()
    old = await world.log_in()
    world.later(seconds=1)
    second = await keys.rotate("cli:test")
    assert second != first
    assert (await keys.signing())[0] == second
    new = await world.log_in()
    assert jwt.get_unverified_header(new.token)["kid"] == second
    for opened in (old, new):
        assert await believed(world, opened)
    assert [each.kid for each in await keys.listed()] == [second, first]
    world.now += OVERLAP
    assert [each.kid for each in await keys.listed()] == [second]
    assert list(await keys.checking(first)) == [second]


async def test_a_key_that_signs_no_more_has_no_private_half_and_goes_when_it_is_not_needed(
    world: World,
) -> None:
    keys = world.screens.keys
    first = await keys.rotate("cli:test")
    await keys.rotate("cli:test")
    rows = {row["kid"]: row for row in await all_rows(world.database, SIGNING_KEYS)}
    assert rows[first]["private"] == ""
    assert rows[first]["retires_at"] == world.now + OVERLAP
    world.now += OVERLAP
    await keys.rotate("cli:test")
    assert first not in {row["kid"] for row in await all_rows(world.database, SIGNING_KEYS)}


async def test_a_key_is_replaced_by_itself_when_it_is_old(world: World) -> None:
    keys = world.screens.keys
    first, _ = await keys.signing()
    world.later(days=29)
    assert (await keys.signing())[0] == first
    world.now += AGE - timedelta(days=29)
    second, _ = await keys.signing()
    assert second != first
    assert (await world.another().keys.signing())[0] == second
    async with world.database.read() as connection:
        said = await audit.entries(connection, NO_TENANT, about=second)
    assert [(each.action, each.actor) for each in said] == [("keys.rotated", "heard")]


async def test_a_process_that_has_not_heard_of_a_new_key_looks_when_it_sees_one(
    world: World,
) -> None:
    elsewhere = world.another()
    old = await world.log_in()
    await elsewhere.authenticate(old.token, "192.0.2.1")
    await world.screens.keys.rotate("cli:test")
    new = await world.log_in()
    await elsewhere.authenticate(new.token, "192.0.2.1")
    world.later(seconds=KEPT.total_seconds())
    assert (await elsewhere.keys.signing())[0] == (await world.screens.keys.signing())[0]


async def test_made_up_key_names_do_not_ask_the_database_without_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = world.screens.keys
    await keys.signing()
    reads = 0
    read = keys._read

    async def counting() -> None:
        nonlocal reads
        reads += 1
        await read()

    monkeypatch.setattr(keys, "_read", counting)
    for number in range(1_000):
        await keys.checking(f"made up {number}")
    assert reads <= 5


async def test_keys_that_were_sealed_under_another_seal_say_what_to_do(world: World) -> None:
    await world.screens.keys.signing()
    other = SigningKeys(world.database, Seal("another"), lambda: world.now)
    with pytest.raises(SealBroken, match=r"seal\.key"):
        await other.signing()


async def test_what_is_published_checks_what_was_signed_and_is_no_private_half(
    world: World,
) -> None:
    opened = await world.log_in()
    (key,) = [each.as_jwk for each in await world.screens.keys.listed()]
    assert key.kid == jwt.get_unverified_header(opened.token)["kid"]
    public = jwt.PyJWK(key.model_dump()).key
    assert isinstance(public, Ed25519PublicKey)
    told = jwt.decode(
        opened.token, public, ["EdDSA"], audience="heard", options={"verify_exp": False,
        "verify_nbf": False, "verify_iat": False},
    )  # fmt: skip
    assert told["sub"] == "roma/ada"
    assert set(key.model_dump()) == {"kid", "x", "kty", "crv", "alg", "use"}


# -- tokens -------------------------------------------------------------------------------


async def test_a_token_is_believed_for_fifteen_minutes_and_not_a_moment_longer(
    world: World,
) -> None:
    opened = await world.log_in()
    assert opened.expires_at == world.now.replace(microsecond=0) + timedelta(minutes=15)
    world.now = opened.expires_at - timedelta(microseconds=1)
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    assert standing.person.subject == "roma/ada"
    world.now = opened.expires_at
    assert await refused(world, opened.token) is ProblemCode.TOKEN_EXPIRED


async def test_the_credential_ends_with_the_token_and_the_screen_with_the_session(
    world: World,
) -> None:
    opened = await world.log_in()
    (row,) = await all_rows(world.database, CREDENTIALS)
    assert row["expires_at"] == opened.expires_at
    assert opened.ends_at == world.now + SESSION
    assert opened.token not in str(row)
    assert world.accounts.standing == {opened.account.username: opened.token}


async def test_a_good_signature_is_not_enough_where_the_credential_does_not_stand(
    world: World,
) -> None:
    opened = await world.log_in()
    kid, key = await world.screens.keys.signing()
    grant = tokens.verify(opened.token, {kid: key.public_key()}, world.now)
    twin = tokens.sign(replace(grant, token_id="another"), kid, key)
    assert tokens.verify(twin, {kid: key.public_key()}, world.now).subject == grant.subject
    assert await refused(world, twin) is ProblemCode.UNAUTHENTICATED
    for changed in (
        replace(grant, serial=2),
        replace(grant, device="pos-1"),
        replace(grant, tenant="napoli"),
        replace(grant, subject="roma/bob"),
    ):
        assert await refused(world, tokens.sign(changed, kid, key)) is ProblemCode.UNAUTHENTICATED


async def test_a_token_under_a_key_that_is_not_ours_is_refused_with_a_line_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    opened = await world.log_in()
    kid, key = await world.screens.keys.signing()
    grant = tokens.verify(opened.token, {kid: key.public_key()}, world.now)
    strange = Ed25519PrivateKey.generate()
    with capture_logs() as told:
        assert await refused(world, tokens.sign(grant, kid, strange))
        assert await refused(world, tokens.sign(grant, "another-kid", strange))
        assert await refused(world, opened.token[:-6])
        assert await refused(world, None)
    # Other tests' systems may run in this process, and speak too.
    refusals = [each for each in told if each["event"] == "token refused"]
    assert [(each["event"], each["why"]) for each in refusals] == [
        ("token refused", "its signature is wrong"),
        ("token refused", "its key is not one of ours"),
        ("token refused", "its signature is wrong"),
    ]
    assert opened.token[:40] not in str(told) + caplog.text


async def test_a_flood_of_bad_tokens_does_not_bury_the_log(world: World) -> None:
    with capture_logs() as told:
        for _ in range(500):
            await refused(world, "no token")
    assert len([each for each in told if each["event"] == "token refused"]) == 20


# -- renewal ------------------------------------------------------------------------------


async def test_a_renewal_adds_a_credential_and_the_old_one_counts_to_its_own_end(
    world: World,
) -> None:
    first = await world.log_in()
    world.later(minutes=10)
    standing = await world.screens.authenticate(first.token, "192.0.2.1")
    second = await world.screens.renew(standing)
    assert second.account.username == f"{first.account.username}:2"
    assert second.account.identity == first.account.identity
    assert second.ends_at == first.ends_at
    for opened in (first, second):
        assert await believed(world, opened)
    world.now = first.expires_at
    assert await refused(world, first.token) is ProblemCode.TOKEN_EXPIRED
    assert await believed(world, second)


async def test_no_renewal_goes_beyond_the_session(world: World) -> None:
    opened = await world.log_in()
    ends_at, renewals = opened.ends_at.replace(microsecond=0), 0
    while opened.expires_at < ends_at:
        world.later(minutes=14)
        standing = await world.screens.authenticate(opened.token, "192.0.2.1")
        opened = await world.screens.renew(standing)
        assert opened.expires_at <= ends_at
        renewals += 1
    assert renewals > 45
    world.later(minutes=1)
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    with pytest.raises(Denied, match="time is up"):
        await world.screens.renew(standing)
    world.now = ends_at
    assert await refused(world, opened.token) is ProblemCode.TOKEN_EXPIRED


async def test_renewals_are_no_way_to_fill_the_database(world: World) -> None:
    opened = await world.log_in()
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    done = 0
    for _ in range(100):
        world.later(seconds=1)
        with suppress(Denied):
            await world.screens.renew(standing)
            done += 1
    with pytest.raises(Denied, match="too many"):
        await world.screens.renew(standing)
    assert 5 <= done <= 10
    assert len(await all_rows(world.database, CREDENTIALS)) == done + 1


async def test_a_token_that_was_put_out_cannot_be_renewed(world: World) -> None:
    opened = await world.log_in()
    standing = await world.screens.authenticate(opened.token, "192.0.2.1")
    await world.screens.log_out(standing)
    with pytest.raises(Denied, match="will not do"):
        await world.screens.renew(standing)


@pytest.mark.parametrize(
    ("token_s", "session_s"), [(0.5, 60), (3_601, 7_200), (60, 30), (60, 90_000)]
)
def test_lifetimes_that_make_no_sense_are_refused(token_s: float, session_s: float) -> None:
    with pytest.raises(ValueError, match="lives"):
        Lifetimes(timedelta(seconds=token_s), timedelta(seconds=session_s))
