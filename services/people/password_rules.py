"""Which passwords will do: long ones that are not the first that anybody would guess.

No rules of composition and no expiry (NIST SP 800-63B-4, 3.1.1.2): they make people
choose worse ones.
"""

from __future__ import annotations

import unicodedata
from typing import Final

SHORTEST: Final = 10
LONGEST: Final = 256

_GUESSED_FIRST: Final = """
    0123456789 01234567890 0987654321 1111111111 1122334455 1234512345 12345678900 1234567890
    12345678910 123456789a 123456789q 1234567891 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 2222222222
    5555555555 9876543210 987654321a a123456789 abcd123456 abcdefghij administrator adminadmin
    asdfasdfasdf asdfghjkl1 asdfghjkl; assassin123 basketball bismillah1 changeme123 chocolate1
    christopher cinderella computer123 contrasena correcthorse dragon1234 elizabeth1 everything
    football123 fuckyou123 georgetown goodmorning heardheard iloveyou123 iloveyou12 iloveyouso
    internet123 kitchen123 letmein123 letmeinnow liverpool1 manchester mypassword myspace123
    password00 password01 password1! password10 password11 password12 password123 password1234
    password12345 passwordpassword passw0rd12 passw0rd123 p@ssw0rd123 passwort123 pokemon123
    princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedc1 qazwsxedcrfv qweasdzxc1 qwe123qwe123 qwerty1234
    qwerty12345 qwerty123456 qwertyqwerty qwertyuiop qwertyuiop1 qwertyuiop123 restaurant
    restaurant1 restaurant123 sunshine123 sunshine12 superman123 thisisapassword trustno1trustno1
    unbelievable universal1 volleyball welcome123 welcome1234 welcome2024 welcome2025 welcome2026
    whatever123 woaini1314 yankees123 zaq12wsxcde zxcvbnm123 zxcvbnmasd zxcvbnm,./
    """
_COMMON: Final = frozenset(_GUESSED_FIRST.split())


class WeakPassword(ValueError):
    """A password will not do; the message says why, without it."""


def normalized(password: str) -> str:
    """The form in which passwords are compared: one word typed on two keyboards is one."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, *names: str) -> None:
    """Refuse what anybody would guess.

    Args:
        password: as typed.
        names: whatever it must not be: the person's, the restaurant's.

    Raises:
        WeakPassword: it is too short, too long, or would be guessed.
    """
    if len(password) > LONGEST:  # before anything costs time by its length
        raise WeakPassword(f"a password has at most {LONGEST} characters")
    text = normalized(password)
    if len(text) < SHORTEST:
        raise WeakPassword(f"a password has at least {SHORTEST} characters")
    plain = text.casefold()
    if plain in _COMMON or len(set(plain)) < 3:
        raise WeakPassword("that password is among the first that anybody would guess")
    if {plain, _joined(plain)} & _made_of(names):
        raise WeakPassword("a password must not be the name")


def _made_of(names: tuple[str, ...]) -> set[str]:
    found = set()
    for name in names:
        folded = normalized(name).casefold()
        found |= {
            form for text in (folded, _joined(folded)) for form in (text, text[::-1], text * 2)
        }
    return found - {""}


def _joined(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())
