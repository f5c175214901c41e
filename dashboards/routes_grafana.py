"""Contact points, policies, mute timings and templates as Grafana takes them.

The API's JSON and the provisioning files' YAML have the same fields except for their frame, so
one function writes each. Matchers are triples: Grafana decodes `[][3]string`, whatever SDKs emit.
"""

from dataclasses import replace
from typing import Any, Final

from dashboards.routes import (
    ALERTS_IN_A_MESSAGE,
    RECEIVERS,
    ContactSpec,
    MuteSpec,
    RouteSpec,
)

Json = dict[str, Any]

CREDENTIALS: Final = "authorization_credentials"
"""Setting of a webhook that Grafana does not show again."""

TEMPLATE_NAME: Final = "twin-messages"
TEMPLATE: Final = """\
{{ define "twin.title" -}}
[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ .Alerts.Firing | len }}{{ end }}] \
{{ .CommonLabels.severity }}: {{ .CommonLabels.alertname }}\
{{ if .CommonLabels.cause }} ({{ .CommonLabels.cause }}){{ end }}
{{- end }}

{{ define "twin.message" -}}
{{ range $number, $alert := .Alerts -}}
{{ if lt $number 10 -}}
- {{ .Status }} since {{ .StartsAt.UTC.Format "2006-01-02T15:04:05Z" }}: \
{{ .Annotations.summary }}{{ if .Annotations.runbook_url }} {{ .Annotations.runbook_url }}{{ end }}
{{ end -}}
{{ end -}}
{{ if gt (len .Alerts) 10 }}... {{ len .Alerts }} alerts in all
{{ end -}}
{{ end }}
"""
"""Title and text of a notification: ten alerts at most, the number of the others said."""


def duration(seconds: int) -> str:
    """Seconds as Prometheus prints a duration: `10s`, `1m`, `4h`, `1m30s`, `0s`."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def contact_point(contact: ContactSpec) -> Json:
    """Body of POST and PUT /api/v1/provisioning/contact-points."""
    text = {"title": '{{ template "twin.title" . }}', "message": '{{ template "twin.message" . }}'}
    if contact.kind == "email":
        settings: Json = {
            "addresses": contact.address,
            "singleEmail": True,
            "subject": text["title"],
            "message": text["message"],
        }
    else:
        settings = {
            "url": contact.address,
            "httpMethod": "POST",
            "maxAlerts": ALERTS_IN_A_MESSAGE,
            **text,
        }
        if contact.token:
            settings |= {"authorization_scheme": "Bearer", CREDENTIALS: contact.token}
    return {
        "uid": contact.uid,
        "name": contact.name,
        "type": contact.kind,
        "settings": settings,
        "disableResolveMessage": contact.disable_resolve,
    }


def policy(route: RouteSpec) -> Json:
    """One policy with those below it, as API and files have it."""
    found: Json = {
        "receiver": RECEIVERS[route.receiver],
        "object_matchers": [list(one) for one in route.matchers],
        "group_by": list(route.group_by),
        "group_wait": duration(route.group_wait_s),
        "group_interval": duration(route.group_interval_s),
        "repeat_interval": duration(route.repeat_interval_s),
    }
    if route.mutes:
        found["mute_time_intervals"] = list(route.mutes)
    if route.routes:
        found["routes"] = [policy(one) for one in route.routes]
    return found


def mute_timing(mute: MuteSpec) -> Json:
    """Body of POST and PUT /api/v1/provisioning/mute-timings; times are UTC."""
    span = {"start_time": mute.start, "end_time": mute.end}
    return {
        "name": mute.name,
        "time_intervals": [{"times": [span], "weekdays": list(mute.weekdays)}],
    }


def files_text(value: Any) -> Any:
    """A value for a provisioning file: each `$` doubled, which Grafana else expands."""
    if isinstance(value, dict):
        return {key: files_text(one) for key, one in value.items()}
    if isinstance(value, list):
        return [files_text(one) for one in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def contact_points_file(contacts: tuple[ContactSpec, ...]) -> Json:
    """Provisioning file `contact-points.yaml`: integrations under the name they share.

    No token goes into a file: a webhook that must bear one is brought by the API.
    """
    by_name: dict[str, list[Json]] = {}
    for contact in contacts:
        body = contact_point(replace(contact, token=""))
        by_name.setdefault(body.pop("name"), []).append(body)
    rows = [
        {"orgId": 1, "name": name, "receivers": receivers} for name, receivers in by_name.items()
    ]
    return {"apiVersion": 1, "contactPoints": files_text(rows)}


def policies_file(root: RouteSpec) -> Json:
    """Provisioning file `policies.yaml`: a file replaces the whole tree, so ours is all there is.

    What is not ours goes to the ticket receiver too.
    """
    top = {key: value for key, value in policy(root).items() if key != "object_matchers"}
    return {
        "apiVersion": 1,
        "policies": [files_text({"orgId": 1, **top, "routes": [policy(root)]})],
    }


def mute_timings_file(mutes: tuple[MuteSpec, ...]) -> Json:
    """Provisioning file `mute-timings.yaml`."""
    rows = [{"orgId": 1, **mute_timing(mute)} for mute in mutes]
    return {"apiVersion": 1, "muteTimes": rows}


def templates_file() -> Json:
    """Provisioning file `templates.yaml`."""
    row = {"orgId": 1, "name": TEMPLATE_NAME, "template": TEMPLATE}
    return {"apiVersion": 1, "templates": [files_text(row)]}
