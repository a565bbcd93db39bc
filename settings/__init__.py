"""The project's settings, read once at start-up from the environment and from `.env`."""

from settings.load import load_settings
from settings.models import KafkaSettings, ReminderSettings, Settings, SmtpSettings, WorkerSettings
from settings.names import describe
from settings.problems import SettingsError

__all__ = [
    "KafkaSettings",
    "ReminderSettings",
    "Settings",
    "SettingsError",
    "SmtpSettings",
    "WorkerSettings",
    "describe",
    "load_settings",
]
