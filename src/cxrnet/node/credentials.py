"""Whether a URL may be used, and what is sent along so that a server lets us in."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import requests

from cxrnet.errors import UsageError
from cxrnet.node.settings import is_loopback

HEADER, USER, PASSWORD = "CXRNET_PACS_AUTHORIZATION", "CXRNET_PACS_USER", "CXRNET_PACS_PASSWORD"
"""Environment variables with the credentials: a whole Authorization header, or a name and a password."""


def check_url(url: str) -> str:
    """Return how messages call a server.

    Raises:
        UsageError: It is not the root of one, or holds a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError("--url: is not a URL; give https://host/dicom-web") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        msg = f"{parts.scheme}://{parts.hostname}: is not the root of a DICOMweb server; give https://host/dicom-web"
        raise UsageError(msg)
    if parts.username is not None or parts.password is not None:
        msg = f"{parts.hostname}: the URL holds a password, which lists of processes show; set {USER} and {PASSWORD}"
        raise UsageError(msg)
    return f"{parts.scheme}://{parts.hostname}{'' if port is None else f':{port}'}{parts.path}"


def credentials(environment: Mapping[str, str], url: str) -> requests.auth.AuthBase:
    """Return what is sent along with each request.

    Raises:
        UsageError: It would be sent in the open.
    """
    header, user = environment.get(HEADER), environment.get(USER)
    if not header and not user:
        return _NoCredentials()
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise UsageError(f"{parts.hostname}: credentials would be sent in the open; give an https URL")
    if header:
        return _Header(header)
    return requests.auth.HTTPBasicAuth((user or "").encode(), environment.get(PASSWORD, "").encode())


class _NoCredentials(requests.auth.AuthBase):
    """Sends a request as it is, and keeps `requests` from looking into ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


class _Header(requests.auth.AuthBase):
    """Sends an Authorization header."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request
