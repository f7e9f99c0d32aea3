"""Telling people: what is due goes out by mail, to a webhook, or both; without either it stays pending."""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid

import structlog
from sqlalchemy import Connection

from brickyard.context import Context
from brickyard.settings import Settings
from brickyard.share.store import notices, outbox
from brickyard.share.store.notices import Notice

ATTEMPTS = 10  # then a notification is FAILED, after about three hours
SIGNATURE, TIMESTAMP = "X-Brickyard-Signature", "X-Brickyard-Timestamp"
_FIRST_WAIT, _LONGEST_WAIT = 5, 3600  # seconds between two attempts
_SECONDS = 10  # how long a server may take to answer
_PORT_OF_TLS = 465  # where a mail server speaks TLS from the first byte
log = structlog.stdlib.get_logger(__name__)

Send = Callable[[Settings, Notice, datetime], None]


class _Unsent(Exception):
    """It did not go out; *final* when it never will."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def someone_to_tell(context: Context, tx: Connection) -> bool:
    """Tell whether a notification is due and there is a way to send it."""
    return bool(_channels(context.queue.settings)) and outbox.due(tx, outbox.NOTIFICATION, context.clock())


def tell_due(context: Context) -> int:
    """Send the notifications that are due, and return how many went; the others are tried again, or FAILED in the end."""
    channels = _channels(context.queue.settings)
    if not channels:
        return 0
    with context.metadata.transaction() as tx:
        due = notices.take(tx, context.clock())
    return sum(_tell(context, notice, channels) for notice in due)


def _channels(settings: Settings) -> dict[str, Send]:
    known: tuple[tuple[str, object, Send], ...] = (
        ("mail", settings.smtp_host, _mail),
        ("webhook", settings.share_webhook_url, _post),
    )
    return {name: send for name, configured, send in known if configured}


def _tell(context: Context, notice: Notice, channels: dict[str, Send]) -> bool:
    """Send a notification by each way that has not had it; what went out is remembered before the next way is tried."""
    at = context.clock()
    for name, send in channels.items():
        if name in notice.delivered:
            continue
        try:
            send(context.queue.settings, notice, at)
        except _Unsent as unsent:
            _put_off(context, notice, f"{name}: {unsent}", final=unsent.final)
            return False
        with context.metadata.transaction() as tx:
            notices.delivered(tx, notice, name)
    with context.metadata.transaction() as tx:
        notices.sent(tx, notice, at)
    return True


def _put_off(context: Context, notice: Notice, why: str, *, final: bool) -> None:
    over = final or notice.attempts >= ATTEMPTS
    wait = timedelta(seconds=min(_LONGEST_WAIT, _FIRST_WAIT * 2**notice.attempts))
    log.warning("notification not sent", notification=str(notice.id), error=why, over=over)
    with context.metadata.transaction() as tx:
        notices.failed(tx, notice, why, None if over else context.clock() + wait)


# ── mail ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _mail(settings: Settings, notice: Notice, at: datetime) -> None:
    message = _message(settings, notice, at)
    try:
        with _server(settings) as server:
            server.send_message(message, settings.smtp_sender, [notice.to])
    except smtplib.SMTPRecipientsRefused as error:
        code, words = next(iter(error.recipients.values()))
        raise _Unsent(f"the address was refused: {code} {_text(words)}", final=code >= 500) from error
    except (smtplib.SMTPException, OSError) as error:
        raise _Unsent(f"{type(error).__name__}: {error}") from error


def _message(settings: Settings, notice: Notice, at: datetime) -> EmailMessage:
    """Write the mail; line breaks and a second address cannot get into its head."""
    message = EmailMessage()
    try:
        message["To"] = Address(addr_spec=notice.to)
    except (ValueError, HeaderParseError, IndexError) as error:
        raise _Unsent("the address is none that mail can be sent to", final=True) from error
    message["From"] = settings.smtp_sender
    message["Subject"] = " ".join(notice.subject.split())
    message["Date"] = at
    message["Message-ID"] = make_msgid(idstring=str(notice.id), domain="brickyard")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.body)
    return message


@contextmanager
def _server(settings: Settings) -> Iterator[smtplib.SMTP]:
    """Connect to the mail server, and say who we are only when it speaks TLS, unless the settings go without."""
    context = ssl.create_default_context()
    host, port = settings.smtp_host or "", settings.smtp_port
    if settings.smtp_tls and port == _PORT_OF_TLS:
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=_SECONDS)
    with server:
        if settings.smtp_tls and port != _PORT_OF_TLS:
            server.starttls(context=context)
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        yield server


def _text(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words


# ── webhook ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _post(settings: Settings, notice: Notice, at: datetime) -> None:
    """Send a notification as JSON; its address may be a secret and is never repeated."""
    import httpx  # a tenth of a second of imports that only a house with a webhook needs

    body = _document(notice)
    url = settings.share_webhook_url.get_secret_value() if settings.share_webhook_url else ""
    headers = {"Content-Type": "application/json", TIMESTAMP: str(int(at.timestamp()))}
    if settings.share_webhook_secret:
        headers[SIGNATURE] = signature(settings.share_webhook_secret.get_secret_value(), headers[TIMESTAMP], body)
    try:
        answer = httpx.post(url, content=body, headers=headers, timeout=_SECONDS, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Unsent(type(error).__name__) from None  # its text may hold the address
    if not answer.is_success:
        raise _Unsent(f"it answered {answer.status_code}")


def _document(notice: Notice) -> bytes:
    """Write a notification as JSON; *id* stays the same when it is sent again."""
    about = {"type": notice.kind, "to": notice.to, "subject": notice.subject, "body": notice.body}
    return json.dumps({"id": str(notice.id), **about}, ensure_ascii=False).encode()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Sign `<timestamp>.<body>`: whoever knows the secret can tell that it came from here, and when."""
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"
