"""The state of a rule and its alerts as the stand-in answers it."""

from fake_state import Json, State


def rule_state(state: State, rule: Json) -> Json:
    """As GET /api/prometheus/grafana/api/v1/rules has one rule (api_prometheus.go).

    An instance says its state with its reason, `Normal (MissingSeries)`; its labels are those
    of rule and series and the two that Grafana adds.
    """
    added = {"alertname": rule["title"], "grafana_folder": "Twin alerts"}
    alerts = [
        {**one, "labels": {**rule["labels"], **added, **one["labels"]}, "annotations": {},
         "value": "" if one["state"].startswith("Normal") else "1e+00"}
        for one in state.alerts.get(rule["uid"], [])
    ]  # fmt: skip
    seen = {str(one["state"]).split(" ")[0] for one in alerts}
    summary = "firing" if seen & {"Alerting", "Recovering"} else "inactive"
    found = {"name": rule["title"], "labels": rule["labels"], "alerts": alerts,
             "state": "pending" if seen == {"Pending"} else summary, "health": "ok",
             "lastEvaluation": state.evaluated, "evaluationTime": 0.01, "type": "alerting",
             "query": "", "duration": 0}  # fmt: skip
    if rule["uid"] in state.errors:
        found |= {"health": "error", "lastError": state.errors[rule["uid"]]}
    return found
