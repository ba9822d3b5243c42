"""Mail of notices, on a real mail server that takes, delays, refuses, or is not there."""

from __future__ import annotations

import pytest

from schemas.notices import ChannelKind, NoticeStatus
from schemas.orders import Guest, OrderChange
from services.notices.mail import MailServer, UnusableMailServer, checked_address
from services.runtime.database import Database
from tests.mail_sink import TAKEN, mail_sink
from tests.ports import quiet_port
from tests.services.notice_world import HASTY, NoticeWorld, mail_at, quick

ADA = "ada@example.com"


@pytest.fixture
async def world(database: Database) -> NoticeWorld:
    made = await NoticeWorld.make(database)
    await made.channel("mail", ChannelKind.EMAIL)
    return made


async def test_a_guest_gets_a_letter_in_their_language(world: NoticeWorld) -> None:
    with mail_sink() as sink:
        made = await world.notice("mail", to=ADA, language="de-AT", change=OrderChange.PAID)
        async with world.sending(quick(mail_server=mail_at(sink.port))):
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.SENT
    assert (row["to"], row["snapshot"]) == (None, None)
    (letter,) = sink.letters
    assert letter["message-id"] == f"<{made}@roma.example>"
    assert letter["to"] == ADA
    assert letter["from"] == "Trattoria Roma <orders@roma.example>"
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["subject"] == "Trattoria Roma: Zahlung für Bestellung SAMPLE-1 erhalten"
    assert "Trinkgeld: € 2,00" in letter.get_content().replace("\xa0", " ")
    assert sink.recipients == [[ADA]]


async def test_a_refusal_for_now_is_tried_again_and_one_letter_arrives(world: NoticeWorld) -> None:
    with mail_sink(lambda number: "451 later, please" if number < 3 else TAKEN) as sink:
        made = await world.notice("mail", to=ADA)
        async with world.sending(quick(mail_server=mail_at(sink.port))):
            (row,) = await world.until_ended(made)
    assert (row["status"], row["attempts"]) == (NoticeStatus.SENT, 3)
    assert sink.tries == 3
    assert len(sink.letters) == 1


async def test_a_refusal_for_good_is_a_dead_letter_at_once(world: NoticeWorld) -> None:
    with mail_sink(lambda _: "550 nobody of that name") as sink:
        made = await world.notice("mail", to=ADA)
        async with world.sending(quick(mail_server=mail_at(sink.port))):
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DEAD
    assert row["error"] == "SMTP 550: nobody of that name"
    assert sink.tries == 1
    assert row["to"] == ADA, "a person may replay it"


async def test_a_server_that_is_down_is_tried_until_the_notice_is_dead(world: NoticeWorld) -> None:
    made = await world.notice("mail", to=ADA)
    async with world.sending(quick(mail_server=mail_at(quiet_port()))):
        (row,) = await world.until_ended(made)
    assert (row["status"], row["attempts"]) == (NoticeStatus.DEAD, HASTY.attempts)
    assert row["error"].startswith("the mail server cannot be used")


async def test_without_a_mail_server_the_notice_says_what_is_missing(world: NoticeWorld) -> None:
    made = await world.notice("mail", to=ADA)
    async with world.sending():
        row = await world.until(made, lambda row: row["attempts"] == 1)
    assert "HEARD_SMTP_URL" in row["error"]


async def test_a_server_without_tls_gets_no_letter_where_tls_is_asked_for(
    world: NoticeWorld,
) -> None:
    with mail_sink() as sink:
        server = MailServer("127.0.0.1", sink.port, "orders@roma.example", start_tls=True)
        made = await world.notice("mail", to=ADA)
        async with world.sending(quick(mail_server=server)):
            (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DEAD
    assert sink.tries == 0


async def test_an_order_without_an_address_is_nobody_to_tell(world: NoticeWorld) -> None:
    made = await world.notice("mail", to=None)
    async with world.sending():
        (row,) = await world.until_ended(made)
    assert row["status"] == NoticeStatus.DROPPED
    assert row["error"].startswith("nobody to tell")


async def test_a_guest_adds_no_header_and_no_recipient(world: NoticeWorld) -> None:
    await world.template("ready", "en", "Hi {{ guest.name }}\nBcc: eve@example.com", "Hello")
    guest = Guest(name="Ada", email=ADA)
    with mail_sink() as sink:
        made = await world.notice("mail", to=ADA, guest=guest)
        odd = await world.notice("mail", to="ada@example.com,eve@example.com")
        async with world.sending(quick(mail_server=mail_at(sink.port))):
            row, dead = await world.until_ended(made, odd)
    assert row["status"] == NoticeStatus.SENT
    (letter,) = sink.letters
    assert letter["bcc"] is None
    assert letter["subject"] == "Hi Ada Bcc: eve@example.com"
    assert sink.recipients == [[ADA]]
    assert dead["status"] == NoticeStatus.DEAD
    assert "no address" in dead["error"]


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@example.com", "ada@", "a@b, c@d", "<a@b>", "Ada <a@b>", "a@b\r\nBcc: c@d",
     "a b@c", "a@b c", "a@b>", '"a"b@c', "a@b@c", "a@b (c)"],
)  # fmt: skip
def test_what_is_not_one_address_gets_no_mail(text: str) -> None:
    with pytest.raises(UnusableMailServer):
        checked_address(text)


def test_the_settings_of_a_mail_server_are_read() -> None:
    url = "smtp://ada%40roma:p%3Ass@mail.example"
    read = MailServer.of(url, "Roma <orders@roma.example>", plain=False)
    assert read == MailServer(
        "mail.example", 587, "orders@roma.example", "Roma", "ada@roma", "p:ss", start_tls=True
    )
    assert "p:ss" not in repr(read)
    tls = MailServer.of("smtps://mail.example", "orders@roma.example", plain=False)
    assert (tls.port, tls.tls, tls.start_tls) == (465, True, False)


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://mail.example", "a@b"),
        ("smtp://", "a@b"),
        ("smtp://mail.example:99999", "a@b"),
        ("smtp://mail.example/path", "a@b"),
        ("smtp://mail.example", "nobody"),
        ("smtp://mail.example", "Roma <orders>"),
    ],
)
def test_settings_that_cannot_be_read_are_refused_without_showing_them(
    url: str, sender: str
) -> None:
    with pytest.raises(UnusableMailServer) as refused:
        MailServer.of(url.replace("//", "//ada:hidden@"), sender, plain=False)
    assert "hidden" not in str(refused.value)
