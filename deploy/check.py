"""Run what the Dockerfile, compose.yaml and the systemd unit state, without a container engine.

Installs `cxrnet` as the image does, into an environment of its own, and starts the commands of the compose file with
their health checks, as the image's user where this runs as root. The node must score and forward a real radiograph; the
service must score an upload, and refuse one without the token.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import yaml
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, StoragePresentationContexts, evt

DEPLOY = Path(__file__).resolve().parent
ROOT = DEPLOY.parent
USER = 10001
SPOOL, NETWORK = "/var/lib/cxrnet", "172.28.0."
TOKEN = "token-of-the-check"
DEADLINE_S = 120.0


def main() -> int:
    """Run every check; return 0 if all pass."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    with tempfile.TemporaryDirectory(prefix="cxrnet-deploy-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        program = install(folder / "opt")
        before = written(folder / "opt")
        check_node(compose["services"]["node"], program, folder)
        check_service(compose["services"]["service"], program, folder)
        if written(folder / "opt") != before:
            sys.exit("deploy: the program wrote into its own installation, which is read-only in a container")
        check_unit(program, folder)
    return 0


def install(place: Path) -> Path:
    """Install into an empty environment with the extras and constraints of the Dockerfile; return the program."""
    steps = (DEPLOY / "Dockerfile").read_text()
    extras = re.search(r"'\.(\[[a-z,]+\])'", steps)
    if extras is None:
        sys.exit("deploy: the Dockerfile does not install the package")
    if not (ROOT / "src/cxrnet/web/static").is_dir():
        print("the page is not built (`make web`); the service is checked without it")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    pip = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", f"{ROOT}{extras[1]}"], check=True)
    subprocess.run([place / "bin/python", "-m", "compileall", "-q", place / "lib"], check=False)
    print(f"installed {extras[1]}")
    return place / "bin/cxrnet"


def check_node(service: Mapping[str, Any], program: Path, folder: Path) -> None:
    """Start the node and an archive; one radiograph goes there, and its objects come back."""
    spool, port, status, archive = own_folder(folder / "node"), free_port(), free_port(), free_port()
    changes = {SPOOL: str(spool), "8080": str(status), ":4242": f":{archive}"}
    command = [changed(word, changes) for word in service["command"]] + [f"--port={port}"]
    stored: list[Dataset] = []
    server = AE("ORTHANC")
    server.supported_contexts = StoragePresentationContexts
    handlers = [(evt.EVT_C_STORE, lambda event: stored.append(event.dataset) or 0)]
    server.start_server(("127.0.0.1", archive), block=False, evt_handlers=handlers)
    with Running([str(program), *command]) as running:
        check = re.search(r"HEALTHCHECK .*?\n\s+CMD (\[.*\])", (DEPLOY / "Dockerfile").read_text())
        if check is None:
            sys.exit("deploy: the Dockerfile has no HEALTHCHECK")
        words = [changed(word, changes) for word in json.loads(check[1])]
        eventually(lambda: run_check(words, program), running, "the health check of the node")
        send(radiograph(), port)
        eventually(lambda: len(stored) >= 4, running, "objects of the radiograph")
    server.shutdown()
    print(
        f"node: healthy; 1 radiograph sent, {len(stored)} objects forwarded ({', '.join(sorted(modalities(stored)))})"
    )


def check_service(service: Mapping[str, Any], program: Path, folder: Path) -> None:
    """Start the web service; it scores an upload, and answers nothing without the token."""
    if not (ROOT / "src/cxrnet/web/static").is_dir():
        print("service: not checked, since it does not start without the page")
        return
    certificate, port = folder / "service.pem", free_port()
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    subprocess.run([*request, "-keyout", certificate, "-out", certificate], check=True, capture_output=True)
    certificate.chmod(0o644)
    changes = {SPOOL: str(own_folder(folder / "service")), "/run/secrets/certificate": str(certificate)}
    changes |= {"${CXRNET_HOST:-localhost}": "localhost", ":8000": f":{port}"}
    command = [changed(word, changes) for word in service["command"]] + [f"--port={port}"]
    with Running([str(program), *command], CXRNET_TOKEN=TOKEN) as running:
        words = [changed(word, changes) for word in service["healthcheck"]["test"][1:]]
        eventually(lambda: run_check(words, program), running, "the health check of the service")
        url = f"https://localhost:{port}/api/v1/images"
        try:
            ask(url, token="wrong")
            sys.exit("deploy: the service answered without its token")
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
        number = ask(url, radiograph().read_bytes())["number"]
        eventually(lambda: ask(f"{url}/{number}")["status"] == "scored", running, "the score of an upload")
    print("service: healthy; 1 upload scored; nothing without the token")


