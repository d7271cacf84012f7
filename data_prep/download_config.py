"""The configuration of `chesslm data download`: which server, and how patient to be with it.

Knows: every key, its unit and its default.
Doesn't know: HTTP (`download_client`), or what is prepared from what was downloaded.

Nothing comes from the environment: neither proxies nor certificates. Who needs them says so here.
"""

from __future__ import annotations

from pydantic import Field

from chesslm.config import Section
from data_prep.config import PrepareConfig


class DownloadSection(Section):
    """Where dumps come from."""

    base_url: str = Field(
        "https://database.lichess.org",
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="address under which each variant has its folder; a mirror or a local server will do",
    )
    proxy: str | None = Field(None, pattern=r"^https?://\S+$", description="URL of a proxy; none if absent")
    ca_file: str | None = Field(
        None, description="PEM file of certificate authorities to trust; those that come with certifi if absent"
    )
    timeout_s: float = Field(30.0, gt=0, description="seconds without an answer or a byte: the connection is given up")
    min_speed: int = Field(1_000, ge=0, description="bytes a second; a connection slower over timeout_s is given up")
    retries: int = Field(8, ge=0, description="attempts after a failure; those that get on don't count")
    backoff_s: float = Field(
        1.0, ge=0, description="seconds before the first new attempt, on average 3/4 of it; doubles"
    )
    max_wait_s: float = Field(
        300.0, ge=0, description="longest wait, in seconds; a server that asks for a longer one (Retry-After) ends it"
    )
    require_checksum: bool = Field(True, description="refuse a file that sha256sums.txt doesn't list")


class DownloadConfig(PrepareConfig):
    """Everything that `chesslm data download` can be told; the other sections matter when it prepares (`--stream`)."""

    download: DownloadSection = DownloadSection()

    def preparation(self) -> PrepareConfig:
        """What `prepare` is told."""
        return PrepareConfig(**{name: getattr(self, name) for name in PrepareConfig.model_fields})
