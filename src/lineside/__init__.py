"""Rails laid beside your FastAPI app.

Each concept has a door of its own, and importing one loads nothing of the others:

    from lineside.controllers import Controller, before_action
    from lineside.routing import resources
    from lineside.abilities import Ability
    from lineside.models import Model
    from lineside.config import Config
"""

__version__ = "0.1.0"
