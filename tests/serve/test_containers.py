"""What the container files promise: no root, nothing open without a key, TERM reaches the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from biencoder.serve.environment import resolve
from biencoder.serve.settings import Settings

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_image_runs_without_root_and_without_a_shell_before_the_service() -> None:
    assert re.search(r"^USER (?!root|0)", DOCKERFILE, re.MULTILINE)
    assert 'ENTRYPOINT ["biencoder"]' in DOCKERFILE
    assert "STOPSIGNAL SIGTERM" in DOCKERFILE


def test_everything_that_the_image_copies_is_there_and_let_in() -> None:
    allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    }
    assert copied == set(allowed)
    assert all((ROOT / name).exists() for name in copied)


def test_the_images_variables_are_settings_of_the_service() -> None:
    environ = dict(re.findall(r"(BIENCODER_\w+)=(\S+)", DOCKERFILE))
    resolved = resolve({}, environ)
    assert (resolved.settings.host, resolved.settings.log_format) == ("0.0.0.0", "json")
    assert resolved.notices == ()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_read_only_and_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "/documents:ro" in service["volumes"][0]


def test_it_does_not_start_without_a_key_and_listens_to_this_machine_only() -> None:
    serve = SERVICES["serve"]
    assert serve["environment"]["BIENCODER_API_KEY"].startswith("${BIENCODER_API_KEY:?")
    assert all(port.startswith("127.0.0.1:") for port in serve["ports"])


def test_it_may_finish_what_it_has_begun() -> None:
    assert int(SERVICES["serve"]["stop_grace_period"].removesuffix("s")) > Settings().drain_timeout


def test_the_verbs_of_the_containers_are_verbs() -> None:
    from biencoder.cli.app import VERBS

    assert {service["command"][0] for service in SERVICES.values()} <= {verb.NAME for verb in VERBS}
