"""What an ingester says of itself over HTTP: readiness and metrics."""

import json
import urllib.error
import urllib.request

from parts import until


class Asked:
    """Whoever knows the port of a service's health."""

    health_port: int

    def ready(self, port: int | None = None) -> dict[str, bool] | None:
        """Its checks; None while it answers nothing."""
        try:
            url = f"http://127.0.0.1:{port or self.health_port}/readyz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                checks: dict[str, bool] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            checks = json.loads(error.read())
        except (OSError, ValueError):
            return None
        return checks

    def is_ready(self, port: int | None = None) -> bool:
        return (checks := self.ready(port)) is not None and all(checks.values())

    def until_ready(self, limit_s: float = 60.0) -> None:
        """Who publishes by hand sends nothing twice: somebody must be there to hear it.

        Raises TimeoutError.
        """
        if until(self.is_ready, limit_s) is None:
            raise TimeoutError(f"not ready after {limit_s:g} s: {self.ready()}")

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples with these labels; 0 while nothing answers."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.health_port}/metrics", timeout=5
            ) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        found = [
            float(line.rpartition(" ")[2])
            for line in lines
            if line.partition("{")[0].partition(" ")[0] == f"twin_{name}"
            and all(pair in line for pair in wanted)
        ]
        return sum(found)
