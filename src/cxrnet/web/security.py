"""Who may ask the service, and what a browser may do with its answers.

A page of another site can make a browser send requests to this machine: a name of its own that it lets point here (DNS
rebinding) is refused by the Host header, a form or script of its own by Origin and Sec-Fetch-Site.
"""

import hmac
import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' blob: data:; style-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
COOKIE = "cxrnet_session"
LOGIN = "/login"
SAFE_METHODS = frozenset({"GET", "HEAD"})
OPEN_PATHS = frozenset({LOGIN, "/style.css"})
"""Paths that are answered without a token."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Gatekeeper:
    """Checks each request before the service sees it, and adds the security headers to each answer."""

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] = (), token: str | None = None, is_encrypted: bool = False
    ) -> None:
        self._app, self._token, self._is_encrypted = app, token, is_encrypted
        self._hosts = frozenset(host.lower() for host in (*_LOOPBACK, *hosts))
        self._session = secrets.token_urlsafe(32)  # of this run; a restart asks for the token again

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refuse(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def log_in(self, token: str) -> str | None:
        """Return the value of a session cookie for the right token, None for a wrong one."""
        if self._token is None or not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        secure = "; Secure" if self._is_encrypted else ""
        return f"{COOKIE}={self._session}; HttpOnly; SameSite=Strict; Path=/{secure}"

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            return _error(421, "the service is not known by this name; name it with --allow-host")
        if scope["method"] not in SAFE_METHODS and not self._is_same_origin(headers, host):
            return _error(403, "the request comes from another site; open the page of the service itself")
        if self._token is not None and scope["path"] not in OPEN_PATHS and not self._is_known(headers):
            if scope["path"] == "/":
                return Response(status_code=303, headers={"Location": LOGIN})
            return _error(401, "a token is needed; send it as `Authorization: Bearer TOKEN`")
        return None

    @staticmethod
    def _is_same_origin(headers: Headers, host: str) -> bool:
        """Whether a request that changes something comes from the page itself, or from no browser at all."""
        origin = headers.get("origin")
        if origin is not None:
            return urlsplit(origin).netloc == host
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")

    def _is_known(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._token is not None:
            return hmac.compare_digest(given.strip().encode(), self._token.encode())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._session.encode())


def _name(host: str) -> str:
    """Return the name in a Host header, lower case and without port; "" where it has none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _error(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status)
