"""`twin notifications`: a receiver of webhooks."""

from typing import Annotated

import typer

from services.process import run
from services.settings import host_and_port, load_settings

notifications_app = typer.Typer()


@notifications_app.command()
def notifications(
    listen: Annotated[str, typer.Option(help="host:port.")] = "127.0.0.1:8085",
    check: Annotated[bool, typer.Option("--check", help="Only validate; open no port.")] = False,
) -> None:
    """Take the webhooks of Grafana or Alertmanager: say each, show them at /notifications.

    POST /page, /ticket, /log and /drill are the receivers of docker-compose.yml. What comes
    again is counted once.
    """
    from services.logs import log_as_service
    from services.notifications import run_notifications

    log_as_service(load_settings(), "notifications")
    host, port = host_and_port(listen, "--listen")
    if not check:
        run(run_notifications(host, port))
