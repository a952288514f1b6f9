"""Whether a URL may be used, and the session that signs in to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import requests

from cxrnet.errors import UsageError
from cxrnet.node.settings import is_loopback

HEADER, USER, PASSWORD = "CXRNET_PACS_AUTHORIZATION", "CXRNET_PACS_USER", "CXRNET_PACS_PASSWORD"
"""Environment variables with the credentials: a whole Authorization header, or a name and a password."""


def server_name(url: str) -> str:
    """Return the name of a DICOMweb server in messages: its URL without what a URL can hide.

    Raises:
        UsageError: It is not the root of a server, or holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError("--url: is not a URL; give https://host/dicom-web") from error
    host = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{host}: is not the root of a DICOMweb server; give https://host/dicom-web")
    if parts.username is not None or parts.password is not None:
        problem = "the URL holds a password, which process lists show"
        raise UsageError(f"{parts.hostname}: {problem}; set {USER} and {PASSWORD}")
    return f"{host}{'' if port is None else f':{port}'}{parts.path}"


def open_session(url: str, environment: Mapping[str, str], *, authorities: Path | None = None) -> requests.Session:
    """Return a session that sends the credentials of the environment, never those of ~/.netrc, and follows no redirect.

    Args:
        url: Root of the server.
        environment: Environment variables.
        authorities: PEM file of authorities to trust instead of the system's.

    Raises:
        UsageError: Credentials would be sent unencrypted.
    """
    session = requests.Session()
    session.proxies.update(requests.utils.get_environ_proxies(url))
    session.trust_env = False
    session.verify = str(authorities or environment.get("REQUESTS_CA_BUNDLE") or "") or True
    session.max_redirects = 0
    header, user = environment.get(HEADER), environment.get(USER)
    parts = urlsplit(url)
    if (header or user) and parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise UsageError(f"{parts.hostname}: credentials would be sent unencrypted; give an https URL")
    if header:
        session.headers["Authorization"] = header
    elif user:
        session.auth = requests.auth.HTTPBasicAuth(user.encode(), environment.get(PASSWORD, "").encode())
    return session
