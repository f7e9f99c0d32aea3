"""The Python environment of the Spark engine, apart from ours: pyspark and pyspark-client install the same package.

It is made when first needed: a virtual environment with pyspark, and Delta's jars, which Spark fetches from Maven Central.
`python -m brickyard.local.engines.spark_env` makes it ahead of time and says on stderr what it does.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from brickyard.local.engines.model import EngineUnavailable

PYSPARK = "4.2.0"
DELTA = "4.4.0"
COORDINATES = f"io.delta:delta-spark_4.2_2.13:{DELTA}"
_REQUIREMENTS = (f"pyspark=={PYSPARK}", f"delta-spark=={DELTA}")
_OLDEST_JAVA = 17
_FETCH = Path(__file__).with_name("spark_jars.py")
_MARK = "ready.json"
_LINES = 15

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class SparkEnvironment:
    """Where the engine's Python and jars are, or are to be made, and which Java runs them.

    *own_python* and *own_jars* are the user's: nothing is made or fetched in their place.
    """

    folder: Path
    own_python: Path | None = None
    own_jars: Path | None = None
    java_home: Path | None = None

    @property
    def python(self) -> Path:
        """The interpreter of the environment."""
        return self.own_python or self.folder / "venv" / "bin" / "python"

    @property
    def jars(self) -> Path:
        """The folder of Delta's jars."""
        return self.own_jars or self.folder / "jars"

    @property
    def java(self) -> str | None:
        """The Java that is used, None when there is none."""
        named = None if self.java_home is None else self.java_home / "bin" / "java"
        return str(named) if named is not None and named.exists() else shutil.which("java")

    def ensure(self, say: Progress) -> None:
        """Make what is missing, or raise EngineUnavailable with the reason and the cure."""
        self._check_java()
        self._check_own()
        with _locked(self.folder):
            if self.own_python is None and not self._is_made("venv", list(_REQUIREMENTS)):
                self._make_venv(say)
            if self.own_jars is None and not self._is_made("jars", [COORDINATES]):
                self._fetch_jars(say)

    # --- what must be there -----------------------------------------------------------------------------------------

    def _check_java(self) -> None:
        cure = f"install Java {_OLDEST_JAVA} or newer and put it on PATH, or set JAVA_HOME"
        if self.java is None:
            raise EngineUnavailable("Spark needs Java, and there is none", cure)
        version = java_version(self.java)
        if version is None or version < _OLDEST_JAVA:
            raise EngineUnavailable(f"Spark needs Java {_OLDEST_JAVA}, and {self.java} is {version or 'unknown'}", cure)

    def _check_own(self) -> None:
        if self.own_python is not None and not self.own_python.exists():
            cure = f"name the python of an environment with {' and '.join(_REQUIREMENTS)}, or unset it"
            raise EngineUnavailable(f"BRICKYARD_SPARK_PYTHON names {self.own_python}, which is not there", cure)
        if self.own_jars is not None and not any(self.own_jars.glob("*delta-spark*.jar")):
            cure = f"put {COORDINATES} and what it depends on there, or unset it"
            raise EngineUnavailable(f"BRICKYARD_SPARK_JARS names {self.own_jars}, which has no delta-spark jar", cure)

    # --- making it --------------------------------------------------------------------------------------------------

    def _is_made(self, part: str, wanted: list[str]) -> bool:
        mark = self.folder / part / _MARK
        return mark.exists() and json.loads(mark.read_text()) == wanted

    def _make_venv(self, say: Progress) -> None:
        say(f"making an environment with {' and '.join(_REQUIREMENTS)} in {self.folder} (about 480 MB)")
        venv = self.folder / "venv"
        shutil.rmtree(venv, ignore_errors=True)
        for command in _venv_commands(venv):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                cure = "let it reach a package index, or set BRICKYARD_SPARK_PYTHON to an environment that has them"
                raise EngineUnavailable(f"pyspark {PYSPARK} could not be installed: {_end(done.stderr)}", cure)
        (venv / _MARK).write_text(json.dumps(list(_REQUIREMENTS)))

    def _fetch_jars(self, say: Progress) -> None:
        say(f"fetching {COORDINATES} and what it depends on from Maven Central (about 90 MB)")
        jars = self.folder / "jars"
        shutil.rmtree(jars, ignore_errors=True)
        command = [str(self.python), str(_FETCH), COORDINATES, str(self.folder / "ivy"), str(jars)]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment(os.environ))
        if done.returncode:
            raise no_jars(done.stderr)
        (jars / _MARK).write_text(json.dumps([COORDINATES]))

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The variables of the engine's process: nothing that would lead it to another Spark."""
        kept = {k: v for k, v in inherited.items() if not k.startswith(("SPARK_", "PYSPARK_", "PYTHON"))}
        home = {} if self.java_home is None else {"JAVA_HOME": str(self.java_home)}
        return kept | home | {"PYSPARK_PYTHON": str(self.python), "SPARK_LOCAL_IP": "127.0.0.1"}


def from_environ(environ: Mapping[str, str]) -> SparkEnvironment:
    """The environment of this user: `BRICKYARD_SPARK_ENV`, `_PYTHON` and `_JARS` and `JAVA_HOME` override."""
    return SparkEnvironment(
        folder=_path(environ, "BRICKYARD_SPARK_ENV") or _default_folder(environ),
        own_python=_path(environ, "BRICKYARD_SPARK_PYTHON"),
        own_jars=_path(environ, "BRICKYARD_SPARK_JARS"),
        java_home=_path(environ, "JAVA_HOME"),
    )


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]).expanduser().absolute() if environ.get(name) else None


def _default_folder(environ: Mapping[str, str]) -> Path:
    cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache / "brickyard" / f"spark-{PYSPARK}-delta-{DELTA}-python-{python}"


def java_version(java: str) -> int | None:
    """The major version of a Java, None when it does not say."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except OSError:
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None


def no_jars(said: str) -> EngineUnavailable:
    """Why Spark could not fetch the jars, from what Ivy printed."""
    if "FAILED DOWNLOADS" in said:
        broken = ", ".join(sorted(set(re.findall(r":: (\S+#\S+;[\w.\-]+)!", said))))
        return EngineUnavailable(
            f"Ivy found descriptions but no jars (FAILED DOWNLOADS: {broken or 'see above'})",
            "a half-filled Maven cache does this: remove those artifacts from ~/.m2/repository and try again,"
            " or set BRICKYARD_SPARK_JARS to a folder that has the jars",
        )
    return EngineUnavailable(
        f"the jars of {COORDINATES} could not be fetched: {_end(said)}",
        "let it reach https://repo1.maven.org, or set BRICKYARD_SPARK_JARS to a folder that has the jars",
    )


def _venv_commands(venv: Path) -> list[list[str]]:
    python = str(venv / "bin" / "python")
    uv = shutil.which("uv") or os.environ.get("UV")
    if uv:
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, str(venv)],
            [uv, "pip", "install", "--quiet", "--python", python, *_REQUIREMENTS],
        ]
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *_REQUIREMENTS]
    return [[sys.executable, "-m", "venv", str(venv)], install]


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LINES:])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One maker at a time; the system lets go of the lock when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def main() -> int:
    """Make the environment; 3 when it cannot be made, with the reason on stderr."""
    try:
        from_environ(os.environ).ensure(say)
    except EngineUnavailable as error:
        say(error.message)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
