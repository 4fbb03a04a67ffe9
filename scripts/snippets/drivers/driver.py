import base64
import sys

from verify_webhook import verify_webhook


def read(field):
    return b"" if field == "-" else base64.b64decode(field)


for line in sys.stdin:
    *fields, now = line.split()
    secret, message_id, timestamp, signature, body = map(read, fields)
    headers = {
        "webhook-id": message_id.decode(),
        "webhook-timestamp": timestamp.decode(),
        "webhook-signature": signature.decode(),
    }
    print("ok" if verify_webhook(secret.decode(), headers, body, int(now)) else "no")
