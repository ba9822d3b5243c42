"""`heard notify`: channels, rules, templates, and what became of notices."""

from __future__ import annotations

import json

import pytest
import yaml

from schemas.notices import NoticeStatus
from services.runtime.moment import system_clock
from services.runtime.signatures import verify
from tests.cli.conftest import Heard, until, up_beside
from tests.mail_sink import mail_sink
from tests.webhook_server import Answer, webhook_server

RULES = """
rules:
  - rule: ready-mail
    on: [ready]
    channel: mail
    kinds: [takeaway]
    after_s: 60
    quiet: {start: 22:00, end: 7:00, then: hold}
"""


@pytest.fixture
def roma(heard: Heard) -> Heard:
    heard.done("db", "upgrade")
    heard.done("tenant", "add", "roma", "--title", "Trattoria Roma", "--currency", "KWD")
    return heard


def written(roma: Heard, name: str, text: str) -> str:
    path = roma.home / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_webhook_is_tried_and_its_secret_is_shown_once(roma: Heard) -> None:
    with webhook_server() as server:
        added = roma.done(
            "notify", "channel", "add", "shop", "--kind", "webhook", "--url", server.url,
            "--tenant", "roma", "--json",
        )  # fmt: skip
        secret = added.json["secret"]
        tried = roma.done("notify", "test", "shop", "--tenant", "roma", "--json").json
        (arrival,) = server.arrivals
        assert verify(arrival.headers, arrival.body, [secret], system_clock()).id
        assert tried["delivered"] is True
        assert tried["said"] == "HTTP 204"
        assert json.loads(arrival.body)["data"]["headline"] == tried["headline"]

        changed = roma.done("notify", "channel", "secret", "shop", "--tenant", "roma").out.strip()
        roma.done("notify", "test", "shop", "--tenant", "roma")
        arrival = server.arrivals[-1]
        assert verify(arrival.headers, arrival.body, [changed], system_clock()).id
    listed = roma.done("notify", "channel", "list", "--tenant", "roma")
    audit = roma.done("audit", "show", "--tenant", "roma")
    database = (roma.home / "heard.db").read_bytes()
    for each in (secret, changed):
        assert each not in listed.out + audit.out
        assert each.encode() not in database, "it is sealed"
    assert "channel.added" in audit.out
    assert "channel.secret-changed" in audit.out


def test_a_webhook_that_refuses_is_said_in_one_line(roma: Heard) -> None:
    with webhook_server(lambda *_: Answer(410, body=b"we\nmoved")) as server:
        roma.done("notify", "channel", "add", "shop", "--kind", "webhook", "--url", server.url,
                  "--tenant", "roma")  # fmt: skip
        ended = roma("notify", "test", "shop", "--tenant", "roma")
    assert ended.code == 1
    assert ended.complaint == "shop did not take it: HTTP 410: we moved"


def test_mail_is_tried_in_any_language(roma: Heard) -> None:
    roma.done("notify", "channel", "add", "mail", "--kind", "email", "--tenant", "roma")
    with mail_sink() as sink:
        roma.env |= {
            "HEARD_SMTP_URL": f"smtp://127.0.0.1:{sink.port}",
            "HEARD_SMTP_FROM": "Roma <orders@roma.example>",
        }
        ended = roma("notify", "test", "mail", "--tenant", "roma")
        assert ended.complaint == "say where the sample goes: --to ADDRESS"
        roma.done("notify", "test", "mail", "--tenant", "roma", "--to", "ada@example.com",
                  "--change", "paid", "--language", "es")  # fmt: skip
    (letter,) = sink.letters
    assert letter["from"] == "Roma <orders@roma.example>"
    assert letter["subject"] == "Trattoria Roma: pago recibido por el pedido SAMPLE-1"
    assert "2,600 KWD" in letter.get_content().replace("\xa0", " ")


