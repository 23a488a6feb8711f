"""A file that stands for a weights file where nobody reads it as one."""

import hashlib

BODY = b"weights " * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
