"""The console's token: asked of everybody once it is set, which it has to be beyond loopback.

A program sends it as `Authorization: Bearer TOKEN`. A person opens `/?token=TOKEN` once and gets
a cookie that stands for it: not readable by scripts, not sent from pages of other sites. The
console changes nothing, so there is nothing for a forged request to do.
"""

import hashlib
import hmac
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from services.console.login_limit import LoginLimit
from services.http_site import Handler, bears

LOG = logging.getLogger(__name__)
COOKIE = "twin_console"
COOKIE_KEPT_S = 30 * 86_400
OPEN_PATHS = frozenset({"/healthz"})  # says that the loop turns, and nothing of the fleet
HOW = "This console asks for its token: open /?token=TOKEN once (TWIN_CONSOLE_TOKEN_FILE).\n"


def doorkeeper(
    token: str, cookie_over_tls: bool, now_s: Callable[[], float] = time.monotonic
) -> Any:
    """A middleware that answers 401 to whoever has not shown the token; open if it is empty.

    429 to an address that has shown wrong ones too often. A cookie is no guess: it is as long as a
    hash, and an old one in a browser must not keep its owner out.
    """
    stand_in = hmac.new(token.encode(), b"console cookie", hashlib.sha256).hexdigest()
    limit = LoginLimit(now_s)

    def has_cookie(request: web.Request) -> bool:
        cookie = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(cookie.encode(), stand_in.encode())

    def checked(request: web.Request, is_right: Callable[[], bool]) -> bool:
        """Whether a token that was shown is the right one; not even looked at if too soon."""
        if (closed_s := limit.wait_s(request.remote)) > 0.0:
            raise _too_soon(closed_s)
        if is_right():
            limit.was_right(request.remote)
            return True
        if (closed_s := limit.was_wrong(request.remote)) > 0.0:
            LOG.warning("wrong tokens from %s: not heard for %g s", request.remote, closed_s)
        return False

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not token or request.path in OPEN_PATHS:
            return await handler(request)
        shown = request.query.get("token", "") if request.path == "/" else ""
        if shown and checked(request, lambda: hmac.compare_digest(shown.encode(), token.encode())):
            # To the same page without the token in its address, where history would keep it.
            answer = web.Response(status=303, headers={"Location": "/"})
            answer.set_cookie(
                COOKIE,
                stand_in,
                max_age=COOKIE_KEPT_S,
                httponly=True,
                samesite="Strict",
                secure=cookie_over_tls,
            )
            return answer
        if has_cookie(request):
            return await handler(request)
        if "Authorization" in request.headers and checked(request, lambda: bears(request, token)):
            return await handler(request)
        raise web.HTTPUnauthorized(text=HOW, headers={"WWW-Authenticate": "Bearer"})

    return keep


def _too_soon(closed_s: float) -> web.HTTPTooManyRequests:
    after = str(math.ceil(closed_s))
    text = f"Too many wrong tokens from this address; again in {after} s.\n"
    return web.HTTPTooManyRequests(text=text, headers={"Retry-After": after})
