"""A service account with the least right that annotating needs, and its token in a file.

Grafana's free edition has no finer roles than Viewer, Editor and Admin; annotations of a whole
organisation need Editor (read in the role registrations of 9.4 and newer). The token of an Admin,
with which `twin provision` itself runs, is never given to a service.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from services.grafana import Grafana, GrafanaLogInError
from services.grafana_settings import GrafanaSettings
from services.provision import Change, Found, Json, RemovableKind
from services.secret_files import OWN_FILE, write_secret

ACCOUNT: Final = "twin-annotator"
TOKEN_NAME: Final = "twin"


class ServiceAccounts(RemovableKind):
    """The annotator's account by name, and whether the token in the file still works."""

    name = "service account"

    def __init__(
        self, grafana: Grafana, settings: GrafanaSettings, token_file: Path | None
    ) -> None:
        super().__init__(grafana)
        self.settings, self.token_file = settings, token_file

    def wanted(self) -> Mapping[str, Any]:
        """The account, where there is a file for its token."""
        if self.token_file is None:
            return {}
        return {ACCOUNT: {"role": "Editor", "isDisabled": False, "token_works": True}}

    def found(self) -> Mapping[str, Found]:
        """By name; without a file for its token, an account of an earlier run is left alone."""
        if self.token_file is None:
            return {}
        account = self._account()
        if account is None:
            return {}
        return {ACCOUNT: Found({**account, "token_works": self._works()}, "twin", account)}

    def _account(self) -> Json | None:
        rows = self.grafana.get(f"/serviceaccounts/search?query={ACCOUNT}&perpage=100")
        return next((row for row in rows["serviceAccounts"] if row["name"] == ACCOUNT), None)

    def _works(self) -> bool:
        """Whether Grafana takes the token, by using it for what any role may ask."""
        assert self.token_file is not None
        if not self.token_file.exists():
            return False
        text = self.token_file.read_text("utf-8").strip()
        if not text:
            return False
        given = {
            "grafana_token": SecretStr(text),
            "grafana_token_file": None,
            "grafana_username": None,
            "grafana_password": None,
        }
        with Grafana(self.settings.model_copy(update=given), self.grafana.patience) as as_annotator:
            try:
                as_annotator.get("/org")
            except GrafanaLogInError as error:
                return error.status != 401  # 403: known, and not allowed to ask this
        return True

    def write(self, change: Change) -> None:
        """Account, role, token, file, in this order: a run that ends anywhere is ended by the next.

        A token's text is told once. If it was lost, the token of its name is replaced.
        """
        assert self.token_file is not None
        role = {"name": change.key, "role": change.wanted["role"]}
        if change.found is None:
            account = self.grafana.ask("POST", "/serviceaccounts", role)
        else:
            account = change.found.raw
            if account.get("role") != change.wanted["role"] or account.get("isDisabled"):
                self.grafana.ask(
                    "PATCH", f"/serviceaccounts/{account['id']}", {**role, "isDisabled": False}
                )
        if change.found is not None and change.found.body["token_works"]:
            return
        tokens = f"/serviceaccounts/{account['id']}/tokens"
        for old in self.grafana.get(tokens) or []:
            if old["name"] == TOKEN_NAME:
                self.grafana.ask("DELETE", f"{tokens}/{old['id']}")
        made = self.grafana.ask("POST", tokens, {"name": TOKEN_NAME})
        self.token_file.parent.mkdir(parents=True, exist_ok=True)
        write_secret(self.token_file, made["key"] + "\n", OWN_FILE)

    def remove(self, change: Change) -> None:
        """With all its tokens."""
        assert change.found is not None
        self.grafana.ask("DELETE", f"/serviceaccounts/{change.found.raw['id']}")
