"""The catalogue: every message there is, and how to find one by its topic."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from schemas.alerts import AcknowledgeAlert, AlertState
from schemas.deliveries import CourierRun, CourierState, DeliveryChanged, DeliveryState
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    CompleteDelivery,
    DeclineDelivery,
    FailDelivery,
    PinDelivery,
    PlaceDelivery,
    PutCourier,
    QuoteDelivery,
    ReadCouriers,
    ReadDeliveries,
    RemoveCourier,
    ReturnDelivery,
    SequenceStops,
    SetDuty,
    ShareDelivery,
    StepDelivery,
    UnassignDelivery,
)
from schemas.devices import DevicePresence, DeviceState, Heartbeat
from schemas.dispatch import DispatchState, WaitingPlace
from schemas.etas import EtaState
from schemas.fences import FenceCrossed
from schemas.foreign_positions import (
    NmeaSentences,
    OwnTracksBeside,
    OwnTracksSaid,
    TraccarForwarded,
)
from schemas.guest_tracking import TrackingState
from schemas.inventory import StockMoved, StockState
from schemas.inventory_requests import (
    CountStock,
    LoseStock,
    ReadCountSheet,
    ReadStock,
    ReceiveStock,
    ReturnStock,
    TransferStock,
)
from schemas.kitchen import PrintTicket, StationHead, TicketEnded, TicketState
from schemas.kitchen_pace import ChannelState, PauseChannel, ResumeChannel, StationMetrics
from schemas.kitchen_requests import (
    AttendStation,
    BumpLines,
    BumpTicket,
    CloseStation,
    FireCourse,
    FireTicket,
    HearTickets,
    HoldTicket,
    LeaveStation,
    MoveTicket,
    OpenStation,
    PrioritiseOrder,
    ReadStation,
    RecallTicket,
    ReprintTicket,
    StartTicket,
)
from schemas.limits import ReadLimits
from schemas.menu import MenuItem, RestoreItem, SellOut
from schemas.message import Message
from schemas.notices import NoticeGiven
from schemas.order_changes import (
    AcceptOrder,
    ChangeLine,
    DeliverOrder,
    DispatchOrder,
    ReadOrder,
    RejectOrder,
    ReturnOrder,
    ServeOrder,
    VoidLines,
    VoidOrder,
)
from schemas.orders import (
    AddLines,
    CancelOrder,
    CloseOrder,
    OrderChanged,
    OrderPlaced,
    OrderState,
    PlaceOrder,
)
from schemas.parties import (
    ChooseLines,
    JoinParty,
    LeaveParty,
    OpenParty,
    PartyState,
    SendParty,
)
from schemas.payments import PayOrder, RefundOrder, SplitOrder
from schemas.positions import (
    Fix,
    Fixes,
    ReportingTaken,
    ReportingWish,
    TrackerAdvice,
    VehicleState,
)
from schemas.purchasing import (
    CancelPurchase,
    DraftPurchase,
    EditPurchase,
    PurchaseChanged,
    ReadPurchases,
    SendPurchase,
)
from schemas.quality import CheckRecorded, RecordCheck, WaiveCheck
from schemas.replies import Reply
from schemas.sensors import SensorState, TasmotaReading, TemperatureReading, ZigbeeReading
from schemas.staff import (
    AcknowledgeTask,
    AssignPerson,
    DutyState,
    EndDuty,
    ReadStaff,
    SendTask,
    StartDuty,
    TaskSent,
    TaskState,
)
from schemas.topics import TopicMismatch

MESSAGES: Final[tuple[type[Message], ...]] = (
    PlaceOrder,
    AddLines,
    CancelOrder,
    CloseOrder,
    ChangeLine,
    VoidLines,
    VoidOrder,
    AcceptOrder,
    RejectOrder,
    ServeOrder,
    DispatchOrder,
    DeliverOrder,
    ReturnOrder,
    ReadOrder,
    PayOrder,
    RefundOrder,
    SplitOrder,
    OrderPlaced,
    OrderChanged,
    OrderState,
    OpenParty,
    JoinParty,
    ChooseLines,
    LeaveParty,
    SendParty,
    PartyState,
    NoticeGiven,
    HearTickets,
    StartTicket,
    BumpTicket,
    BumpLines,
    RecallTicket,
    HoldTicket,
    FireTicket,
    FireCourse,
    MoveTicket,
    PrioritiseOrder,
    ReprintTicket,
    AttendStation,
    LeaveStation,
    CloseStation,
    OpenStation,
    PauseChannel,
    ResumeChannel,
    ReadStation,
    RecordCheck,
    WaiveCheck,
    CheckRecorded,
    StartDuty,
    EndDuty,
    AssignPerson,
    SendTask,
    AcknowledgeTask,
    ReadStaff,
    DutyState,
    TaskState,
    TaskSent,
    AcknowledgeAlert,
    AlertState,
    ReadLimits,
    TicketState,
    TicketEnded,
    PrintTicket,
    StationHead,
    StationMetrics,
    ChannelState,
    MenuItem,
    SellOut,
    RestoreItem,
    ReceiveStock,
    CountStock,
    LoseStock,
    TransferStock,
    ReturnStock,
    ReadCountSheet,
    ReadStock,
    DraftPurchase,
    EditPurchase,
    SendPurchase,
    CancelPurchase,
    ReadPurchases,
    PurchaseChanged,
    StockMoved,
    StockState,
    DevicePresence,
    Heartbeat,
    Fix,
    Fixes,
    OwnTracksSaid,
    OwnTracksBeside,
    TraccarForwarded,
    ReportingTaken,
    ReportingWish,
    TrackerAdvice,
    VehicleState,
    FenceCrossed,
    PutCourier,
    RemoveCourier,
    PlaceDelivery,
    AssignDelivery,
    UnassignDelivery,
    AcceptDelivery,
    DeclineDelivery,
    StepDelivery,
    CompleteDelivery,
    FailDelivery,
    ReturnDelivery,
    SequenceStops,
    PinDelivery,
    SetDuty,
    ShareDelivery,
    QuoteDelivery,
    ReadDeliveries,
    ReadCouriers,
    CourierState,
    CourierRun,
    DeliveryState,
    DeliveryChanged,
    EtaState,
    DispatchState,
    WaitingPlace,
    TrackingState,
    TemperatureReading,
    TasmotaReading,
    ZigbeeReading,
    SensorState,
    DeviceState,
    Reply,
)

TEXTS: Final[tuple[type[Message], ...]] = (NmeaSentences,)
"""Messages of the contract whose payload is text and no JSON: they have no schema."""

BY_TYPE: Final = {message.type_name: message for message in MESSAGES}


@dataclass(frozen=True, slots=True)
class Located:
    """A topic that was understood: which message stands there, and for whom."""

    message: type[Message]
    address: dict[str, str]

    @property
    def tenant(self) -> str:
        """The tenant whose topic it is."""
        return self.address["tenant"]


def _index() -> dict[int, list[type[Message]]]:
    by_length: dict[int, list[type[Message]]] = {}
    for message in (*MESSAGES, *TEXTS):
        by_length.setdefault(len(message.route.key), []).append(message)
    return by_length


_BY_LENGTH: Final = _index()


def locate(topic: str) -> Located:
    """Find the message class whose topic this is.

    Raises:
        TopicMismatch: no message of the contract stands on this topic.
    """
    for message in _BY_LENGTH.get(topic.count("/") + 1, ()):
        try:
            return Located(message, message.route.parse(topic))
        except TopicMismatch:
            continue
    raise TopicMismatch(f"no message of the contract stands on {topic!r}")


def is_one_of(topic: str, messages: Collection[type[Message]]) -> bool:
    """Tell whether one of these messages stands on a topic."""
    try:
        return locate(topic).message in messages
    except TopicMismatch:
        return False
