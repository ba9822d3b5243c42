"""How notices go out, from the settings: mail server, and what opens the webhooks' secrets."""

from __future__ import annotations

from broker_config.settings import is_loopback
from cli.files import seal_key
from cli.settings import Settings
from services.notices.letter import Unopened, Unseal
from services.notices.mail import MailServer, UnusableMailServer
from services.notices.sender import SenderSettings
from services.people.seal import Seal, SealBroken


def sender_settings(settings: Settings) -> SenderSettings:
    """What the sender of a serving process needs.

    Raises:
        UnusableMailServer: the mail server's settings cannot be read.
    """
    return SenderSettings(
        unseal=unsealing(settings),
        mail_server=mail_server(settings),
        plaintext=settings.plaintext,
    )


def unsealing(settings: Settings) -> Unseal:
    """What opens the secrets of channels, with the key that this database's are sealed with."""
    seal = Seal(seal_key(settings))

    def unseal(sealed: str) -> bytes:
        try:
            return seal.open(sealed)
        except SealBroken as error:
            raise Unopened(str(error)) from error

    return unseal


def mail_server(settings: Settings) -> MailServer | None:
    """The mail server, where one is set.

    Raises:
        UnusableMailServer: its settings cannot be read, or one is missing.
    """
    if settings.smtp_url is None:
        return None
    if settings.smtp_from is None:
        raise UnusableMailServer("whose mail is it? set HEARD_SMTP_FROM, as orders@roma.example")
    url = settings.smtp_url.get_secret_value()
    server = MailServer.of(url, settings.smtp_from, plain=settings.plaintext)
    if is_loopback(server.host):
        # Nobody is on the way, and its certificate is in no name that could be checked.
        return MailServer.of(url, settings.smtp_from, plain=True)
    return server