def test_rules_are_checked_before_they_count(roma: Heard) -> None:
    good = written(roma, "good.yaml", RULES.replace("7:00", "07:00"))
    ended = roma("notify", "rules", "set", good, "--tenant", "roma")
    assert ended.complaint == "rule ready-mail: there is no channel mail (have: none)"
    roma.done("notify", "channel", "add", "mail", "--kind", "email", "--tenant", "roma")
    ended = roma("notify", "rules", "set", written(roma, "r.yaml", RULES), "--tenant", "roma")
    assert ended.complaint.endswith("rule ready-mail: quiet.end: write a time as 07:00")

    dry = roma.done("notify", "rules", "set", good, "--tenant", "roma", "--dry-run")
    assert "nothing was changed" in dry.err
    shown = ("notify", "rules", "show", "--tenant", "roma")
    assert roma.done(*shown, "--json").json == {"rules": []}
    roma.done("notify", "rules", "set", good, "--tenant", "roma")
    (rule,) = roma.done(*shown, "--json").json["rules"]
    assert rule["quiet"] == {"start": "22:00", "end": "07:00", "then": "hold"}
    assert rule["on"] == ["ready"]

    again = written(roma, "again.yaml", roma.done(*shown).out)
    roma.done("notify", "rules", "set", again, "--tenant", "roma")
    assert roma.done(*shown, "--json").json["rules"] == [rule]
    assert "notice-rules.set" in roma.done("audit", "show", "--tenant", "roma").out
    ended = roma("notify", "channel", "remove", "mail", "--tenant", "roma")
    assert ended.complaint == "rules tell over mail: ready-mail: change them first"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("rules: [{rule: a, on: [ready], chanel: mail}]", "rule a: unknown chanel"),
        ("rules: [{rule: a, on: [ready], channel: mail, quiet: {from: 1}}]", "unknown from"),
        ("rules: [{rule: a, on: [readdy], channel: mail}]", "rule a: on.0"),
        ("rules: [{rule: a, on: [ready], channel: mail, to: nobody}]", "rule a: to"),
        ("rules: [{rule: a, on: [ready], channel: mail, template: own}]", "template 'own'"),
        ("rules: [{rule: a, on: [ready], channel: pager, to: a@b}]", "`to` is for email"),
        ("rules: [{rule: a, on: [ready], channel: mail}, {rule: a, on: [paid], channel: mail}]",
         "two rules are called a"),
        ("rules: [ready]", "rule 1 is no rule"),
        ("rule: x", "under `rules:`"),
        ("[", "no YAML"),
        ("rules: {a: b}", "under `rules:`"),
    ],
)  # fmt: skip
def test_rules_that_say_nothing_sensible_are_refused_by_name(
    roma: Heard, text: str, complaint: str
) -> None:
    for name, kind in (("mail", "email"), ("pager", "mqtt")):
        roma.done("notify", "channel", "add", name, "--kind", kind, "--tenant", "roma")
    ended = roma("notify", "rules", "set", written(roma, "r.yaml", text), "--tenant", "roma")
    assert ended.code == 1
    assert complaint in ended.complaint


