"""The login form of the live page, which takes the token once and leaves a cookie."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fcn_edge.serve.access import Access
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.request_limits import headers_of

__all__ = ["STATIC", "login_routes"]

STATIC = Path(__file__).parent / "static"
_NEXT = re.compile(r"/(?:[A-Za-z0-9_][A-Za-z0-9_.~/?=&%,+-]{0,500})?")
"""A place on this page: a second slash at the start, or a backslash, would be another host."""


def login_routes(access: Access) -> list[Route]:
    """``/login`` and ``/logout``."""
    template = Template((STATIC / "login.html").read_text(encoding="utf-8"))

    def form(next_place: str, message: str = "", status: int = 200) -> HTMLResponse:
        if not access.has_token:
            message = message or "This run has no token, so nobody can log in: start it with --token-file FILE."
        text = template.substitute(
            next=escape(next_place),
            message=escape(message),
            hidden="" if message else "hidden",
            disabled="" if access.has_token else "disabled",
        )
        return HTMLResponse(text, status)

    async def show(request: Request) -> Response:
        return form(_next_of(request.query_params.get("next", "/")))

    async def log_in(request: Request) -> Response:
        fields = parse_qs((await request.body()).decode("latin-1"), keep_blank_values=True)
        next_place = _next_of(fields.get("next", ["/"])[0])
        try:
            cookie = access.log_in(request.scope, fields.get("token", [""])[0].strip())
        except Refusal as refusal:
            response = form(next_place, str(refusal) + " Wait a minute.", refusal.status)
            response.raw_headers.extend(header for header in refusal.headers if header[0] == b"retry-after")
            return response
        if cookie is None:
            return form(next_place, "That is not the token of this run." if access.has_token else "", 401)
        return RedirectResponse(next_place, 303, {"set-cookie": cookie})

    async def log_out(request: Request) -> Response:
        return RedirectResponse("/login", 303, {"set-cookie": access.log_out(request.scope, headers_of(request.scope))})

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
    ]


def _next_of(place: str) -> str:
    """Where a login leads: somewhere on this page, or its start."""
    return place if _NEXT.fullmatch(place) else "/"
