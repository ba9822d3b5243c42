"""The gateway: whether it answers."""

from __future__ import annotations

import time

from cli.application import Application
from cli.examination.finding import Finding, bad, good, why
from cli.failures import Failure
from cli.gateway_client import gateway_client
from schemas.gateway import Health


def look_at_gateway(app: Application) -> list[Finding]:
    """It answers, and says whether the services behind it do."""
    if not app.settings.gateway:
        return []
    try:
        with gateway_client(app, None) as client:
            began = time.monotonic()
            answer = client.get("/healthz")
            took = (time.monotonic() - began) * 1000
            health = Health.model_validate_json(answer.content)
    except (Failure, ValueError, OSError) as error:
        mend = "heard up or heard serve; HEARD_GATEWAY_HOST and _PORT say where it listens"
        if app.running is None and app.settings.gateway_port is None:
            # It may listen on another machine, or on whatever port was free.
            return [Finding("gateway", None, "not found: " + why(error), mend)]
        return [bad("gateway", why(error), mend)]
    behind = "" if health.serving else "; its process stands by, and another serves"
    return [good("gateway", f"{client.base_url} answers, in {took:.0f} ms{behind}")]
