"""Sizes of a bidirectional Llama, frozen, with impossible states refused.

Field names are those of config.json, so a checkpoint and these classes read alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from biencoder.errors import ConfigError

Pooling: TypeAlias = Literal["avg", "cls", "last"]
POOLINGS: tuple[Pooling, ...] = ("avg", "cls", "last")


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """The llama3 rule that stretches slow rotary frequencies; all four numbers are required."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        if self.factor < 1 or self.original_max_position_embeddings < 1:
            raise ConfigError(
                f"llama3 scaling with factor={self.factor} and original_max_position_embeddings="
                f"{self.original_max_position_embeddings} is impossible: both are at least 1"
            )
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise ConfigError(
                f"llama3 scaling needs 0 < low_freq_factor < high_freq_factor, not "
                f"{self.low_freq_factor} and {self.high_freq_factor}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LlamaConfig:
    """One bidirectional Llama encoder; ``rope_scaling`` None means plain rotary positions."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    rope_scaling: RopeScaling | None
    max_position_embeddings: int
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    pad_token_id: int | None = None
    pooling: Pooling = "avg"
    dtype: str = "bfloat16"

    def __post_init__(self) -> None:
        for name in (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "max_position_embeddings",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is not a positive number")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ConfigError(
                f"num_attention_heads={self.num_attention_heads} is not a multiple of "
                f"num_key_value_heads={self.num_key_value_heads}",
                hint="after width pruning, keep whole groups of query heads",
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim={self.head_dim} is odd; rotary positions need pairs")
        if self.rms_norm_eps <= 0 or self.rope_theta <= 0:
            raise ConfigError(
                f"rms_norm_eps={self.rms_norm_eps} and rope_theta={self.rope_theta} must be positive"
            )

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of the checkpoint, by its canonical name, in file order."""
        hidden, feed_forward = self.hidden_size, self.intermediate_size
        queries = self.num_attention_heads * self.head_dim
        keys = self.num_key_value_heads * self.head_dim
        layer = {
            "input_layernorm.weight": (hidden,),
            "self_attn.q_proj.weight": (queries, hidden),
            "self_attn.k_proj.weight": (keys, hidden),
            "self_attn.v_proj.weight": (keys, hidden),
            "self_attn.o_proj.weight": (hidden, queries),
            "post_attention_layernorm.weight": (hidden,),
            "mlp.gate_proj.weight": (feed_forward, hidden),
            "mlp.up_proj.weight": (feed_forward, hidden),
            "mlp.down_proj.weight": (hidden, feed_forward),
        }
        shapes: dict[str, tuple[int, ...]] = {"embed_tokens.weight": (self.vocab_size, hidden)}
        for index in range(self.num_hidden_layers):
            shapes |= {f"layers.{index}.{name}": shape for name, shape in layer.items()}
        return shapes | {"norm.weight": (hidden,)}

    def matmul_weights(self) -> dict[str, tuple[int, int]]:
        """(out, in) of the seven matrix products of one layer."""
        prefix = "layers.0."
        return {
            name.removeprefix(prefix): (shape[0], shape[1])
            for name, shape in self.tensor_shapes().items()
            if name.startswith(prefix) and len(shape) == 2
        }

    def flops_per_token(self) -> int:
        """Floating-point operations of the matrix products for one token, attention scores left out."""
        return 2 * self.num_hidden_layers * sum(o * i for o, i in self.matmul_weights().values())
