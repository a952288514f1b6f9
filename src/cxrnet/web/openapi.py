"""The description of the API: OpenAPI 3.1, and a page of it for people that needs no script."""

import html
from typing import Any

NUMBER = {
    "name": "number",
    "in": "path",
    "required": True,
    "schema": {"type": "integer"},
    "description": "Number of the image, from the answer to its upload.",
}
OBJECT = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "One of the `objects` of the image.",
}
WAIT = {
    "name": "wait",
    "in": "query",
    "schema": {"type": "integer", "minimum": 0, "maximum": 60, "default": 0},
    "description": "Seconds to wait for a finding that is not there yet, before 409.",
}
ENTRY = {
    "type": "object",
    "required": ["number", "status", "score", "uncertain", "objects"],
    "properties": {
        "number": {"type": "integer"},
        "status": {"enum": ["waiting", "screening", "scored", "refused", "failed"]},
        "score": {"type": ["number", "null"], "description": "Of the first class; null unless scored."},
        "uncertain": {"type": "boolean", "description": "Whether the folds leave the answer open."},
        "objects": {"type": "array", "items": {"type": "string"}, "description": "DICOM objects that can be had."},
    },
}
STUDY = {
    "type": "object",
    "required": ["study"],
    "properties": {"study": {"type": "string", "description": "Study Instance UID."}},
}
PROBLEM = {"type": "object", "required": ["detail"], "properties": {"detail": {"type": "string"}}}


def describe_api() -> dict[str, Any]:
    """Return the OpenAPI document."""
    entry = {"$ref": "#/components/schemas/Entry"}
    entries = {"type": "object", "properties": {"images": {"type": "array", "items": entry}}}
    upload = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    paths: dict[str, Any] = {
        "/model": {
            "get": _operation(
                "The model that screens; `other` is the one that it is compared with, or null",
                {"200": _json("Name, classes, limits of the gate")},
            )
        },
        "/images": {
            "get": _operation("All images in the order they came", {"200": _json("The images", entries)}),
            "post": _operation(
                "Send one image: a DICOM, PNG, JPEG, TIFF, WebP or BMP file as the body of the request",
                {"201": _json("It is on the disk and waits", entry)} | _problems("400 408 413 429 503 507"),
                requestBody={"required": True, **upload},
            ),
        },
        "/studies": {
            "post": _operation(
                "Fetch the radiographs of a study from the DICOMweb server that the service was started with",
                {"201": _json("They are on the disk and wait", entries)} | _problems("400 404 413 429 502 503 507"),
                requestBody={"required": True, "content": {"application/json": {"schema": STUDY}}},
            )
        },
        "/images/{number}": {
            "parameters": [NUMBER],
            "get": _operation("How far an image is", {"200": _json("The image", entry)} | _problems("404")),
            "delete": _operation(
                "Delete an image with its results", {"204": {"description": "It is gone"}} | _problems("404")
            ),
        },
        "/images/{number}/finding.json": _result(
            "The record, as `cxrnet screen` writes it", "application/json", WAIT, codes="400 404 409"
        ),
        "/images/{number}/pixels": _result(
            "The greys at their full depth: uint16, little endian, row by row; header `X-Image` has their size",
            "application/octet-stream",
        ),
        "/images/{number}/maps.npz": _result("Lung probability, class maps and heat maps as arrays", "application/zip"),
        "/images/{number}/other/finding.json": _result(
            "The record of the second model, of a service started with --compare-with",
            "application/json",
            WAIT,
            codes="400 404 409",
        ),
        "/images/{number}/other/maps.npz": _result("The maps of the second model", "application/zip"),
        "/images/{number}/objects/{name}": _result(
            "A DICOM object", "application/dicom", OBJECT, codes="404 409 422 507"
        ),
        "/events": {
            "get": _operation(
                "Changes as server-sent events: `images` that are new or changed, numbers that were `removed`",
                {"200": {"description": "A stream", "content": {"text/event-stream": {}}}} | _problems("503"),
            )
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "cxrnet",
            "version": "1",
            "description": "Chest radiographs in, findings out. Research use only. Not a medical device.",
        },
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": {"Entry": ENTRY, "Problem": PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def describe_page(api: dict[str, Any]) -> str:
    """Return the description as HTML for people."""
    lines = []
    for path, operations in api["paths"].items():
        for method in ("get", "post", "delete"):
            if method in operations:
                operation = operations[method]
                answers = ", ".join(f"{code} {each['description']}" for code, each in operation["responses"].items())
                lines.append(
                    f"<dt><code>{method.upper()} /api/v1{html.escape(path)}</code></dt>"
                    f"<dd>{html.escape(operation['summary'])}.<br>{html.escape(answers)}.</dd>"
                )
    return (
        '<!doctype html><html lang="en" data-theme="dark"><head><meta charset="utf-8"><title>cxrnet API</title>'
        '<link rel="stylesheet" href="/style.css"></head><body class="document">'
        '<main class="document"><h1>cxrnet API</h1>'
        f"<p>{html.escape(api['info']['description'])} Machines read <a href='openapi.json'>openapi.json</a>.</p>"
        f"<dl>{''.join(lines)}</dl></main></body></html>"
    )


def _operation(summary: str, responses: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"summary": summary, "responses": responses, **further}


def _json(description: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema or {"type": "object"}}}}


def _problems(codes: str) -> dict[str, Any]:
    reasons = {
        "400": "Not a usable request",
        "404": "There is no such image or study",
        "408": "The upload stalled",
        "409": "Not screened yet, or screened with another model",
        "413": "Too large",
        "422": "The file lacks what a DICOM object must refer to",
        "429": "Too many",
        "502": "The DICOMweb server does not answer, or refuses",
        "503": "Busy",
        "507": "The disk is full",
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    return {code: _json(reasons[code], schema) for code in codes.split()}


def _result(summary: str, kind: str, *parameters: dict[str, Any], codes: str = "404 409") -> dict[str, Any]:
    responses = {"200": {"description": "The result", "content": {kind: {}}}} | _problems(codes)
    return {"parameters": [NUMBER, *parameters], "get": _operation(summary, responses)}
