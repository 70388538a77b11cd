"""The routes of the sandbox, put together. No behaviour of its own beyond refusing what no route takes."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from syncflows.sandbox import control, crm, desk, erp, page
from syncflows.sandbox.delivery import Dispatcher
from syncflows.sandbox.enums import SystemName
from syncflows.sandbox.errors import ApiError
from syncflows.sandbox.exchange import Answer, Handler, endpoint, open_call
from syncflows.sandbox.world import World

log = logging.getLogger("syncflows.sandbox")
SYSTEM_ROUTES = {SystemName.CRM: crm.ROUTES, SystemName.ERP: erp.ROUTES, SystemName.DESK: desk.ROUTES}


def build_app(world: World) -> Starlette:
    systems = [_mount(f"/{name}", _system_routes(world, name)) for name in SystemName]
    routes = [
        *systems,
        _mount("/_control", _merge(control.ROUTES, lambda handler: _control(world, handler))),
        *page.build_routes(world),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refuse, Exception: _fail}
    app = Starlette(routes=routes, exception_handlers=handlers, lifespan=_lifespan(world))
    app.router.redirect_slashes = False
    return app


def _mount(path: str, routes: list[Route]) -> Mount:
    return Mount(path, app=Router(routes, redirect_slashes=False))


def _system_routes(world: World, name: SystemName) -> list[Route]:
    return _merge(SYSTEM_ROUTES[name], lambda handler: endpoint(world, name, handler))


def _merge(table: list[Any], wrap: Callable[[Handler], Any]) -> list[Route]:
    """One Route for each path, so that a wrong method is 405 and not 404."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, handler in table:
        paths.setdefault(path, {})[method] = wrap(handler)
    return [Route(path, _by_method(methods), methods=list(methods)) for path, methods in paths.items()]


def _by_method(methods: dict[str, Any]) -> Any:
    async def dispatch(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return dispatch


def _control(world: World, handler: Handler) -> Any:
    async def answer(request: Request) -> Response:
        try:
            page.refuse_cross_site(request)
            call = await open_call(request, world, "control")
            with world.store.transaction():
                return handler(call).render()
        except ApiError as error:
            return Answer(error.status, error.body(), error.headers).render()
        finally:
            world.wake()

    return answer


def _lifespan(world: World) -> Any:
    @asynccontextmanager
    async def run(app: Starlette) -> AsyncIterator[None]:
        dispatcher = Dispatcher(world)
        world.wake = dispatcher.wake
        task = asyncio.create_task(dispatcher.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return run


async def _refuse(request: Request, error: HTTPException) -> Response:
    codes = {404: "not_found", 405: "method_not_allowed"}
    message = f"{request.method} {request.url.path}: {error.detail}."
    refusal = ApiError(error.status_code, codes.get(error.status_code, "refused"), message)
    return Answer(refusal.status, refusal.body(), dict(error.headers or {})).render()


async def _fail(request: Request, error: Exception) -> Response:
    refusal = ApiError(500, "internal", "The sandbox has a defect; its log has the trace.")
    return Answer(500, refusal.body()).render()
