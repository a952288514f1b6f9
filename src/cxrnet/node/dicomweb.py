"""A DICOMweb server: search by QIDO-RS, fetch by WADO-RS, store by STOW-RS.

Of dicomweb-client 0.61 we do not use the retries (of a long upload they send an empty body), and look ourselves at
what a server says it has stored: its client takes 202, some were not, for success.
"""

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset

from cxrnet.atomic import write_atomic
from cxrnet.errors import PacsError, UsageError
from cxrnet.imaging.attributes import is_uid
from cxrnet.node.log import digest
from cxrnet.node.settings import TLS, is_loopback
from cxrnet.quiet import quiet

PAGE = 100
"""Matches that are asked for at a time."""

HEADER, USER, PASSWORD = "CXRNET_PACS_AUTHORIZATION", "CXRNET_PACS_USER", "CXRNET_PACS_PASSWORD"
"""Environment variables with the credentials: a whole Authorization header, or a name and a password."""

_BOUNDARY = b"--0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"  # what dicomweb-client puts between the parts, always


class Instance(NamedTuple):
    """Where an instance is: UIDs of its study, its series, and its own."""

    study: str
    series: str
    instance: str


class DICOMwebServer:
    """One DICOMweb server. Certificates are checked; redirections are not followed.

    Credentials are looked for in `environment`, by default that of the process.
    """

    def __init__(
        self,
        url: str,
        *,
        authorities: Path | None = None,
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> None:
        self.name = server_name(url)  # in messages
        session = open_session(url, os.environ if environment is None else environment, authorities=authorities)
        session.hooks["response"].append(self._note)
        self._status = 0
        self._client = DICOMwebClient(url.rstrip("/"), session=session, timeout=(10.0, seconds))
        self._client.set_http_retry_params(retry=False)

    def send(self, files: Sequence[Path]) -> None:
        """Store DICOM files, one by one (STOW-RS).

        Codes of a PacsError: UNREACHABLE, REFUSED (the HTTP status), NOT_STORED, NOT_DICOM.
        """
        with quiet():  # pydicom's warnings quote values
            for path in files:
                self._store(path)

    def _store(self, path: Path) -> None:
        try:
            dataset = pydicom.dcmread(path)
            is_usable = "SOPInstanceUID" in dataset and _BOUNDARY not in path.read_bytes()
        except Exception as error:  # of pydicom, of any kind; its text can quote the file
            raise PacsError(
                "NOT_DICOM", f"{path.name}: not a readable DICOM file; export it again", is_final=True
            ) from error
        if not is_usable:
            problem = "has no SOP Instance UID, or holds a line that would cut the upload"
            raise PacsError("NOT_DICOM", f"{path.name}: {problem}; export it again", is_final=True)
        with self._translating_errors():
            answer = self._client.store_instances([dataset])
        self._check_stored(answer, str(dataset.SOPInstanceUID))

    def studies(self, filters: Mapping[str, str], *, limit: int) -> list[str]:
        """Return the UIDs of at most `limit` studies that match (QIDO-RS)."""
        found: list[str] = []
        for match in self._pages(self._client.search_for_studies, dict(filters)):
            found.append(self._uid(match, "0020000D"))
            if len(found) == limit:
                break
        return found

    def instances(self, study: str, *, modalities: Sequence[str] = ()) -> list[Instance]:
        """Return the instances of a study, of the series of these modalities where some are named (QIDO-RS)."""
        found = []
        for match in self._pages(self._client.search_for_series, {}, study):
            if modalities and _text(match, "00080060") not in modalities:
                continue
            series = self._uid(match, "0020000E")
            for one in self._pages(self._client.search_for_instances, {}, study, series):
                found.append(Instance(study, series, self._uid(one, "00080018")))
        return found

    def fetch(self, instance: Instance) -> Dataset:
        """Return an instance, in the transfer syntax that it is kept in (WADO-RS)."""
        with self._translating_errors(), quiet():  # of the client, on servers that answer with one part
            return self._client.retrieve_instance(*instance)

    def save(self, instance: Instance, folder: Path) -> None:
        """Fetch an instance into `folder/<study>/<instance>.dcm`, named by the digests of their UIDs."""
        write_atomic(folder / digest(instance.study) / f"{digest(instance.instance)}.dcm", self.fetch_file(instance))

    def fetch_file(self, instance: Instance) -> bytes:
        """Return an instance as a DICOM file."""
        dataset, content = self.fetch(instance), io.BytesIO()
        try:
            with quiet():  # pydicom's warnings quote values
                # Never the sender's preamble: a file can be a program because of it (CVE-2019-11687).
                dataset.preamble = bytes(128)
                dataset.save_as(content, enforce_file_format=True)
        except Exception as error:  # its text can quote values
            problem = f"sent an invalid DICOM file ({type(error).__name__})"
            raise self._error("NOT_DICOM", problem, "export it there in another way") from error
        return content.getvalue()

    def _pages(self, search: Any, filters: dict[str, str], *where: str) -> Iterator[dict[str, Any]]:
        """Yield matches, page by page until one brings nothing new: servers cut pages short, or know no `offset`."""
        seen: set[str] = set()
        while True:
            with self._translating_errors():
                page = search(*where, offset=len(seen), limit=PAGE, search_filters=filters)
            new = [match for match in page if repr(match) not in seen]
            if not new:
                return
            seen |= {repr(match) for match in new}
            yield from new

    def _check_stored(self, answer: Dataset, uid: str) -> None:
        """Believe a server that an instance is stored where it names it, or answers 200 and says nothing."""
        stored = {str(item.get("ReferencedSOPInstanceUID")) for item in answer.get("ReferencedSOPSequence") or ()}
        failed = [item.get("FailureReason") for item in answer.get("FailedSOPSequence") or ()]
        if failed:
            reason = f", reason 0x{int(failed[0] or 0):04X}"
            raise self._error("NOT_STORED", f"did not store an object{reason}", "look into its log")
        if uid not in stored and (stored or self._status != requests.codes.ok):
            raise self._error(
                "NOT_STORED", f"answered {self._status} without confirming the object", "look into its log"
            )

    def _uid(self, match: dict[str, Any], tag: str) -> str:
        uid = _text(match, tag)
        if not is_uid(uid):
            raise self._error("NOT_UNDERSTOOD", "sent an invalid UID", "is it a DICOMweb server?")
        return uid

    def _note(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._status = response.status_code

    def _error(self, code: str, problem: str, remedy: str, *, is_final: bool = False) -> PacsError:
        return PacsError(code, f"{self.name}: {problem}; {remedy}", is_final=is_final)

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        """Turn what a request raises into `PacsError`; URLs, which hold UIDs, are not repeated."""
        self._status = 0
        try:
            yield
        except PacsError:
            raise
        except requests.TooManyRedirects as error:
            raise self._error("REFUSED", "redirects to another address", "give that one", is_final=True) from error
        except requests.exceptions.SSLError as error:
            raise self._error("UNREACHABLE", "its certificate is not trusted", "give its authority") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            raise self._error("UNREACHABLE", "no answer", "is it running, and is this its address?") from error
        except Exception as error:  # of dicomweb-client and pydicom, on what the server sent
            response = getattr(error, "response", None)
            if isinstance(error, requests.HTTPError) and response is not None:
                status = response.status_code
                remedy = _REMEDIES.get(status, "look into its log")
                is_final = 400 <= status < 500 and status not in (401, 403, 408, 409, 429)
                raise self._error("REFUSED", f"answered {status}", remedy, is_final=is_final) from error
            problem = f"the answer is not understood ({type(error).__name__})"
            raise self._error("NOT_UNDERSTOOD", problem, "is it a DICOMweb server?") from error


_REMEDIES = {
    401: f"set {HEADER}, or {USER} and {PASSWORD}",
    403: f"it knows these credentials but does not allow this; check {HEADER} or {USER}",
    404: "check the URL, which ends in /dicom-web on many servers, and the study",
}


def _text(match: dict[str, Any], tag: str) -> str:
    """Return the only value of an attribute in DICOM JSON, "" without one."""
    try:
        return str(match[tag]["Value"][0])
    except (KeyError, IndexError, TypeError):
        return ""


def server_name(url: str) -> str:
    """Return the name of a DICOMweb server in messages: its URL without what a URL can hide."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError("--url: is not a URL; give https://host/dicom-web") from error
    host = f"{parts.scheme}://{parts.hostname}"
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        shown = host if parts.scheme and parts.hostname else "--url"  # anything else may hold a password
        raise UsageError(f"{shown}: is not the root of a DICOMweb server; give https://host/dicom-web")
    if parts.username is not None or parts.password is not None:
        problem = "the URL holds a password, which process lists show"
        raise UsageError(f"{parts.hostname}: {problem}; set {USER} and {PASSWORD}")
    return f"{host}{'' if port is None else f':{port}'}{parts.path}"


def open_session(url: str, environment: Mapping[str, str], *, authorities: Path | None = None) -> requests.Session:
    """Return a session with the credentials of the environment, never those of ~/.netrc, that follows no redirect."""
    if authorities is not None:
        TLS(authorities=authorities).client_context()  # a file that cannot be used is refused here
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
