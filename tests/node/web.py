"""A stand-in for a DICOMweb server, which answers what a test tells it to."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JSON = "application/dicom+json"


class Web(ThreadingHTTPServer):
    """`answers` maps a method and a path to (status, headers, body), or to a function of the request's headers and
    query that returns them; `asked` is what came.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked = {}, []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/dicom-web"

    def say(self, method, path, content, *, status=200, kind=JSON, **headers):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.answers[method, path] = (status, {"Content-Type": kind, **headers}, body)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.read()
        path, _, query = self.path.removeprefix("/dicom-web").partition("?")
        self.server.asked.append((self.command, path, query, dict(self.headers), body))
        answer = self.server.answers.get((self.command, path), (404, {}, b""))
        status, headers, content = answer(query) if callable(answer) else answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = answer  # noqa: N815

    def read(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *_):
        pass


@contextmanager
def web_server():
    server = Web()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def uid(tag, value):
    """One attribute in DICOM JSON."""
    return {tag: {"vr": "UI", "Value": [value]}}


def stored(value):
    """The answer of a server that has stored an instance."""
    return {"00081199": {"vr": "SQ", "Value": [uid("00081155", value)]}}


def multipart(*parts):
    """A body of several DICOM files, and its content type."""
    joined = b"".join(b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts)
    return joined + b"--cut--\r\n", 'multipart/related; type="application/dicom"; boundary=cut'
