"""Losses of embedding distillation. Vectors are float32; S texts of a batch, D dimensions.

Formulas (8) and (10) of the project's training notes: cosine to the teacher's vector, and the mean
squared difference of the in-batch similarity matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from biencoder.models.pooling import normalize


def cosine_loss(student_SD: Tensor, teacher_SD: Tensor) -> Tensor:
    """Mean of ``1 - cos`` between each student vector and its teacher vector.

    >>> round(cosine_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])).item(), 6)
    1.0
    """
    return 1.0 - (normalize(student_SD) * normalize(teacher_SD)).sum(dim=-1).mean()


def similarity_loss(student_SD: Tensor, teacher_SD: Tensor) -> Tensor:
    """Mean squared difference of all pairwise cosines of the batch, each with itself left out.

    The widths may differ, so a Matryoshka prefix can be held against the teacher's full vectors.
    """
    student, teacher = normalize(student_SD), normalize(teacher_SD)
    difference_SS = student @ student.T - teacher @ teacher.T
    texts = len(student)
    if texts < 2:
        return difference_SS.sum() * 0.0
    # The diagonal is 0 up to rounding, on both sides; only the other pairs are averaged.
    return difference_SS.square().sum() / (texts * (texts - 1))


def matryoshka_similarity_loss(
    student_SD: Tensor, teacher_SD: Tensor, sizes: Sequence[int]
) -> Tensor:
    """Mean over the sizes of `similarity_loss` between the student's prefix and the full teacher."""
    losses = [similarity_loss(student_SD[:, :size], teacher_SD) for size in sizes]
    return torch.stack(losses).mean()
