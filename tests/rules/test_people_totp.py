from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from services.people.totp import STEP_S, matching_step, new_totp_secret, provisioning_uri

NOW = datetime(2026, 3, 14, 12, 0, 10, tzinfo=UTC)
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""That of RFC 6238, appendix B."""


def code_at(moment: datetime) -> str:
    return pyotp.TOTP(SECRET).at(moment)


def test_the_codes_are_those_of_the_rfc() -> None:
    at = datetime.fromtimestamp(1_111_111_109, UTC)
    assert matching_step(SECRET, "081804", at, None) == 1_111_111_109 // STEP_S


@pytest.mark.parametrize(("seconds", "fits"), [(-60, False), (-30, True), (30, True), (60, False)])
def test_a_code_is_taken_one_step_early_or_late(seconds: int, fits: bool) -> None:
    code = code_at(NOW + timedelta(seconds=seconds))
    assert (matching_step(SECRET, code, NOW, None) is not None) == fits


def test_a_code_counts_once() -> None:
    code = code_at(NOW)
    step = matching_step(SECRET, code, NOW, None)
    assert step is not None
    assert matching_step(SECRET, code, NOW, step) is None
    assert matching_step(SECRET, code, NOW, step - 1) == step
    later = NOW + timedelta(seconds=STEP_S)
    assert matching_step(SECRET, code_at(later), NOW, step) == step + 1


def test_a_code_before_the_last_one_counts_no_more() -> None:
    step = matching_step(SECRET, code_at(NOW), NOW, None)
    before = code_at(NOW - timedelta(seconds=STEP_S))
    assert matching_step(SECRET, before, NOW, None) is not None
    assert matching_step(SECRET, before, NOW, step) is None


def test_spaces_do_not_count() -> None:
    code = code_at(NOW)
    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", NOW, None) is not None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11" * 6, "12345\n"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert matching_step(SECRET, code, NOW, None) is None


def test_a_new_secret_has_160_bits_and_the_app_reads_it_from_the_address() -> None:
    secret = new_totp_secret()
    assert len(pyotp.TOTP(secret).byte_secret()) == 20
    assert secret != new_totp_secret()
    address = urlsplit(provisioning_uri(secret, "roma", "ada"))
    assert (address.scheme, address.netloc) == ("otpauth", "totp")
    assert parse_qs(address.query)["secret"] == [secret]
    assert "ada" in address.path
