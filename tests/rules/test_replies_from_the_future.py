from __future__ import annotations

from schemas.refusals import RefusalCode
from schemas.replies import Reply


def test_a_refusal_newer_than_the_device_can_be_read() -> None:
    text = '{"request":null,"outcome":"rejected","code":"oven-on-strike","message":"wait"}'
    assert Reply.model_validate_json(text).code == "oven-on-strike"


def test_a_known_refusal_is_still_a_member_of_the_contract() -> None:
    text = '{"request":null,"outcome":"rejected","code":"not-found","message":"gone"}'
    assert Reply.model_validate_json(text).code is RefusalCode.NOT_FOUND
