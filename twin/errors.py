"""One tree of named errors; the command line turns each into one line and an exit code.

Exit codes follow sysexits(3): 1 a check or score failed, 2 usage, 69 a dependency is
unavailable, 70 a bug of ours, 75 try again later, 78 configuration.
"""

from dataclasses import dataclass


class TwinError(Exception):
    """Root of everything the twin raises on purpose."""

    exit_code = 70


@dataclass(frozen=True)
class Problem:
    """One located fault in a configuration file: where it is, what it says, what is allowed."""

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigurationError(TwinError):
    """Files or settings that cannot be used; carries every problem found, not only the first."""

    exit_code = 78

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class OutOfRangeError(ConfigurationError, ValueError):
    """A value given to the Python API that cannot be: names the key, the value, what is allowed."""

    def __init__(self, key: str, value: object, allowed: str, whose: str = "input") -> None:
        self.key, self.value, self.allowed = key, value, allowed
        super().__init__(
            [Problem(whose, None, key, f"{value!r} is out of range; allowed {allowed}")]
        )


class DependencyUnavailableError(TwinError):
    """A broker, store or other outside system could not be reached in the time allowed."""

    exit_code = 69


class NotCompiledError(TwinError):
    """A scenario asks the compiled ticks for what only the numpy path has."""

    exit_code = 78

    def __init__(self, key: str, reason: str) -> None:
        self.key, self.reason = key, reason
        super().__init__(f"{key}: {reason}")
