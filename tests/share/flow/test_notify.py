"""Notifications on their way out: to a real mail server and a real webhook, over sockets."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from tests.share.store.samples import HOST, NOW

from brickyard.context import Context
from brickyard.metadata import Metadata
from brickyard.queue import Queue
from brickyard.settings import Settings
from brickyard.share.flow import notify
from brickyard.share.model.records import NotificationStatus, NotificationType
from brickyard.share.store import notices
from brickyard.workspace import Workspaces

P, S, F = NotificationStatus.PENDING, NotificationStatus.SENT, NotificationStatus.FAILED


class _Mail(socketserver.StreamRequestHandler):
    """Enough of SMTP to take a mail; addresses that begin with `nobody` are refused."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, MailServer)
        self._say("220 here")
        while line := self.rfile.readline().strip():
            verb = line[:4].upper()
            if verb == b"DATA":
                self._say("354 go on")
                server.letters.append(self._data())
                self._say("250 taken")
            elif verb == b"RCPT":
                server.addressed.append(line.decode())
                self._say("550 unknown" if b"<nobody" in line else server.answer)
            elif verb in (b"EHLO", b"HELO", b"MAIL", b"RSET"):
                self._say("250 fine")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("502 no")

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def _data(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".").replace(b"\r\n", b"\n"))
        return message_from_bytes(b"".join(lines), policy=policy.default)  # type: ignore[return-value]  # typeshed knows only Message


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps what it is sent; *answer* is what it says to an address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.letters: list[EmailMessage] = []
        self.addressed: list[str] = []
        self.answer = "250 fine"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep what is sent, and answer as told."""
        server = self.server
        assert isinstance(server, HookServer)
        server.calls.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(server.answers.pop(0) if server.answers else 200)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class HookServer(HTTPServer):
    """Keeps what it is sent; *answers* are the next statuses, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with serving(MailServer()) as server:
        yield server


@pytest.fixture
def hook() -> Iterator[HookServer]:
    with serving(HookServer()) as server:
        yield server


@dataclass
class House:
    """A house with notifications to send; its clock stands."""

    metadata: Metadata
    settings: dict[str, Any] = field(default_factory=dict)

    def at(self, seconds: float = 0) -> Context:
        """The house at a time."""
        now = NOW + timedelta(seconds=seconds)
        settings = Settings(**self.settings)
        return Context(Workspaces(host=HOST), self.metadata, Queue(self.metadata, settings), clock=lambda: now)

    def tell(self, *people: str, subject: str = "Done", body: str = "All is well.") -> None:
        """Want people to be told."""
        with self.metadata.transaction() as tx:
            notices.notify(tx, NotificationType.PROVISION_SUCCESS, people, subject, body, NOW)

    def statuses(self) -> dict[NotificationStatus, int]:
        """Count the notifications."""
        with self.metadata.read() as tx:
            return notices.counts(tx)

    def due(self, seconds: float = 0) -> bool:
        """Tell whether there is something to do."""
        with self.metadata.read() as tx:
            return notify.someone_to_tell(self.at(seconds), tx)


@pytest.fixture
def house(metadata: Metadata) -> House:
    return House(metadata)


def by_mail(house: House, mail: MailServer, **settings: Any) -> House:
    house.settings |= {"smtp_host": "127.0.0.1", "smtp_port": mail.server_address[1], "smtp_tls": False, **settings}
    return house


def by_hook(house: House, hook: HookServer, **settings: Any) -> House:
    house.settings |= {"share_webhook_url": f"http://127.0.0.1:{hook.server_address[1]}/canary", **settings}
    return house


def test_without_a_way_to_send_notifications_stay_pending(house: House):
    house.tell("ada@acme.com")
    assert (notify.tell_due(house.at()), house.due(), house.statuses()) == (0, False, {P: 1})


def test_each_person_gets_one_mail_once(house: House, mail: MailServer):
    by_mail(house, mail).tell("ada@acme.com", "bob@acme.com", "Ada@acme.com")
    assert (house.due(), notify.tell_due(house.at()), notify.tell_due(house.at(600)), house.due(600)) == (
        True,
        2,
        0,
        False,
    )
    letters = [(one["To"], one["From"], one["Subject"], one.get_content()) for one in mail.letters]
    assert letters == [(to, "brickyard@localhost", "Done", "All is well.\n") for to in ("ada@acme.com", "bob@acme.com")]
    assert house.statuses() == {S: 2}


