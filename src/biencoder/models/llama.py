"""Bidirectional Llama: each token attends to every token of its own text, and to no other.

Shapes: T packed tokens, S texts, D hidden size, N query heads, K key/value heads, H head size.
Module names equal the checkpoint's tensor names, so loading needs no translation table.
Source of the arithmetic: transformers, models/llama/modeling_llama.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biencoder.config.model import LlamaConfig
from biencoder.models.attention import attend
from biencoder.models.packed import Packed
from biencoder.models.pooling import pool
from biencoder.models.rope import Rotary, RotaryTable


class RMSNorm(nn.Module):
    """Root-mean-square norm: float32 inside, rounded to the input's dtype, then times the weight.

    The order matters: multiplying before rounding differs by one unit in the last place.
    """

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x_TD: Tensor) -> Tensor:
        normed = F.rms_norm(x_TD, x_TD.shape[-1:], None, self.eps)
        return normed * self.weight


class Attention(nn.Module):
    """Grouped-query attention without a causal mask."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        queries = config.num_attention_heads * config.head_dim
        keys = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, queries, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, keys, bias=False)
        self.o_proj = nn.Linear(queries, config.hidden_size, bias=False)

    def forward(self, x_TD: Tensor, rotary: Rotary, packed: Packed) -> Tensor:
        q_TNH = self.q_proj(x_TD).unflatten(-1, (-1, self.head_dim))
        k_TKH = self.k_proj(x_TD).unflatten(-1, (-1, self.head_dim))
        v_TKH = self.v_proj(x_TD).unflatten(-1, (-1, self.head_dim))
        q_TNH, k_TKH = rotary.rotate(q_TNH), rotary.rotate(k_TKH)
        # The groups are the whole mask: without them, strangers in one batch would see each other.
        out_TNH = attend(q_TNH, k_TKH, v_TKH, packed)
        projected: Tensor = self.o_proj(out_TNH.flatten(-2))
        return projected


class FeedForward(nn.Module):
    """The SiLU-gated feed-forward block."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x_TD: Tensor) -> Tensor:
        gate_TF, up_TF = self.gate_proj(x_TD), self.up_proj(x_TD)
        if torch.is_grad_enabled():
            gated_TF = F.silu(gate_TF) * up_TF
        else:
            # Nothing is kept for a backward pass: two of the largest tensors less.
            gated_TF = F.silu(gate_TF, inplace=True).mul_(up_TF)
        out: Tensor = self.down_proj(gated_TF)
        return out


class Layer(nn.Module):
    """Attention, then feed-forward, each on a normed input and added to the residual stream."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = FeedForward(config)

    def forward(self, x_TD: Tensor, rotary: Rotary, packed: Packed) -> Tensor:
        x_TD = x_TD + self.self_attn(self.input_layernorm(x_TD), rotary, packed)
        out: Tensor = x_TD + self.mlp(self.post_attention_layernorm(x_TD))
        return out


class LlamaEncoder(nn.Module):
    """The trunk of every text model of the family."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.config = config
        # Zeros until a checkpoint or a trainer fills them: drawing random numbers on the meta device
        # would first import 800 modules of torch, 1.6 s of every start.
        table_VD = torch.zeros(config.vocab_size, config.hidden_size)
        self.embed_tokens = nn.Embedding.from_pretrained(table_VD, freeze=False)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary = RotaryTable(config)

    def forward(self, packed: Packed) -> Tensor:
        """Hidden states after the final norm, shape (T, D)."""
        return self.read(self.look_up(packed), packed)

    def look_up(self, packed: Packed) -> Tensor:
        """Each token's row of the table, in the dtype of the layers, shape (T, D)."""
        # A trainer keeps the token table in float32 and the rest in bfloat16.
        rows_TD: Tensor = self.embed_tokens(packed.tokens_T).to(self.norm.weight.dtype)
        return rows_TD

    def read(self, x_TD: Tensor, packed: Packed) -> Tensor:
        """As `forward`, from rows instead of tokens: only lengths and places of ``packed`` count."""
        rotary = self.rotary.at(packed.positions_T, packed.longest, x_TD.dtype)
        for layer in self.layers:
            x_TD = layer(x_TD, rotary, packed)
        out: Tensor = self.norm(x_TD)
        return out

    def embed(self, packed: Packed) -> Tensor:
        """One pooled vector per text, float32, shape (S, D), not normalised."""
        return pool(self(packed), packed, self.config.pooling)
