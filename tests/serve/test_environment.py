"""Where settings come from: command line, BIENCODER_*, NIM_*, default, in this order."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tests.serve.wire_client import mini

from biencoder.errors import InputError
from biencoder.serve import nim
from biencoder.serve.environment import READERS, Resolved, read_keys, resolve
from biencoder.serve.metrics import Metrics
from biencoder.serve.models import load_models, served_id
from biencoder.serve.settings import Settings


def settings(given: dict[str, Any] | None = None, /, **environ: str) -> Settings:
    return resolve(given or {}, environ).settings


def test_without_anything_the_settings_are_the_defaults() -> None:
    resolved = resolve({"port": None, "models": None}, {"HOME": "/root", "PATH": "/bin"})
    assert resolved == Resolved(settings=Settings(), origins={}, notices=())


def test_every_setting_can_be_given_by_the_environment() -> None:
    assert set(READERS) == {field.name for field in fields(Settings)}


def test_the_command_line_wins_over_ours_ours_over_nims_nims_over_the_default() -> None:
    environ = {"NIM_HTTP_API_PORT": "9001", "BIENCODER_PORT": "9002"}
    assert settings({"port": 9003}, **environ).port == 9003
    assert settings(**environ).port == 9002
    assert settings(NIM_HTTP_API_PORT="9001").port == 9001
    assert settings().port == 8000


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("BIENCODER_MODEL", "mini, 1b", {"models": ("mini", "1b")}),
        ("BIENCODER_ALIAS", "a=mini,b=mini", {"aliases": (("a", "mini"), ("b", "mini"))}),
        ("BIENCODER_INDEX", "/data/index", {"index": (Path("/data/index"),)}),
        ("BIENCODER_HOST", "0.0.0.0", {"host": "0.0.0.0"}),
        ("BIENCODER_API_KEY", "one", {"api_keys": ("one",)}),
        ("BIENCODER_DEFAULT_INPUT_TYPE", "Passage", {"default_input_type": "passage"}),
        ("BIENCODER_DEFAULT_INPUT_TYPE", "none", {}),
        ("BIENCODER_DIMENSIONS_POLICY", "nim1", {"dimensions_policy": "nim1"}),
        ("BIENCODER_STRICT_FIELDS", "true", {"strict_fields": True}),
        ("BIENCODER_STRICT_FIELDS", "0", {}),
        ("BIENCODER_REQUEST_TIMEOUT", "2.5", {"request_timeout": 2.5}),
        ("BIENCODER_WARMUP", "none", {"warmup": "none"}),
        ("BIENCODER_LOG_FORMAT", "json", {"log_format": "json"}),
        ("BIENCODER_ALLOWED_HOST", "a.example", {"allowed_hosts": ("a.example",)}),
        ("BIENCODER_CORS_ORIGIN", "https://a.example", {"cors_origin": "https://a.example"}),
        ("BIENCODER_PORT", "", {}),
    ],
)
def test_our_variables(variable: str, value: str, expected: dict[str, Any]) -> None:
    assert resolve({}, {variable: value}).settings == replace(Settings(), **expected)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("NIM_HTTP_API_PORT", "9000", {"port": 9000}),
        ("NIM_SERVER_BIND_ADDR", "0.0.0.0:9000", {"host": "0.0.0.0", "port": 9000}),
        ("NIM_BIND_ADDR", "[::]:9000", {"host": "::", "port": 9000}),
        ("NIM_SERVER_BIND_ADDR", "0.0.0.0", {"host": "0.0.0.0"}),
        ("NIM_TRITON_MAX_SEQ_LENGTH", "256", {"max_tokens": 256}),
        ("NIM_PIPELINE_MAX_SEQ_LEN", "256", {"max_tokens": 256}),
        ("NIM_SERVER_HTTP_BODY_LIMIT_BYTES", "4096", {"max_body_bytes": 4096}),
        ("NIM_HTTP_BODY_LIMIT_BYTES", "4096", {"max_body_bytes": 4096}),
        ("NIM_ENGINE_MODEL_NAME", "1b", {"models": ("1b",)}),
        ("NIM_ENGINE_MODEL_PATH", "/models/x", {"models": ("/models/x",)}),
        ("NIM_ENGINE_PRECISION", "BF16", {"dtype": "bfloat16"}),
        ("NIM_LOG_LEVEL", "WARN", {"log_level": "warning"}),
        ("RUST_LOG", "tower=debug,error", {"log_level": "error"}),
        ("NIM_JSONL_LOGGING", "1", {"log_format": "json"}),
        ("LOG_FORMAT", "pretty", {"log_format": "text"}),
        ("NIM_SERVED_MODEL_NAME", "nvidia/x", {"aliases": (("nvidia/x", "mini"),)}),
        ("NIM_ENABLE_OTEL", "1", {"otel": True}),
    ],
)
def test_variables_of_both_generations_of_nim(
    variable: str, value: str, expected: dict[str, Any]
) -> None:
    resolved = resolve({}, {variable: value})
    assert resolved.settings == replace(Settings(), **expected)
    assert set(resolved.origins.values()) == {variable}
    assert resolved.notices == ()


def test_nims_served_name_stands_beside_other_aliases() -> None:
    resolved = resolve({"aliases": ("ada=mini",)}, {"NIM_SERVED_MODEL_NAME": "nvidia/x"})
    assert resolved.settings.aliases == (("ada", "mini"), ("nvidia/x", "mini"))
    assert resolved.origins["aliases"] == "command line, NIM_SERVED_MODEL_NAME"
    taken = {"BIENCODER_MODEL": "mini,1b", "BIENCODER_ALIAS": "nvidia/x=1b"}
    named = settings(**taken, NIM_SERVED_MODEL_NAME="nvidia/x")
    assert named.aliases == (("nvidia/x", "1b"),)


def test_the_newer_name_of_nim_wins() -> None:
    environ = {"NIM_TRITON_MAX_SEQ_LENGTH": "100", "NIM_PIPELINE_MAX_SEQ_LEN": "200"}
    assert settings(**environ).max_tokens == 200


@pytest.mark.parametrize("variable", ["NIM_MODEL_PROFILE", "NIM_SERVER_MAX_WAIT_MS"])
def test_a_variable_without_meaning_here_is_told_with_the_reason(variable: str) -> None:
    (notice,) = resolve({}, {variable: "5"}).notices
    assert notice.startswith(f"{variable} is ignored: ")


def test_a_precision_that_is_not_offered_is_told() -> None:
    resolved = resolve({}, {"NIM_ENGINE_PRECISION": "FP8"})
    assert resolved.settings.dtype == "auto"
    assert "FP8 is ignored" in resolved.notices[0]


@pytest.mark.parametrize(
    ("variable", "near"),
    [
        ("NIM_HTTP_API_PROT", "NIM_HTTP_API_PORT"),
        ("BIENCODER_API_KEYS", "BIENCODER_API_KEY"),
    ],
)
def test_an_unknown_variable_is_told_with_the_nearest_known(variable: str, near: str) -> None:
    (notice,) = resolve({}, {variable: "x"}).notices
    assert notice == f"{variable} is not known here; did you mean {near}?"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": "many"}, "command line: 'many' is not a whole number"),
        ({"port": 70000}, "70000 must be from 0 to 65535"),
        ({"request_timeout": 0}, "0 must be more than 0 seconds"),
        ({"request_timeout": "soon"}, "not a number of seconds"),
        ({"warmup": "long"}, "'long' is not one of none, short, full"),
        ({"default_input_type": "document"}, "'document' is not one of none, query, passage"),
        ({"aliases": ["mini"]}, "'mini' is no alias"),
        ({"models": []}, "there is no model to serve"),
        ({"tls_cert": "a.pem"}, "TLS needs both"),
        ({"cors_origin": "a.example/path"}, "is no origin"),
        ({"strict_fields": "perhaps"}, "neither true nor false"),
        ({"api_keys": ("with space",)}, "an API key that is empty or not of printable ASCII"),
    ],
)
def test_a_value_that_a_setting_cannot_take_is_an_error_with_what_it_can(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        resolve(given, {})


# --- Secrets ------------------------------------------------------------------------------------


def test_an_empty_key_variable_is_an_error_and_never_an_open_door() -> None:
    with pytest.raises(InputError, match="BIENCODER_API_KEY holds an API key that is empty"):
        resolve({}, {"BIENCODER_API_KEY": ""})


def test_a_key_file_has_a_key_a_line(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("# of the team\none\n\n  two \n")
    assert read_keys(path) == ("one", "two")
    assert settings(BIENCODER_API_KEY_FILE=str(path)).api_keys == ("one", "two")


@pytest.mark.parametrize("content", ["", "\n# nothing\n", None, b"\xff\xfe"])
def test_a_key_file_without_a_key_is_an_error(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=r"holds no key|cannot be read"):
        read_keys(path)


def test_keys_are_shown_nowhere() -> None:
    resolved = resolve({"port": 1}, {"BIENCODER_API_KEY": "very-secret"})
    assert resolved.settings.api_keys == ("very-secret",)
    assert "api_keys = ********  (BIENCODER_API_KEY)" in resolved.shown()
    assert "very-secret" not in " ".join([repr(resolved.settings), *resolved.shown(all_=True)])


def test_the_settings_are_shown_with_where_they_come_from() -> None:
    resolved = resolve({"models": ["mini"]}, {"NIM_HTTP_API_PORT": "9000"})
    assert resolved.shown() == [
        "models = mini  (command line)",
        "port = 9000  (NIM_HTTP_API_PORT)",
    ]
    assert "request_timeout = 120.0  (default)" in resolved.shown(all_=True)
    assert len(resolved.shown(all_=True)) == len(fields(Settings))


def test_nims_cache_is_taken_unless_the_hubs_own_variables_are_set() -> None:
    assert nim.cache_folder({"NIM_CACHE_PATH": "/cache"}) == "/cache"
    assert nim.cache_folder({"NIM_CACHE_PATH": "/cache", "HF_HOME": "/hf"}) is None
    assert nim.cache_folder({}) is None


# --- Models -------------------------------------------------------------------------------------


def test_models_are_loaded_with_their_settings_and_counted(tmp_path: Path) -> None:
    metrics = Metrics()
    told: list[str] = []
    chosen = Settings(
        models=("mini",),
        aliases=(("ada", "mini"),),
        max_tokens=100,
        token_budget=333,
        dtype="float32",
        device="cpu",
    )
    registry = load_models(chosen, metrics, told.append)
    (served,) = registry.served
    assert (served.id, served.aliases) == ("mini", ("ada",))
    assert (served.engine.max_tokens, served.engine.token_budget) == (100, 333)
    assert told == ["Loading mini ..."]
    assert registry.resolve("ada")[0] is served


def test_an_alias_of_a_model_that_is_not_served_is_an_error() -> None:
    with pytest.raises(InputError, match="alias a is for 1b, which is not served"):
        load_models(Settings(aliases=(("a", "1b"),)), Metrics())


def test_a_model_is_served_under_its_published_id_or_its_folders_name(
    checkpoints: dict[str, Path], model: Any
) -> None:
    assert served_id(mini()) == "mini"
    assert served_id(model) == model.profile.name
