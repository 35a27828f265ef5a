"""The settings ``[monitor]``: from where on something is told, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, Field, SecretStr, field_validator

if TYPE_CHECKING:
    from serving.monitors.thresholds import Thresholds
    from serving.monitors.webhook import Webhook

Days = Annotated[float, Field(gt=0)]
FEEDS = ("events", "decisions", "outcomes", "features", "release")


class MonitorSettings(BaseModel, extra="forbid"):
    """See ``serving.monitors.thresholds.Thresholds`` and ``docs/monitor.md``.

    mute: monitors, or ``monitor:subject``, that are shown and never alert. dashboard_url: where
    links in alerts lead. runbook_url: where the folder that holds ``docs/`` can be read.
    webhook_*: see ``serving.monitors.webhook.Webhook``. reminder_hours: after so many an alert
    that stays is told again.
    """

    alarm_rate: float = Field(default=0.001, gt=0, lt=1)
    recent_days: int = Field(default=7, ge=1, le=60)
    past_days: int = Field(default=28, ge=7, le=34)
    freshness_days: Days = 3.0
    freshness: dict[str, Days] = {}
    psi_warn: float = Field(default=0.1, gt=0)
    psi: float = Field(default=0.25, gt=0)
    calibration: float = Field(default=0.25, gt=0)
    srm_p: float = Field(default=0.001, gt=0, lt=1)
    unsubscribe_rise: float = Field(default=1.5, gt=1)
    least_sends: int = Field(default=500, ge=1)
    pace: float = Field(default=0.17, gt=0, le=1)
    volume_factor: float = Field(default=2.0, gt=1)
    least_volume: int = Field(default=50, ge=1)
    silent_hours: int = Field(default=24, ge=1, le=336)
    silent_sends: int = Field(default=100, ge=1)
    mute: list[str] = []
    dashboard_url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$")
    runbook_url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$")
    webhook_url: str = ""
    webhook_hosts: list[str] = []
    webhook_private_hosts: list[str] = []
    webhook_secret: SecretStr = SecretStr("")
    reminder_hours: float = Field(default=24.0, gt=0)

    @field_validator("freshness")
    @classmethod
    def _of_feeds(cls, freshness: dict[str, float]) -> dict[str, float]:
        for name in freshness:
            if name not in FEEDS:
                raise ValueError(f"freshness of {name!r}, wanted one of {', '.join(FEEDS)}")
        return freshness

    @field_validator("mute")
    @classmethod
    def _of_monitors(cls, mute: list[str]) -> list[str]:
        from serving.monitors.result import MONITORS

        for name in mute:
            if name.split(":", 1)[0] not in MONITORS:
                raise ValueError(f"mute names {name!r}, wanted one of {', '.join(MONITORS)}")
        return mute

    def thresholds(self) -> Thresholds:
        from dataclasses import fields

        from serving.monitors.thresholds import Thresholds

        return Thresholds(**{one.name: getattr(self, one.name) for one in fields(Thresholds)})

    def webhook(self) -> Webhook | None:
        """None where none is set.

        Raises:
            WebhookError: it may not be called.
        """
        from serving.monitors.webhook import Webhook

        if not self.webhook_url:
            return None
        return Webhook(
            self.webhook_url,
            tuple(self.webhook_hosts),
            self.webhook_secret.get_secret_value().encode(),
            tuple(self.webhook_private_hosts),
            self.dashboard_url,
            self.runbook_url,
        )
