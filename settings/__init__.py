"""The project's settings, read once at start-up from the environment and from `.env`.

A name here is imported when it is first asked for: a command that needs no setting does not load pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from settings.kafka import KafkaSettings
    from settings.load import load_settings
    from settings.models import ReminderSettings, Settings, SmtpSettings, WorkerSettings
    from settings.names import describe
    from settings.problems import SettingsError
    from settings.web import WebSettings

__all__ = [
    "KafkaSettings",
    "ReminderSettings",
    "Settings",
    "SettingsError",
    "SmtpSettings",
    "WebSettings",
    "WorkerSettings",
    "describe",
    "load_settings",
]

_MODULES = {
    "KafkaSettings": "kafka",
    "describe": "names",
    "load_settings": "load",
    "SettingsError": "problems",
    "WebSettings": "web",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"settings.{_MODULES.get(name, 'models')}"), name)
