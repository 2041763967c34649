"""What spam filters say of a message: SpamAssassin and rspamd, neither asking anything of the network.

A score is the message's alone. Who sends it, DNS, keys and reputations tell; nobody is asked here.
"""

import email
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from newsletter.delivery.mime import ROW_HEADER
from tests.gates.tools import missing

CONFIG = "/etc/rspamd"
PATIENCE = 60.0  # seconds, for rspamd's start
NOT_THE_MESSAGE = {
    # DNS, and the clock against the date of a sample
    "groups_disabled": ["hfilter", "rbl", "surbl", "spf", "dkim", "dmarc", "arc", "fuzzy", "mx", "asn", "policies"],
    "symbols_disabled": ["DATE_IN_FUTURE", "DATE_IN_PAST", "AUTH_NA"],
}


def spamassassin(messages: Mapping[str, bytes], folder: Path) -> dict[str, tuple[float, list[str]]]:
    """Score and the rules that hit, for each message: a name that its row header ends with, and its source."""
    program = shutil.which("spamassassin")
    if program is None:
        missing("SpamAssassin is not installed (apt-get install spamassassin): NO LETTER WENT THROUGH IT")
    box = folder / "letters.mbox"
    box.write_bytes(b"".join(_in_a_box(source) for source in messages.values()))
    (folder / "prefs").touch()
    own = [f"--prefspath={folder / 'prefs'}", "--cf=use_bayes 0\nreport_safe 0"]
    done = subprocess.run(
        [str(program), "--local", "--test-mode", "--mbox", *own, str(box)],
        env={**os.environ, "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    found = {}
    for each in re.split(rb"(?m)^From \S+ .*\n", done.stdout)[1:]:
        head = email.message_from_bytes(each)
        status = re.sub(r"\s+", " ", head["X-Spam-Status"])
        told = re.search(r"score=(-?[\d.]+) .*?tests=(.*?)(?: autolearn| version|$)", status)
        assert told, status
        found[head[ROW_HEADER].removeprefix("row-")] = (float(told[1]), re.split(r",\s*", told[2]))
    return found


def _in_a_box(source: bytes) -> bytes:
    lines = re.sub(rb"(?m)^(>*From )", rb">\1", source.replace(b"\r\n", b"\n"))
    return b"From verdicts@verdicts.example Tue Nov 24 09:00:01 2026\n" + lines + b"\n\n"


class Rspamd:
    """A running rspamd."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return urllib.request.urlopen(f"{self._url}/ping", timeout=2).status == 200  # type: ignore[no-any-return]
        except (urllib.error.URLError, OSError):
            return False

    def score(self, source: bytes) -> tuple[float, dict[str, float]]:
        """A message's score, and what each rule that hit gave."""
        asked = urllib.request.Request(
            f"{self._url}/checkv2",
            source,
            {
                "Ip": "5.9.100.20",
                "Helo": "mail.verdicts.example",
                "Hostname": "mail.verdicts.example",
                "From": "verdicts@verdicts.example",
                "Rcpt": "ada.lovelace@example.com",
                "Settings": json.dumps(NOT_THE_MESSAGE),
            },
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            told = json.load(answer)
        return told["score"], {name: hit["score"] for name, hit in told["symbols"].items() if hit["score"]}


@contextmanager
def rspamd(folder: Path) -> Iterator[Rspamd]:
    """One of our own for as long as the block runs, on a free port, that keeps nothing and asks nobody."""
    program = shutil.which("rspamd")
    if program is None:
        missing("rspamd is not installed (apt-get install rspamd): NO LETTER WENT THROUGH IT")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "rspamd.conf").write_text(_configuration(folder, port))
    options = ["--insecure", "--user=root", "--group=root"] if os.geteuid() == 0 else []
    with (folder / "output").open("wb") as output:
        running = subprocess.Popen(
            [str(program), "--no-fork", f"--config={folder / 'rspamd.conf'}", *options], stdout=output, stderr=output
        )
    try:
        made, deadline = Rspamd(port), time.monotonic() + PATIENCE
        while not made.alive():
            assert running.poll() is None, (folder / "output").read_text()[-500:]
            assert time.monotonic() < deadline, (folder / "log").read_text()[-500:]
            time.sleep(0.05)
        yield made
    finally:
        running.terminate()
        running.wait(20)


def _configuration(folder: Path, port: int) -> str:
    off = ("asn", "fuzzy_check", "rbl", "surbl", "mx_check", "rspamd_update", "url_redirector", "greylist", "dmarc",
           "spf", "dkim", "arc", "hfilter", "phishing", "neural", "history_redis", "ratelimit", "replies")  # fmt: skip
    return f"""
.include "{CONFIG}/common.conf"
{"".join(f"{name} {{ enabled = false; }}{chr(10)}" for name in off)}
options {{
  .include "{CONFIG}/options.inc"
  filters = "chartable,regexp";
  disable_hyperscan = true;
  pidfile = "{folder}/pid";
  cache_file = "{folder}/symbols.cache";
  dynamic_conf = "{folder}/dynamic";
  history_file = "{folder}/history";
  control_socket = "{folder}/socket mode=0600";
  rrd = "{folder}/rrd";
  stats_file = "{folder}/stats";
  hs_cache_dir = "{folder}/";
  tempdir = "{folder}";
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.01s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
worker "normal" {{ .include "{CONFIG}/worker-normal.inc"
  bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""
