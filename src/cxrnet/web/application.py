"""The HTTP interface of the service: the page, the API under /api/v1, and its description."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from cxrnet.errors import CxrNetError, OutputError
from cxrnet.node.objects import FILES
from cxrnet.web.events import Watcher
from cxrnet.web.intake import RequestError, Upload
from cxrnet.web.openapi import describe_api, describe_page
from cxrnet.web.results import LAYOUT, MAPS, OTHER, PIXELS
from cxrnet.web.security import LOGIN, Gatekeeper
from cxrnet.web.service import Service

if TYPE_CHECKING:
    from cxrnet.web.studies import Studies

API = "/api/v1"
MAX_WAIT_SECONDS = 60
_SHORT_BYTES = 4096
_KINDS = {"app.js": "text/javascript; charset=utf-8", "style.css": "text/css; charset=utf-8"}
_LOGIN_PAGE = (
    '<!doctype html><html lang="en" data-theme="dark"><meta charset="utf-8"><title>cxrnet</title>'
    '<link rel="stylesheet" href="style.css"><body class="login"><main class="login"><h1>cxrnet</h1>'
    '<form method="post" action="login"><label for="token">Token, as `cxrnet serve` printed it</label>'
    '<input type="password" id="token" name="token" autocomplete="off" required autofocus>'
    '<button class="primary">Open</button></form><p role="alert">{}</p></main></body></html>'
)


class Application:
    """The routes of one service."""

    def __init__(
        self,
        service: Service,
        static: dict[str, bytes],
        *,
        hosts: Collection[str] = (),
        token: str | None = None,
        is_encrypted: bool = False,
        studies: Studies | None = None,
    ) -> None:
        self._service, self._static, self._studies = service, static, studies
        self._watcher = Watcher(service)
        # Told where its findings come from; the policy is in the headers.
        self._page = static["index.html"].replace(b'<html lang="en"', b'<html lang="en" data-source="service"', 1)
        routes = Starlette(
            routes=[
                Route("/", self._answer_page),
                *(Route(f"/{name}", self._answer_static) for name in _KINDS),
                Route(LOGIN, self._answer_login, methods=["GET", "POST"]),
                Route(f"{API}/openapi.json", self._answer_openapi),
                Route(f"{API}/docs", self._answer_docs),
                Route(f"{API}/model", self._answer_model),
                Route(f"{API}/events", self._answer_events),
                Route(f"{API}/studies", self._answer_studies, methods=["POST"]),
                Route(f"{API}/images", self._answer_images, methods=["GET", "POST"]),
                Route(f"{API}/images/{{number:int}}", self._answer_image, methods=["GET", "DELETE"]),
                Route(f"{API}/images/{{number:int}}/finding.json", self._answer_finding),
                Route(f"{API}/images/{{number:int}}/pixels", self._answer_pixels),
                Route(f"{API}/images/{{number:int}}/maps.npz", self._answer_maps),
                Route(f"{API}/images/{{number:int}}/other/finding.json", self._answer_finding),
                Route(f"{API}/images/{{number:int}}/other/maps.npz", self._answer_maps),
                Route(f"{API}/images/{{number:int}}/objects/{{name:str}}", self._answer_object),
            ],
            exception_handlers=dict.fromkeys((HTTPException, OSError, CxrNetError), _refuse),
        )
        self.guarded = Gatekeeper(routes, hosts=hosts, token=token, is_encrypted=is_encrypted)

    async def _answer_page(self, request: Request) -> Response:
        return HTMLResponse(self._page)

    async def _answer_static(self, request: Request) -> Response:
        name = request.url.path.lstrip("/")
        return Response(self._static[name], headers={"Content-Type": _KINDS[name]})

    async def _answer_login(self, request: Request) -> Response:
        if request.method == "GET":
            return HTMLResponse(_LOGIN_PAGE.format(""))
        self._service.rate.take()
        body = await _short_body(request)
        given = parse_qs(body.decode("ascii", "replace")).get("token", [""])[0]
        cookie = self.guarded.log_in(given)
        if cookie is None:
            await asyncio.sleep(0.5)  # guessing takes its time
            return HTMLResponse(_LOGIN_PAGE.format("This is not the token."), status_code=401)
        return Response(status_code=303, headers={"Location": "/", "Set-Cookie": cookie})

    async def _answer_openapi(self, request: Request) -> Response:
        return JSONResponse(describe_api())

    async def _answer_docs(self, request: Request) -> Response:
        return HTMLResponse(describe_page(describe_api()))

    async def _answer_model(self, request: Request) -> Response:
        return JSONResponse(self._service.model | {"archive": None if self._studies is None else self._studies.name})

    async def _answer_studies(self, request: Request) -> Response:
        if self._studies is None:
            raise HTTPException(404, "no DICOMweb server is known; start the service with --dicomweb")
        try:
            asked = json.loads(await _short_body(request))
        except ValueError:
            asked = None
        study = asked.get("study") if isinstance(asked, dict) else None
        entries = await asyncio.to_thread(self._studies.fetch, study, self._service)
        return JSONResponse({"images": [entry.record() for entry in entries]}, status_code=201)

    async def _answer_events(self, request: Request) -> Response:
        if self._watcher.is_full:
            raise HTTPException(503, "too many pages watch already; close one")
        return StreamingResponse(self._watcher.events(), media_type="text/event-stream")

    async def _answer_images(self, request: Request) -> Response:
        if request.method == "GET":
            entries = await asyncio.to_thread(self._service.entries)
            return JSONResponse({"images": [entry.record() for entry in entries]})
        await asyncio.to_thread(self._service.check_room)
        length, limit = request.headers.get("content-length", "0"), self._service.limits.image_bytes
        if length.isdigit() and int(length) > limit:
            raise RequestError(413, f"the file is {length} bytes; at most {limit} are accepted")
        upload = Upload(request.stream(), self._service.limits)
        try:
            entry = await asyncio.to_thread(self._service.take, upload)
        except OSError:
            await upload.drain()
            raise
        return JSONResponse(entry.record(), status_code=201, headers={"Location": f"{API}/images/{entry.number}"})

    async def _answer_image(self, request: Request) -> Response:
        number = request.path_params["number"]
        if request.method == "DELETE":
            await self._wait_until_written(number)
            if not await asyncio.to_thread(self._service.delete, number):
                raise _missing(number)
            return Response(status_code=204)
        entry = await asyncio.to_thread(self._service.entry, number)
        if entry is None:
            raise _missing(number)
        return JSONResponse(entry.record())

    async def _answer_finding(self, request: Request) -> Response:
        """Answer with the record of a finding, for which the client may wait."""
        number, seconds, other = request.path_params["number"], _wait_seconds(request), _is_other(request)

        def look() -> dict[str, Any] | None:
            is_under_way = self._service.is_under_way(number)
            record = self._service.finding(number, other=other)
            return record if record is not None or is_under_way else {}

        record = await self._service.notifier.until(look, seconds=seconds)
        if not record:
            raise await self._missing_result(number, other=other)
        return JSONResponse(record)

    async def _answer_pixels(self, request: Request) -> Response:
        path = await self._file(request, self._service.result, PIXELS)
        layout = json.loads((path.parent / LAYOUT).read_text(encoding="utf-8"))
        headers = {"Content-Encoding": "gzip", "X-Image": json.dumps(layout, separators=(",", ":"))}
        return FileResponse(path, media_type="application/octet-stream", headers=headers)

    async def _answer_maps(self, request: Request) -> Response:
        name = f"{OTHER}{MAPS}" if _is_other(request) else MAPS
        path = await self._file(request, self._service.result, name)
        return FileResponse(path, media_type="application/zip")

    async def _answer_object(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            raise HTTPException(404, f"there is no object of this name; the names are {', '.join(FILES)}")
        return FileResponse(await self._file(request, self._service.object, name), media_type="application/dicom")

    async def _file(self, request: Request, find: Callable[[int, str], Path | None], name: str) -> Path:
        number = request.path_params["number"]
        await self._wait_until_written(number)
        path = await asyncio.to_thread(find, number, name)
        if path is None:
            raise await self._missing_result(number, other=name.startswith(OTHER))
        return path

    async def _wait_until_written(self, number: int) -> None:
        """Wait while a worker is at an image: its files are not all there, although its finding may be known."""
        service = self._service
        await service.notifier.until(lambda: None if service.is_claimed(number) else True, seconds=MAX_WAIT_SECONDS)

    async def _missing_result(self, number: int, *, other: bool = False) -> HTTPException:
        entry = await asyncio.to_thread(self._service.entry, number)
        if entry is None:
            return _missing(number)
        if await asyncio.to_thread(self._service.is_under_way, number):
            return HTTPException(409, f"image {number} is not screened yet; ask again later")
        if other and entry.status != "failed":
            remedy = "start the service with --compare-with and upload it again"
            return HTTPException(404, f"image {number} has no such result of a second model; {remedy}")
        return HTTPException(404, f"image {number} is {entry.status} and has no such result")


def _is_other(request: Request) -> bool:
    """Return whether a request is for a result of the second model."""
    return "/other/" in request.url.path


def _wait_seconds(request: Request) -> float:
    """Return how long the client waits for what is not there yet."""
    text = request.query_params.get("wait", "0")
    if not text.isdecimal() or int(text) > MAX_WAIT_SECONDS:
        raise HTTPException(400, f"wait is not a whole number of seconds up to {MAX_WAIT_SECONDS}; leave it out")
    return int(text)


async def _short_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _SHORT_BYTES:
            raise HTTPException(413, f"the request has more than {_SHORT_BYTES} bytes; send what is asked for alone")
    return body


def _missing(number: int) -> HTTPException:
    return HTTPException(404, f"there is no image {number}; GET {API}/images lists all")


async def _refuse(request: Request, error: Exception) -> Response:
    detail, headers = str(error), {}
    match error:
        case HTTPException():
            status, detail = error.status_code, error.detail
        case RequestError():
            status, headers = error.status, {"Connection": "close"}
            headers |= {"Retry-After": "5"} if status in (429, 503) else {}
        case OSError():
            status, detail = 507, f"the disk cannot take it ({type(error).__name__}); free space"
        case _:
            status = 507 if isinstance(error, OutputError) else 422
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)
