"""`heard printer`: a station's tickets on paper, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, open_restaurant
from tests.escpos_sink import Decoder, Sink


def test_a_test_slip_comes_out_of_a_network_printer_and_into_a_file(heard: Heard) -> None:
    with Sink() as sink:
        told = heard.done("printer", "test", "--to", sink.to, "--json").json
        assert told["printed"]
        (slip,) = sink.papers
    assert slip.startswith("TEST: DO NOT MAKE")
    shown = heard.done("printer", "test", "--to", "file:slip.bin", "--show").out
    assert "NO NUTS: ALLERGY" in shown
    decoder = Decoder()
    decoder.read((heard.home / "slip.bin").read_bytes())
    assert [[line.text for line in each] for each in decoder.slips] == [slip.splitlines()]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("usb:printer", "usb:04b8:0202 (see lsusb)"),
        ("file:", "file: needs a path"),
        ("kitchen:many", "host:9100, usb:04b8:0202 or file:/dev/usb/lp0"),
        ("127.0.0.1:1", "no printer answers at 127.0.0.1:1"),
        ("file:/nowhere/slip", "cannot print to /nowhere/slip: No such file"),
        ("file:/dev/no-such-printer", "cannot print to /dev/no-such-printer: No such file"),
    ],
)
def test_what_is_no_printer_is_said_in_one_line(heard: Heard, to: str, says: str) -> None:
    ended = heard("printer", "test", "--to", to)
    assert ended.code != 0
    assert says in ended.complaint


def test_a_printer_that_is_unwell_says_how(heard: Heard) -> None:
    with Sink() as sink:
        sink.paper = False
        assert "no paper" in heard("printer", "test", "--to", sink.to).complaint
        sink.paper = True
        named = heard("printer", "test", "--to", sink.to, "--profile", "no-such")
        assert "knows no printer 'no-such'" in named.complaint
        sink.mute = True
        assert "needs --blind" in heard("printer", "test", "--to", sink.to).complaint
        assert sink.papers == []
        heard.done("printer", "test", "--to", sink.to, "--blind")
        until(lambda: len(sink.papers) == 1, "what is sent blindly")


def test_a_printer_prints_what_is_ordered_and_nothing_twice(
    embedded: Heard, tmp_path: Path
) -> None:
    restaurant = open_restaurant(embedded, tmp_path)
    with Sink() as sink:
        run = ("printer", "run", "--station", "fry", "--to", sink.to, *AT)
        with embedded.running(*run):
            number = restaurant.place("fries=2", "--table", "4")["number"]
            until(lambda: len(sink.papers) == 1, "the ticket on paper")
            assert "2 x Fries" in sink.papers[0]
            until(
                lambda: restaurant.shown(number)["tickets"][0]["status"] == "heard",
                "it to be heard",
            )
            used = embedded(*run, "--for", "1s")
            assert "another printer's process" in used.complaint
        other = embedded.done(*run, "--for", "2s")
        assert "0 slips came out" in other.err
        assert len(sink.papers) == 1