def test_a_template_is_shown_changed_previewed_and_taken_away(roma: Heard) -> None:
    shown = roma.done("notify", "template", "show", "ready", "--tenant", "roma", "--language", "de")
    words = yaml.safe_load(shown.out)
    assert words["headline"] == "{{ house.name }}: Ihre Bestellung {{ order.number }} ist fertig"
    words["headline"] = "Fertig! {{ order.number }}"
    file = written(roma, "ready.yaml", yaml.safe_dump(words, allow_unicode=True))
    own = ("--tenant", "roma", "--language", "de")
    roma.done("notify", "template", "set", "ready", file, *own, "--dry-run")
    preview = ("notify", "template", "preview", "ready", "--tenant", "roma", "--language", "de-AT")
    assert "Ihre Bestellung" in roma.done(*preview, "--json").json["headline"]
    roma.done("notify", "template", "set", "ready", file, *own)
    assert roma.done(*preview, "--json").json["headline"] == "Fertig! SAMPLE-1"
    roma.done("notify", "template", "remove", "ready", *own)
    assert "Ihre Bestellung" in roma.done(*preview, "--json").json["headline"]
    assert (
        "no template ready of its own"
        in roma("notify", "template", "remove", "ready", *own).complaint
    )

    wrong = written(roma, "wrong.yaml", "headline: x\nbody: '{{ order.nothing }}'\n")
    ended = roma("notify", "template", "set", "ready", wrong, *own)
    assert "nothing" in ended.complaint
    for text in ("headline: x", "headline: ''\nbody: x", "- a", "{", "headline: 1\nbody: x"):
        ended = roma("notify", "template", "set", "ready", written(roma, "w.yaml", text), *own)
        assert ended.code == 1
        assert ended.complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("channel", "add", "x", "--kind", "webhook"), "--url goes with"),
        (("channel", "add", "x", "--kind", "mqtt", "--url", "https://a.example"), "--url goes"),
        (("channel", "add", "x", "--kind", "webhook", "--url", "http://shop.example/"), "https"),
        (("channel", "remove", "x"), "has no channel x"),
        (("channel", "secret", "x"), "has no webhook x"),
        (("test", "x"), "neither a channel nor a rule x"),
        (("template", "show", "own"), "no template 'own'"),
        (("template", "show", "ready", "--language", "German"), "no language"),
        (("replay",), "name what to replay"),
        (("replay", "0197a3b2-5c1e-7a40-9f7e-2f4c5d6e7f80"), "no dead notice"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    roma: Heard, arguments: tuple[str, ...], complaint: str
) -> None:
    ended = roma("notify", *arguments, "--tenant", "roma")
    assert ended.code in {1, 2}
    assert complaint in ended.complaint


@pytest.mark.parametrize(
    "arguments", [("list",), ("dead",), ("rules", "show"), ("channel", "list"), ("test", "x"),
                  ("replay", "--all"), ("template", "show", "ready")],
)  # fmt: skip
def test_a_restaurant_that_is_not_there_is_named(roma: Heard, arguments: tuple[str, ...]) -> None:
    assert "no tenant oslo" in roma("notify", *arguments, "--tenant", "oslo").complaint


def test_a_dead_letter_is_listed_with_its_reason_and_replayed(heard: Heard) -> None:
    answers = [Answer(404, body=b"no such hook"), Answer()]
    with webhook_server(lambda number, _: answers[min(number, 2) - 1]) as server, up_beside(heard):
        heard.done("tenant", "add", "roma", "--currency", "EUR")
        menu = written(heard, "menu.yaml", "items:\n"
                       "  - {item: soup, name: Soup, station: hot, price: '5.00'}\n")  # fmt: skip
        heard.done("menu", "import", menu, "--tenant", "roma")
        heard.done("notify", "channel", "add", "shop", "--kind", "webhook", "--url", server.url,
                   "--tenant", "roma")  # fmt: skip
        rules = written(heard, "rules.yaml", "rules: [{rule: hook, on: [accepted], channel: shop}]")
        heard.done("notify", "rules", "set", rules, "--tenant", "roma")
        heard.done("order", "place", "--tenant", "roma", "soup")
        dead = ("notify", "dead", "--tenant", "roma", "--json")
        until(lambda: heard.done(*dead).json, "the notice is dead")
        (row,) = heard.done(*dead).json
        assert row["error"] == "HTTP 404: no such hook"
        assert row["status"] == NoticeStatus.DEAD
        heard.done("notify", "replay", row["notice_id"], "--tenant", "roma")
        sent = ("notify", "list", "--tenant", "roma", "--status", "sent", "--json")
        until(lambda: heard.done(*sent).json, "the notice is sent")
        assert heard.done(*dead).json == []
        assert server.ids == [row["notice_id"]] * 2
        heard.done("notify", "channel", "add", "pager", "--kind", "mqtt", "--tenant", "roma")
        assert "outbox" in heard.done("notify", "test", "pager", "--tenant", "roma").out
