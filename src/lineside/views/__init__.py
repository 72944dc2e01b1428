"""One action in several formats, redirects that stay on the site, files that stay in their folder.

The client's ``Accept`` header chooses the format:

    from fastapi import FastAPI
    from lineside.views import respond_to

    app = FastAPI()


    @app.get("/posts/{id}")
    @respond_to("json", text=lambda post: post["title"])
    def show(id: int) -> dict[str, str]:
        return {"title": f"Post {id}"}

``Accept: text/plain`` gets the title alone; anything else gets JSON, as before.
"""

from lineside._accept import MediaRange, best_match, parse_accept
from lineside.views._files import content_disposition, resolve_inside, send_data, send_file
from lineside.views._redirect import redirect_to, safe_redirect_target
from lineside.views._render import Renderer
from lineside.views._respond import Formats, respond_to
from lineside.views._uploads import SavedUpload, save_upload

__all__ = [
    "Formats",
    "MediaRange",
    "Renderer",
    "SavedUpload",
    "best_match",
    "content_disposition",
    "parse_accept",
    "redirect_to",
    "resolve_inside",
    "respond_to",
    "safe_redirect_target",
    "save_upload",
    "send_data",
    "send_file",
]
