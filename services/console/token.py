"""The console's token: asked of everybody once it is set, which it has to be beyond loopback.

A program sends it as `Authorization: Bearer TOKEN`. A person opens `/?token=TOKEN` once and gets
a cookie that stands for it: not readable by scripts, not sent from pages of other sites. The
console changes nothing, so there is nothing for a forged request to do.
"""

import hashlib
import hmac
from typing import Any

from aiohttp import web

from services.http_site import Handler, bears

COOKIE = "twin_console"
COOKIE_KEPT_S = 30 * 86_400
OPEN_PATHS = frozenset({"/healthz"})  # says that the loop turns, and nothing of the fleet
HOW = "This console asks for its token: open /?token=TOKEN once (TWIN_CONSOLE_TOKEN_FILE).\n"


def doorkeeper(token: str, cookie_over_tls: bool) -> Any:
    """A middleware that answers 401 to whoever has not shown the token; open if it is empty."""
    stand_in = hmac.new(token.encode(), b"console cookie", hashlib.sha256).hexdigest()

    def is_known(request: web.Request) -> bool:
        cookie = request.cookies.get(COOKIE, "")
        return hmac.compare_digest(cookie.encode(), stand_in.encode()) or bears(request, token)

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not token or request.path in OPEN_PATHS:
            return await handler(request)
        shown = request.query.get("token", "") if request.path == "/" else ""
        if shown and hmac.compare_digest(shown.encode(), token.encode()):
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
        if not is_known(request):
            raise web.HTTPUnauthorized(text=HOW, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return keep
