"""Reads messages with Python's own parser and prints what they hold as JSON."""

import email
import email.policy
import hashlib
import json
import sys


def shown(part):
    """Text with one kind of line end and none at the end; other content as it is."""
    content = part.get_content()
    if isinstance(content, str):
        return content.replace("\r\n", "\n").rstrip().encode("utf-8")
    return bytes(content) if isinstance(content, (bytes, bytearray)) else content.as_bytes()


def seen(path):
    with open(path, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    leaves = [part for part in message.walk() if not part.is_multipart()]
    return {
        "subject": str(message["subject"]),
        "defects": [type(defect).__name__ for part in message.walk() for defect in part.defects],
        "leaves": [[part.get_content_type(), hashlib.sha256(shown(part)).hexdigest()] for part in leaves],
    }


print(json.dumps([seen(path) for path in sys.argv[1:]]))