def test_nothing_gets_into_the_head_of_a_mail(house: House, mail: MailServer):
    by_mail(house, mail).tell("ada@acme.com", subject="Done\r\nBcc: eve@evil.com\nX: y", body="Zürich\r\n.\r\nQUIT")
    assert notify.tell_due(house.at()) == 1
    (letter,) = mail.letters
    assert (letter["Subject"], letter["Bcc"], letter["X"]) == ("Done Bcc: eve@evil.com X: y", None, None)
    assert (letter.get_content(), mail.addressed) == ("Zürich\n.\nQUIT\n", ["rcpt TO:<ada@acme.com>"])


@pytest.mark.parametrize(
    "person", ["ada@acme.com, eve@evil.com", "no address", "a@b\nBcc: eve@evil.com", "", "nobody@acme.com"]
)
def test_an_address_that_is_none_fails_at_once(house: House, mail: MailServer, person: str):
    by_mail(house, mail).tell(person)
    assert (notify.tell_due(house.at()), house.statuses(), mail.letters) == (0, {F: 1}, [])


def test_a_server_that_does_not_speak_tls_is_told_nothing(house: House, mail: MailServer):
    by_mail(house, mail, smtp_tls=True, smtp_user="ada", smtp_password="canary").tell("ada@acme.com")
    assert (notify.tell_due(house.at()), house.statuses(), mail.addressed) == (0, {P: 1}, [])


def test_what_does_not_go_is_tried_later_and_given_up_in_the_end(house: House, mail: MailServer):
    by_mail(house, mail).tell("ada@acme.com")
    mail.answer = "451 busy"
    clock, attempts = 0, 0
    while house.statuses() == {P: 1}:
        notify.tell_due(house.at(clock))
        attempts += 1
        assert notify.tell_due(house.at(clock + 1)) == 0
        clock += 3601
    assert (attempts, len(mail.addressed), house.statuses()) == (notify.ATTEMPTS, notify.ATTEMPTS, {F: 1})


def test_the_webhook_gets_what_it_can_check(house: House, hook: HookServer):
    by_hook(house, hook, share_webhook_secret="key").tell("ada@acme.com")
    assert notify.tell_due(house.at()) == 1
    ((headers, body),) = hook.calls
    sent = json.loads(body)
    assert sent.pop("id")
    assert sent == {"type": "PROVISION_SUCCESS", "to": "ada@acme.com", "subject": "Done", "body": "All is well."}
    timestamp = headers[notify.TIMESTAMP]
    assert (timestamp, headers[notify.SIGNATURE]) == (
        str(int(NOW.timestamp())),
        notify.signature("key", timestamp, body),
    )


def test_a_signature_is_the_known_one():
    known = "sha256=1ba6b8171186efc613e8bcc0cbdab2748f24984d7c5a84faa2637afa0e40d224"
    assert notify.signature("key", "1", b"{}") == known


def test_a_webhook_that_refuses_or_points_elsewhere_is_tried_again_with_the_same_id(house: House, hook: HookServer):
    by_hook(house, hook).tell("ada@acme.com")
    hook.answers = [500, 302]
    assert [notify.tell_due(house.at(seconds)) for seconds in (0, 11, 40)] == [0, 0, 1]
    assert len({json.loads(body)["id"] for _, body in hook.calls}) == 1
    assert (len(hook.calls), house.statuses()) == (3, {S: 1})


def test_what_went_by_mail_is_not_mailed_again_because_the_webhook_failed(
    house: House, mail: MailServer, hook: HookServer
):
    by_hook(by_mail(house, mail), hook).tell("ada@acme.com")
    hook.answers = [503]
    assert [notify.tell_due(house.at(seconds)) for seconds in (0, 11)] == [0, 1]
    assert (len(mail.letters), len(hook.calls), house.statuses()) == (1, 2, {S: 1})


def test_the_address_of_the_webhook_is_in_no_error(house: House, hook: HookServer):
    by_hook(house, hook)
    house.settings["share_webhook_url"] = "http://127.0.0.1:1/canary"
    house.tell("ada@acme.com")
    notify.tell_due(replace(house.at()))
    with house.metadata.read() as tx:
        said = tx.exec_driver_sql("SELECT error_message FROM deltashare.notifications").scalar_one()
    assert said == "webhook: ConnectError"
