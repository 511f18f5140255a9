"""SHA-256 without OpenSSL, of which `hashlib` maps 4 MB: here a few kilobytes are hashed, now and then."""

try:
    from _sha2 import sha256  # type: ignore[import-not-found]  # Python 3.12 on
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]
    except ImportError:  # an interpreter that was built without its own
        from hashlib import sha256

__all__ = ["sha256"]