def check_unit(program: Path, folder: Path) -> None:
    """Let systemd verify the unit, where it is installed."""
    if shutil.which("systemd-analyze") is None:
        print("unit: not checked, systemd-analyze is not installed")
        return
    unit = folder / "cxrnet-scp.service"
    unit.write_text((DEPLOY / "systemd" / unit.name).read_text().replace("/opt/cxrnet/bin/cxrnet", str(program)))
    subprocess.run(["systemd-analyze", "verify", unit], check=True)
    print("unit: verified")


class Running:
    """A program in the background, stopped by SIGTERM as a container is."""

    def __init__(self, command: Sequence[str], **variables: str) -> None:
        self._command, self._variables = command, variables

    def __enter__(self) -> subprocess.Popen[bytes]:
        """Start it."""
        user = {"user": USER, "group": USER} if can_change_user() else {}
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(self._command, env=environment | self._variables, **user)  # type: ignore[call-overload]
        return self._process

    def __exit__(self, *_: object) -> None:
        """Stop it; it must end by itself."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(60)
        if code not in (0, -signal.SIGTERM):  # uvicorn raises the signal again after a clean end
            sys.exit(f"deploy: {self._command[1]} ended with {code} on SIGTERM")


@cache
def can_change_user() -> bool:
    """Return whether programs can run as the image's user: this runs as root, and that user may read this Python."""
    if os.getuid() != 0:
        return False
    try:
        subprocess.run([os.path.realpath(sys.executable), "-c", ""], user=USER, group=USER, check=True)
    except (OSError, subprocess.SubprocessError):
        print(f"user {USER} cannot read {sys.base_prefix}; programs run as root here, unlike in the image")
        return False
    return True


def eventually(condition: Callable[[], bool], running: subprocess.Popen[bytes], what: str) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        if running.poll() is not None:
            sys.exit(f"deploy: ended with {running.returncode} before {what}")
        if time.monotonic() > end:
            sys.exit(f"deploy: {what} did not come within {DEADLINE_S:.0f} s")
        time.sleep(0.3)


def run_check(words: Sequence[str], program: Path) -> bool:
    """Run a health check by the Python of the environment; return whether it passes."""
    return not subprocess.run([program.with_name(words[0]), *words[1:]], capture_output=True, check=False).returncode


def ask(url: str, body: bytes | None = None, *, token: str = TOKEN) -> Any:
    """Return the JSON that the service answers."""
    request = urllib.request.Request(url, data=body, headers={"Authorization": f"Bearer {token}"})
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # made a moment ago, by this program
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        return json.load(answer)


def send(path: Path, port: int) -> None:
    """Send a file to the node by C-STORE, as Orthanc would."""
    dataset = dcmread(path)
    client = AE("ORTHANC")
    client.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = client.associate("127.0.0.1", port, ae_title="CXRNET")
    status = association.send_c_store(dataset)
    association.release()
    if getattr(status, "Status", None) != 0:
        sys.exit(f"deploy: the node answered a C-STORE with {status}")


def radiograph() -> Path:
    """Return the path of RG1 of pydicom-data."""
    files = distribution("pydicom-data").files or []
    return Path(str(next(file for file in files if file.name == "RG1_UNCR.dcm").locate()))


def modalities(datasets: Sequence[Dataset]) -> set[str]:
    """Return the modalities of some objects."""
    return {str(dataset.Modality) for dataset in datasets}


def changed(word: str, changes: Mapping[str, str]) -> str:
    """Return a word of a command with addresses, ports and paths of this run."""
    for old, new in changes.items():
        word = word.replace(old, new)
    return re.sub(re.escape(NETWORK) + r"\d+", "127.0.0.1", word)


def own_folder(path: Path) -> Path:
    """Return a new folder that only the image's user may read."""
    path.mkdir(mode=0o700)
    if can_change_user():
        os.chown(path, USER, USER)
    return path


def written(folder: Path) -> dict[Path, float]:
    """Return when each file in a folder was written."""
    return {path: path.stat().st_mtime for path in folder.rglob("*") if path.is_file()}


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
