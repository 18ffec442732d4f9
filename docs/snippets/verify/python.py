import hashlib, hmac, time


def is_genuine(header: str, body: bytes, secret: str) -> bool:
    parts = [part.split("=", 1) for part in header.split(",")]
    at = next(value for name, value in parts if name == "t")
    expected = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    signatures = [value for name, value in parts if name == "v1"]
    return abs(time.time() - int(at)) < 300 and any(hmac.compare_digest(expected, s) for s in signatures)
