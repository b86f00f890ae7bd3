from __future__ import annotations

import pytest

from tests.conftest import clean_environment, model, relay

__all__ = ["clean_environment", "model", "relay", "there"]

from tests.up import Up


@pytest.fixture
def there(relay: Up, monkeypatch: pytest.MonkeyPatch) -> Up:
    monkeypatch.setenv("RELAY_URL", relay.url)
    monkeypatch.setenv("RELAY_API_TOKEN", relay.token)
    return relay
