"""Staff at tills and screens, on a real broker: every device of the house will do."""

from __future__ import annotations

import pytest

from devices.pending import Rejected
from schemas.kitchen_rules import CheckKind, CheckRules, KitchenRules
from schemas.orders import LineRequest
from schemas.refusals import RefusalCode
from services.runtime import house_rules
from tests.patience import PATIENCE_S
from tests.system import RunningTenant, until

CORE = CheckRules(kind=CheckKind.TEMPERATURE, items=("burger",), least=75, blocks=True)
FRIDGE = CheckRules(kind=CheckKind.TEMPERATURE, stations=("grill",), every_s=3600, most=5)


def test_a_shift_at_a_till_and_a_screen(tenant: RunningTenant) -> None:
    system = tenant.system
    book = KitchenRules(checks={"core": CORE, "fridge": FRIDGE})
    system.writing(lambda connection: house_rules.write(connection, tenant.name, kitchen=book))
    with tenant.till() as pos, tenant.display("grill") as grill:
        # The timer finds what was never checked, and the station's screen says so.
        until(lambda: [each.about for each in grill.alerts] == ["fridge"], "the overdue check")

        assert pos.start_duty("ada", "grill").result(PATIENCE_S).station == "grill"
        sent = grill.tell("no nuts", must_read=True).result(PATIENCE_S)
        assert sent.waits_for == ("ada",)
        page = pos.read_staff().result(PATIENCE_S)
        assert [each.text for each in page.tasks] == ["no nuts"]
        assert pos.acknowledge_task(sent.task_id, "ada").result(PATIENCE_S).waits_for == ()

        pos.place_order([LineRequest(item="burger", quantity=1)]).result(PATIENCE_S)
        until(lambda: [each.heard_at for each in grill.tickets] not in ([], [None]), "a hearing")
        (ticket,) = grill.tickets
        grill.assign("ada", ticket_id=ticket.ticket_id).result(PATIENCE_S)
        until(lambda: [each.given_to for each in grill.tickets] == [("ada",)], "the name on it")
        with pytest.raises(Rejected) as held:
            grill.bump(ticket.ticket_id).result(PATIENCE_S)
        assert held.value.code is RefusalCode.CHECK_MISSING
        with pytest.raises(Rejected) as no_right:
            grill.waive_check("core", ticket.ticket_id, "in a hurry").result(PATIENCE_S)
        assert no_right.value.code is RefusalCode.NOT_ALLOWED
        found = grill.record_check("core", ticket_id=ticket.ticket_id, celsius=80, person="ada")
        assert found.result(PATIENCE_S).passed
        grill.bump(ticket.ticket_id).result(PATIENCE_S)

        pos.record_check("fridge", celsius=3).result(PATIENCE_S)
        until(lambda: list(grill.alerts) == [], "the alert to go")
        pos.end_duty("ada", note="fryer is slow").result(PATIENCE_S)
        page = grill.read_staff().result(PATIENCE_S)
        assert (page.on_duty, [each.to for each in page.tasks]) == ((), ["grill"])
        with pytest.raises(ValueError, match="not for both"):
            pos.tell("x", person="ada", station="grill")
