"""Sizes of the page model: a tower for tiles of a page, a projector, and a Llama that reads both.

Field names are those of config.json where it has one. Tensor names are those that the model runs
with: the flat layout, which transformers writes from 5.6 on.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from biencoder.config.model import LlamaConfig
from biencoder.errors import ConfigError

# A page of 64 tiles is 16,384 tokens: more than the model was ever evaluated on.
MOST_TILES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PageLimits:
    """Most tokens of one document, by what it is made of; the values of the model card."""

    image: int = 2048
    image_text: int = 10240
    text: int = 8192

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ConfigError(
                    f"the limit {field.name}={getattr(self, field.name)} lets no token through",
                    hint="give a positive number of tokens",
                )


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionConfig:
    """One SigLIP tower without its pooling head; ``image_size`` is the side of a tile in pixels."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    image_size: int
    patch_size: int
    layer_norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) <= 0:
                raise ConfigError(
                    f"vision_config.{field.name}={getattr(self, field.name)} is not a positive number"
                )
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"vision_config.hidden_size={self.hidden_size} is no multiple of "
                f"num_attention_heads={self.num_attention_heads}"
            )
        if self.image_size % self.patch_size:
            raise ConfigError(
                f"vision_config.image_size={self.image_size} is no multiple of "
                f"patch_size={self.patch_size}"
            )

    @property
    def side(self) -> int:
        """Patches along one side of a tile."""
        return self.image_size // self.patch_size

    @property
    def patches(self) -> int:
        """Patches of a tile."""
        return self.side**2

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the tower runs with, in file order."""
        width = self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "embeddings.patch_embedding.weight": (width, 3, self.patch_size, self.patch_size),
            "embeddings.patch_embedding.bias": (width,),
            "embeddings.position_embedding.weight": (self.patches, width),
        }
        attention = ("k_proj", "v_proj", "q_proj", "out_proj")
        layer = (
            _norm("layer_norm1", width)
            | {
                name: shape
                for projection in attention
                for name, shape in _linear(f"self_attn.{projection}", width, width).items()
            }
            | _norm("layer_norm2", width)
            | _linear("mlp.fc1", self.intermediate_size, width)
            | _linear("mlp.fc2", width, self.intermediate_size)
        )
        for index in range(self.num_hidden_layers):
            shapes |= {f"encoder.layers.{index}.{name}": shape for name, shape in layer.items()}
        return shapes | _norm("post_layernorm", width)

    def head_shapes(self) -> dict[str, tuple[int, ...]]:
        """The 11 stored tensors of the attention-pooling head, which no vector ever passes."""
        width = self.hidden_size
        return {
            "probe": (1, 1, width),
            "attention.in_proj_weight": (3 * width, width),
            "attention.in_proj_bias": (3 * width,),
            **_linear("attention.out_proj", width, width),
            **_norm("layernorm", width),
            **_linear("mlp.fc1", self.intermediate_size, width),
            **_linear("mlp.fc2", width, self.intermediate_size),
        }

    def flops_per_tile(self) -> int:
        """Floating-point operations of one tile's matrix products, attention scores included."""
        width, patches = self.hidden_size, self.patches
        embedding = 3 * self.patch_size**2 * width
        products = 4 * width**2 + 2 * width * self.intermediate_size
        scores = 2 * patches * width
        return 2 * patches * (embedding + self.num_hidden_layers * (products + scores))


@dataclass(frozen=True, kw_only=True, slots=True)
class PageConfig:
    """One page model. Tiles and thumbnail are what the processor really uses.

    ``query_tokens`` is the most tokens of a query. A prefix is written without the space that
    follows it in the text.
    """

    text: LlamaConfig
    vision: VisionConfig
    image_context_token_id: int
    downsample_ratio: float = 0.5
    max_tiles: int = 6
    thumbnail: bool = True
    query_tokens: int = 512
    query_prefix: str = "query:"
    passage_prefix: str = "passage:"

    def __post_init__(self) -> None:
        if not 0 <= self.image_context_token_id < self.text.vocab_size:
            raise ConfigError(
                f"img_context_token_id={self.image_context_token_id} is no row of an embedding table "
                f"of {self.text.vocab_size}"
            )
        if not 0 < self.downsample_ratio <= 1 or 1 / self.downsample_ratio % 1:
            raise ConfigError(
                f"downsample_ratio={self.downsample_ratio} is not one over a whole number"
            )
        if self.vision.side % self.shuffle:
            raise ConfigError(
                f"{self.vision.side} patches along a tile are no multiple of {self.shuffle}, which "
                f"downsample_ratio={self.downsample_ratio} puts together"
            )
        if not 1 <= self.max_tiles <= MOST_TILES:
            raise ConfigError(f"max_tiles={self.max_tiles} is not between 1 and {MOST_TILES}")
        if self.query_tokens < 1:
            raise ConfigError(f"q_max_length={self.query_tokens} lets no token of a query through")
        if self.text.pooling != "avg":
            raise ConfigError(f"pooling {self.text.pooling!r} is not 'avg', the page model's")

    @property
    def shuffle(self) -> int:
        """Patches along one side of what becomes one token."""
        return round(1 / self.downsample_ratio)

    @property
    def tokens_per_tile(self) -> int:
        """Tokens of the language model that one tile becomes."""
        return self.vision.patches // self.shuffle**2

    @property
    def tile_size(self) -> int:
        """Side of a tile in pixels."""
        return self.vision.image_size

    @property
    def shuffled_size(self) -> int:
        """Channels of the patches that become one token, side by side."""
        return self.vision.hidden_size * self.shuffle**2

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor that the model runs with, by its canonical name, in file order."""
        text, vision = self.text.tensor_shapes(), self.vision.tensor_shapes()
        hidden = self.text.hidden_size
        return (
            {f"language_model.{name}": shape for name, shape in text.items()}
            | {f"vision_model.{name}": shape for name, shape in vision.items()}
            | _norm("mlp1.0", self.shuffled_size)
            | _linear("mlp1.1", hidden, self.shuffled_size)
            | _linear("mlp1.3", hidden, hidden)
        )

    def head_shapes(self) -> dict[str, tuple[int, ...]]:
        """Stored tensors that are not needed, by the canonical name that they would have."""
        return {
            f"vision_model.head.{name}": shape for name, shape in self.vision.head_shapes().items()
        }

    def flops_per_tile(self) -> int:
        """Floating-point operations from a tile's pixels to its tokens, attention scores included."""
        hidden = self.text.hidden_size
        projector = 2 * self.tokens_per_tile * hidden * (self.shuffled_size + hidden)
        return self.vision.flops_per_tile() + projector


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _linear(name: str, out: int, into: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}
