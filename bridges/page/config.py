"""Configuration of the page: the ``bridges.page`` section of a scenario."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bridges.loopback import is_loopback

__all__ = ["PageConfig"]


class PageConfig(BaseModel):
    """The page in a browser.

    Users come from ``user_file`` and from FACTORY_TWIN_PAGE_USER with FACTORY_TWIN_PAGE_PASSWORD. Where there is neither, one
    user ``engineer`` is made with a random password, kept in the state folder for its owner only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(True, description="Serve the page when live.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every network of this machine.")
    port: int = Field(8080, ge=1, le=65535, description="TCP port, 1..65535.")
    user_file: Path | None = Field(
        None, description="File of lines name:role:hash; a line name:hash is a viewer. Roles: viewer, engineer, safety."
    )
    session_minutes: float = Field(
        480.0, ge=1, le=1440, description="A login ends this many minutes after the last request of its user; 480 is a shift."
    )
    certificate_file: Path | None = Field(None, description="Certificate (PEM) for HTTPS.")
    key_file: Path | None = Field(None, description="Private key (PEM) of the certificate.")
    insecure: bool = Field(False, description="Allow passwords to cross a network without TLS. For trials only.")
    history_minutes: float = Field(10.0, ge=0.1, le=60, description="Minutes of twin time that can be looked back at.")

    stories: bool = Field(True, description="Record those minutes in the state folder, so that outages in them can be explained.")

    @model_validator(mode="after")
    def _passwords_stay_secret(self) -> PageConfig:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: give both or neither")
        if not is_loopback(self.host) and self.certificate_file is None and not self.insecure:
            raise ValueError(
                f"passwords would cross the network to {self.host} unencrypted: give certificate_file and key_file, "
                "or insecure: true"
            )
        return self

    @property
    def tls(self) -> bool:
        """Whether the page is served over HTTPS."""
        return self.certificate_file is not None

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "") else "[::1]" if self.host == "::" else self.host
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host and '[' not in host else host}:{self.port}/"
