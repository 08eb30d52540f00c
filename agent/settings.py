"""Settings: explicit beats environment beats file beats default, and each value knows where it came from.

The environment variable of a setting is its name in capitals behind `AGENT_`. The file is TOML:
`--config FILE`, else `AGENT_CONFIG`, else `settings.toml` in the user's configuration folder. A file in the
working directory is never read unasked: it could send images and keys to a stranger's endpoint.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import platformdirs
from pydantic import AfterValidator, Field, FiniteFloat, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from agent.errors import UsageError
from tools.plain_text import brief

APP = "inspection-agent"


ANOMALYGPT: Final = "anomalygpt:"
"""Begins a reasoner that hears an anomaly map; the folder of what was learnt follows."""


def _known_reasoner(name: str) -> str:
    named = name.startswith(ANOMALYGPT) and name != ANOMALYGPT
    if name not in {"auto", "vlm", "evidence"} and not named:
        raise ValueError(f"{brief(name, 60)!r} judges nothing; choose auto, vlm, evidence or anomalygpt:PATH")
    return name


class Settings(BaseSettings):
    """Everything that a user can set; see the descriptions.

    Build it with `Settings.resolve`, which names the file and reports mistakes in one line.
    """

    model_config = SettingsConfigDict(env_prefix="AGENT_", extra="forbid", frozen=True)

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir(APP)),
        description="folder for the knowledge store, converted models and unfinished inspections",
    )
    vlm_url: str | None = Field(
        None,
        description="base URL of an OpenAI-compatible endpoint, such as http://localhost:8000/v1, "
        "or script:FILE to play a dialogue",
    )
    vlm_model: str | None = Field(
        None, description="model name; left out, the only one that the endpoint serves"
    )
    vlm_key: SecretStr | None = Field(None, description="API key of the endpoint")
    vlm_timeout_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        120.0, description="seconds for one answer of the model"
    )
    vlm_calls: Annotated[int, Field(ge=1, le=1024)] = Field(
        8, description="questions under way at the endpoint at a time"
    )
    reasoner: Annotated[str, AfterValidator(_known_reasoner)] = Field(
        "auto",
        description="who judges: the model (vlm), the measurements alone (evidence), anomalygpt:PATH with "
        "what `agent train anomalygpt` kept there, or auto: the model if there is one",
    )
    planner: Literal["policy", "model"] = Field("policy", description="who plans the steps")
    expert: str = Field("auto", description="perception expert, or auto")
    sensitivity: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="how soon a part is suspicious: at 2 the limits lie half as far from good parts"
    )
    threshold: FiniteFloat | None = Field(
        None, description="raw score from which a part is anomalous, in place of the calibrated one"
    )
    box_margin_px: Annotated[int, Field(ge=0, le=200)] | None = Field(
        None, description="what pair's boxes leave around a defect; left out, as much as inspectors leave"
    )
    backbone: str = Field(
        "tf_efficientnet_lite0",
        description="timm backbone of anomalib-patchcore: the embedded one, a name, or local-dir:FOLDER",
    )
    dino_backbone: str = Field(
        "vit_small_patch14_dinov2.lvd142m",
        description="timm backbone of anomalydino: the name of a DINOv2, or local-dir:FOLDER",
    )
    winclip_weights: Path | None = Field(
        None, description="folder or file of open_clip weights for winclip; left out, the hub's cache"
    )
    anomalyclip_weights: Path | None = Field(
        None, description="file of CLIP weights for anomalyclip and dapo; left out, the hubs' caches"
    )
    anomalyclip_prompts: Path | None = Field(
        None, description="prompts of anomalyclip: published ones, or those that `agent train prompts` kept"
    )
    dapo_prompts: Path | None = Field(
        None, description="prompts of dapo, that `agent train prompts --method dapo` kept"
    )
    dapo_types: str = Field(
        "", description="types that dapo tells apart, with commas between; left out, those learnt from"
    )
    anomalygpt_clip: Path | None = Field(
        None, description="file of the CLIP that an AnomalyGPT was learnt with; left out, where it lay then"
    )
    anomalygpt_lm: str | None = Field(
        None, description="folder or name of its language model; left out, where it lay then"
    )
    types: Literal["auto", "off"] = Field(
        "auto", description="whether places are named by types that `agent train types` learnt"
    )
    types_model: Path | None = Field(
        None, description="file of learnt types for any product; left out, the product's own on record"
    )
    template_backbone: str = Field(
        "efficientnet-lite0",
        description="which good images are alike: the embedded backbone, a timm name, or local-dir:FOLDER",
    )
    template_choice: Literal["similar", "random", "none"] = Field(
        "similar", description="which good images of a folder or a product on record are compared with"
    )
    notation: Literal["bbox", "contour", "highlight", "mask", "heatmap"] = Field(
        "bbox", description="how measured regions are drawn"
    )
    knowledge: bool = Field(True, description="whether domain knowledge is looked up")
    knowledge_tokens: Annotated[int, Field(ge=100, le=20_000)] = Field(
        900, description="tokens of knowledge that a model is shown at most"
    )
    knowledge_url: str | None = Field(
        None, description="Chroma server that holds the knowledge (http://host:8000); left out, a folder does"
    )
    knowledge_token: SecretStr | None = Field(None, description="bearer token of the Chroma server")
    embedding_model: str = Field(
        "all-MiniLM-L6-v2",
        description="text embeddings: the embedded one, st:NAME or st:FOLDER, openai:NAME",
    )
    embedding_url: str | None = Field(
        None, description="base URL of an OpenAI-compatible endpoint for openai:NAME embeddings"
    )
    embedding_key: SecretStr | None = Field(None, description="API key of that endpoint")
    cot: bool = Field(True, description="whether the model thinks step by step before it decides")
    max_looks: Annotated[int, Field(ge=0, le=6)] = Field(2, description="closer looks at most")
    look_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        120.0, description="seconds that closer looks may take together"
    )
    look_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        20_000, description="tokens that closer looks may cost together"
    )
    look_closer: bool = Field(
        True, description="whether doubtful places are enlarged for a model, or measured again without one"
    )
    model_tools: Literal["auto", "native", "json", "off"] = Field(
        "auto",
        description="how the model may ask for tools: by tool calls, in JSON, whichever works, or not at all",
    )
    votes: Annotated[int, Field(ge=1, le=9)] = Field(
        1, description="how often the model is asked for its verdict, each time in other words"
    )
    grounding: bool = Field(
        True, description="whether the model is asked for boxes, or else for places in words"
    )
    gating: bool = Field(
        True, description="whether marks are shown and counted only where the measurement is beyond normal"
    )
    registration: bool = Field(
        True, description="whether pair aligns the good part with the query before it compares"
    )
    layout: bool = Field(True, description="whether count and place of components are compared")
    read_text: Literal["auto", "on", "off"] = Field(
        "auto",
        description="whether printed text is read; auto: where the product's document has a rule of it",
    )
    weak_experts: Literal["told", "left-out", "ignored"] = Field(
        "told", description="what becomes of an expert that is weak on the product's own good images"
    )
    abstain_below: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="confidence under which a verdict becomes review"
    )
    language: Literal["en", "zh"] = Field("en", description="language of prompts and reports")
    mm_per_px: Annotated[float, Field(gt=0)] | None = Field(
        None, description="millimetres that a pixel of the image shows, for sizes in mm"
    )
    keep_readings: bool = Field(
        False, description="whether measurements are kept and served again for the same pictures"
    )
    max_pixels: Annotated[int, Field(ge=1024)] = Field(64_000_000, description="pixels of an image at most")
    jobs: Annotated[int, Field(ge=1, le=256)] = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 1) // 2), description="images inspected at a time"
    )

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def anomalygpt(self) -> Path | None:
        """Folder or file of the AnomalyGPT that judges; None where another does."""
        folder = self.reasoner.removeprefix(ANOMALYGPT)
        return Path(folder) if folder != self.reasoner else None

    @classmethod
    def resolve(cls, explicit: Mapping[str, Any] | None = None, *, config: Path | None = None) -> Settings:
        """Settle every setting.

        Args:
            explicit: values given by flag or by call; None values count as not given.
            config: a TOML file; must exist when named.

        Raises:
            UsageError: a value, a name or the file is wrong; the message names where it came from.
        """
        given = {name: value for name, value in (explicit or {}).items() if value is not None}
        file = _config_file(config)
        layers: dict[str, Mapping[str, Any]] = {
            f"file {file}": _read_file(cls, file) if file else {},
            "environment": EnvSettingsSource(cls)(),
            "explicit": given,
        }
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for origin, layer in layers.items():
            values.update(layer)
            origins.update(dict.fromkeys(layer, origin))
        try:
            settings = cls(**values)
        except ValidationError as error:
            raise UsageError(_first_mistake(error, origins)) from error
        settings._origins.update(origins)
        return settings

    def origin(self, name: str) -> str:
        """Where the value of a setting came from: `explicit`, `environment`, `file ...` or `default`."""
        return self._origins.get(name, "default")


def _config_file(named: Path | None) -> Path | None:
    wanted = named or (Path(os.environ["AGENT_CONFIG"]) if os.environ.get("AGENT_CONFIG") else None)
    if wanted is not None:
        if not wanted.is_file():
            raise UsageError(f"settings file {wanted} does not exist; check --config or AGENT_CONFIG")
        return wanted
    usual = Path(platformdirs.user_config_dir(APP)) / "settings.toml"
    return usual if usual.is_file() else None


def _read_file(settings: type[Settings], file: Path) -> Mapping[str, Any]:
    try:
        return TomlConfigSettingsSource(settings, toml_file=file)()
    except (OSError, ValueError) as error:
        raise UsageError(f"settings file {file} cannot be read: {error}") from error


def _first_mistake(error: ValidationError, origins: Mapping[str, str]) -> str:
    mistake = error.errors()[0]
    name = str(mistake["loc"][0]) if mistake["loc"] else "settings"
    origin = origins.get(name, "default")
    where = f"AGENT_{name.upper()}" if origin == "environment" else f"{name} ({origin})"
    said = str(mistake["msg"]).removeprefix("Value error, ")
    return f"setting {where}: {said[:1].lower()}{said[1:]}"
