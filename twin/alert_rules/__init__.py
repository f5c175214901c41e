"""The alert rules, one module per subsystem; `twin.alerts.RULES` is all of them."""
