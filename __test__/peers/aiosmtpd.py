"""aiosmtpd with a handler that writes each message to a Maildir, one file a recipient."""

import asyncio
import os
import ssl
import sys
from itertools import count

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

PORT, SMTPS, FOLDER, CERTIFICATE, KEY = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]
NUMBERS = count(1)


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.7.1 not you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused@"):
            return "550 5.1.1 not here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            name = os.path.join(FOLDER, str(next(NUMBERS)))
            with open(f"{name}.tmp", "wb") as file:
                trace = f"Return-Path: <{envelope.mail_from}>\nDelivered-To: {recipient}\n"
                file.write(trace.encode() + envelope.original_content.replace(b"\r\n", b"\n"))
            os.rename(f"{name}.tmp", name)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"user", b"secret")
    # `handled` would mean that the answer has been sent.
    return AuthResult(success=known, handled=False)


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE, KEY)
    options = dict(
        hostname="mx.peers.test",
        enable_SMTPUTF8=True,
        data_size_limit=3000000,
        authenticator=authenticate,
    )
    loop = asyncio.get_running_loop()
    start = lambda: SMTP(Handler(), tls_context=tls, **options)
    start_secure = lambda: SMTP(Handler(), auth_require_tls=False, **options)
    await loop.create_server(start, "127.0.0.1", PORT)
    server = await loop.create_server(start_secure, "127.0.0.1", SMTPS, ssl=tls)
    os.makedirs(FOLDER)
    await server.serve_forever()


asyncio.run(main())
