"""A certificate for "localhost" that nobody vouches for, made anew with openssl where there is one."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class OwnCertificate:
    """`path`: the certificate, for whoever wants to trust it. `context`: for a server that shows it."""

    path: Path
    context: ssl.SSLContext


def own_certificate(directory: Path) -> OwnCertificate:
    """Make one in a directory; skip the test where there is no openssl."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl to make a certificate with")
    key, path = directory / "key.pem", directory / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(path)]
    subprocess.run([program, *words.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    return OwnCertificate(path, context)
