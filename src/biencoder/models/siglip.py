"""The SigLIP tower: patches of a tile attend to each other, and to no other tile.

Shapes: I tiles, S pixels along a tile, C colours, G patches of a tile, W width of the tower, N heads,
H head size, F feed-forward size. Module names equal the flat layout's tensor names. The pooling head is left out.
Source of the arithmetic: transformers, models/siglip/modeling_siglip.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from biencoder.config.page_model import VisionConfig
from biencoder.models.attention import attend_equal


def _add(new: Tensor, other: Tensor) -> Tensor:
    """Their sum; ``new`` belongs to nobody else, and takes it where no gradient is wanted."""
    return new + other if torch.is_grad_enabled() else new.add_(other)


def normalise_pixels(pixels_ISSC: Tensor, dtype: torch.dtype) -> Tensor:
    """Colours 0 to 255 as numbers from -1 to 1, shape (I, C, S, S).

    Rounded to bfloat16 whatever the model computes in: the reference's processor does so, and the
    model was trained on those numbers.
    """
    colours = pixels_ISSC.permute(0, 3, 1, 2).to(torch.float32)
    return colours.sub_(127.5).div_(127.5).to(torch.bfloat16).to(dtype)


class PatchEmbedding(nn.Module):
    """One product over all patches; stored in the shape of a convolution, whose stride is its size."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.patch_size = vision.patch_size
        # Zeros until a checkpoint fills them, as in the language model's token table.
        shape = (vision.hidden_size, 3, vision.patch_size, vision.patch_size)
        self.weight = nn.Parameter(torch.zeros(shape))
        self.bias = nn.Parameter(torch.zeros(vision.hidden_size))

    def forward(self, pixels_ICSS: Tensor) -> Tensor:
        size = self.patch_size
        rows = pixels_ICSS.unflatten(3, (-1, size)).unflatten(2, (-1, size))
        # I, C, rows, y, columns, x -> I, rows, columns, C, y, x: the order of the weight.
        patches = rows.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return F.linear(patches, self.weight.flatten(1), self.bias)


class Embeddings(nn.Module):
    """Patches, each with the learned vector of its place."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.patch_embedding = PatchEmbedding(vision)
        table_GW = torch.zeros(vision.patches, vision.hidden_size)
        self.position_embedding = nn.Embedding.from_pretrained(table_GW, freeze=False)

    def forward(self, pixels_ICSS: Tensor) -> Tensor:
        x_IGW: Tensor = self.patch_embedding(pixels_ICSS)
        return _add(x_IGW, self.position_embedding.weight)


class Attention(nn.Module):
    """Every patch of a tile attends to all of them."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        width = vision.hidden_size
        self.head_dim = width // vision.num_attention_heads
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x_IGW: Tensor) -> Tensor:
        q_IGNH = self.q_proj(x_IGW).unflatten(-1, (-1, self.head_dim))
        k_IGNH = self.k_proj(x_IGW).unflatten(-1, (-1, self.head_dim))
        v_IGNH = self.v_proj(x_IGW).unflatten(-1, (-1, self.head_dim))
        out: Tensor = self.out_proj(attend_equal(q_IGNH, k_IGNH, v_IGNH).flatten(-2))
        return out


class FeedForward(nn.Module):
    """Two products with the tanh form of GELU between (the projector has the erf form)."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(vision.hidden_size, vision.intermediate_size)
        self.fc2 = nn.Linear(vision.intermediate_size, vision.hidden_size)

    def forward(self, x_IGW: Tensor) -> Tensor:
        inner_IGF = self.fc1(x_IGW)
        if torch.is_grad_enabled():
            inner_IGF = F.gelu(inner_IGF, approximate="tanh")
        else:
            # Nothing is kept for a backward pass: the largest tensor of the tower stands once.
            torch.ops.aten.gelu_(inner_IGF, approximate="tanh")
        out: Tensor = self.fc2(inner_IGF)
        return out


class Layer(nn.Module):
    """Attention, then feed-forward, each on a normed input and added to the residual stream."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps)
        self.self_attn = Attention(vision)
        self.layer_norm2 = nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps)
        self.mlp = FeedForward(vision)

    def forward(self, x_IGW: Tensor) -> Tensor:
        x_IGW = _add(self.self_attn(self.layer_norm1(x_IGW)), x_IGW)
        return _add(self.mlp(self.layer_norm2(x_IGW)), x_IGW)


class Encoder(nn.Module):
    """The layers, under the name that the checkpoint gives them."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(vision) for _ in range(vision.num_hidden_layers))

    def forward(self, x_IGW: Tensor) -> Tensor:
        for layer in self.layers:
            x_IGW = layer(x_IGW)
        return x_IGW


class SiglipTower(nn.Module):
    """Tiles in, one state a patch out."""

    def __init__(self, vision: VisionConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(vision)
        self.encoder = Encoder(vision)
        self.post_layernorm = nn.LayerNorm(vision.hidden_size, eps=vision.layer_norm_eps)

    def forward(self, pixels_ICSS: Tensor) -> Tensor:
        """States after the final norm, shape (I, G, W), patches row by row."""
        out: Tensor = self.post_layernorm(self.encoder(self.embeddings(pixels_ICSS)))
        return out
