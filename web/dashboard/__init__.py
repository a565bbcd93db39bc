"""The operators' dashboard of any application with a `KafkaBroker`. It knows nothing of todos.

    app.mount("/workers", dashboard(broker))

Everything that it shows and does goes through the code that the commands use: `workers.operations`,
`workers.dead_letters`.
"""

from .application import Dashboard, dashboard, installed_pages
from .desk import Desk, Pages
from .sessions.codes import first_code

#: Where `todo-workers web` has it.
DASHBOARD_AT = "/workers"

__all__ = ["DASHBOARD_AT", "Dashboard", "Desk", "Pages", "dashboard", "first_code", "installed_pages"]
