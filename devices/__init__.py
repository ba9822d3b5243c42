"""What connects: the till, the kitchen display and the tracker, over MQTT 3.1.1.

A till in ten lines, which may lose its network or its power at any moment:

>>> from pathlib import Path
>>> from devices.pos import PointOfSale
>>> from schemas.orders import LineRequest
>>> def order_a_burger() -> None:
...     with PointOfSale(
...         "broker.local", 1883, tenant="demo", device="pos-1", secret="…",
...         outbox=Path("pos-1.outbox"), on_problem=print,
...     ) as pos:
...         receipt = pos.place_order([LineRequest(item="burger", quantity=2)]).result(30)
...         print(receipt.number, receipt.total_minor)
"""
