"""How a class or function becomes a FastAPI endpoint: for routing, and for routers of your own.

    from fastapi import FastAPI
    from lineside.controllers import Controller
    from lineside.controllers.endpoints import ControllerRoute, endpoint_for, plan

    class Clock(Controller):
        async def show(self) -> dict[str, str]:
            return {"path": self.request.url.path}

    app = FastAPI()
    endpoint = endpoint_for(plan(Clock, "show"))
    app.router.add_api_route("/clock", endpoint, route_class_override=ControllerRoute)

`plan` works an action out once, `endpoint_for` gives it the signature that FastAPI reads, and
`ControllerRoute` runs its callbacks around FastAPI's own handler.
"""

from lineside.controllers._controller import RESTFUL_ACTIONS, actions_of, guard
from lineside.controllers._endpoint import endpoint_for
from lineside.controllers._marks import OPTIONS
from lineside.controllers._plan import Plan, plan, plan_function
from lineside.controllers._route import ControllerRoute

__all__ = [
    "OPTIONS",
    "RESTFUL_ACTIONS",
    "ControllerRoute",
    "Plan",
    "actions_of",
    "endpoint_for",
    "guard",
    "plan",
    "plan_function",
]
