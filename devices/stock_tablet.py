"""A tablet that somebody carries along the shelves, and that knows what to count offline too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Unpack

from devices.options import DeviceOptions
from devices.pending import Pending
from devices.purchase_requests import PurchaseRequests
from devices.stock_requests import StockRequests
from schemas.inventory import SheetLine
from schemas.replies import CountSheet

log = logging.getLogger("heard.devices")


class StockTablet(StockRequests, PurchaseRequests):
    """A tablet at which people count, receive and throw away.

    Each time it connects it asks what there is to count, and keeps that in a file: so it can be
    carried into a cellar without a network, and switched on there. It never asks how much there
    should be.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        sheet: the file of what there is to count; None never asks what that is.
        options: see `DeviceClient`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sheet: Path | None = None,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, **options)
        self._file: Final = sheet
        self._sheet_lock: Final = threading.Lock()
        self._sheet: Sequence[SheetLine] = () if sheet is None else _read(sheet)

    @property
    def sheet(self) -> Sequence[SheetLine]:
        """What there is to count, by name, as it was when this tablet last heard of it."""
        with self._sheet_lock:
            return self._sheet

    # -- on the device's own thread ---------------------------------------------------

    def _connected(self, now: float) -> None:
        super()._connected(now)
        if self._file is not None:
            self._ask_page([])

    def _ask_page(self, known: list[SheetLine]) -> None:
        """Ask for the page after what is known already."""
        after = known[-1].item if known else None

        def answered(pending: Pending[CountSheet]) -> None:
            if pending.error is not None:
                return  # the old one stays; the next connection asks again
            page = pending.result(0)
            whole = [*known, *page.lines]
            if page.more and page.lines:
                self._ask_page(whole)
            else:
                self._keep(whole)

        self.read_count_sheet(after).then(answered)

    def _keep(self, lines: list[SheetLine]) -> None:
        with self._sheet_lock:
            self._sheet = tuple(lines)
        if self._file is None:
            return
        # It stands there whole or not at all: a tablet may be switched off at any moment.
        beside = self._file.with_name(f"{self._file.name}.new")
        try:
            beside.write_text(CountSheet(lines=tuple(lines)).model_dump_json())
            beside.replace(self._file)
        except OSError as error:
            self._report(f"what there is to count cannot be kept in {self._file}: {error}")


def _read(file: Path) -> Sequence[SheetLine]:
    """What was kept; nothing where the file is not there or cannot be read."""
    try:
        return CountSheet.model_validate_json(file.read_text()).lines
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        log.warning("%s is no sheet, and is asked for again: %.200s", file, error)
        return ()
