"""Losses against values worked out by hand, and their gradients against finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from biencoder.train.losses import cosine_loss, matryoshka_similarity_loss, similarity_loss

# Angles 0 and 90 degrees against 60 and 90: pairwise cosines 0 and cos(30).
STUDENT = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
TEACHER = torch.tensor([[1.0, math.sqrt(3.0)], [0.0, 3.0]])


def test_cosine_loss_by_hand() -> None:
    # cos = 0.5 and 1: mean of 0.5 and 0.
    assert cosine_loss(STUDENT, TEACHER).item() == pytest.approx(0.25, abs=1e-6)


def test_cosine_loss_is_0_along_and_2_against_the_teacher() -> None:
    assert cosine_loss(TEACHER * 7, TEACHER).item() == pytest.approx(0.0, abs=1e-6)
    assert cosine_loss(-TEACHER, TEACHER).item() == pytest.approx(2.0, abs=1e-6)


def test_similarity_loss_by_hand() -> None:
    # The only pair: student cosine 0, teacher cosine sqrt(3)/2; squared difference 3/4.
    assert similarity_loss(STUDENT, TEACHER).item() == pytest.approx(0.75, abs=1e-6)


def test_similarity_loss_of_three_texts_is_the_mean_over_their_pairs() -> None:
    student = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    teacher = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    # Cosines of the pairs (1,2), (1,3), (2,3): student 0, 1, 0; teacher 0, 0, 0.
    assert similarity_loss(student, teacher).item() == pytest.approx(1 / 3, abs=1e-6)


def test_similarity_loss_does_not_see_a_turn_of_the_whole_space() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(6, 4, generator=generator)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=generator))
    assert similarity_loss(vectors @ turn, vectors).item() == pytest.approx(0.0, abs=1e-6)


def test_one_text_has_no_pairs_and_still_a_gradient() -> None:
    student = torch.ones(1, 3, requires_grad=True)
    loss = similarity_loss(student, torch.ones(1, 3))
    loss.backward()
    assert loss.item() == 0.0
    assert student.grad is not None


def test_matryoshka_loss_is_the_mean_over_the_sizes_by_hand() -> None:
    student = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    # One number: both cut vectors are equal, cosine 1. Two numbers: cosine sqrt(1/2). Teacher 0.
    loss = matryoshka_similarity_loss(student, teacher, (1, 2))
    assert loss.item() == pytest.approx((1.0 + 0.5) / 2, abs=1e-6)


def test_gradients_equal_finite_differences() -> None:
    generator = torch.Generator().manual_seed(1)
    student, teacher = (torch.randn(4, 6, generator=generator) for _ in "st")
    student.requires_grad_()

    def loss(x: Tensor) -> Tensor:
        return cosine_loss(x, teacher) + matryoshka_similarity_loss(x, teacher, (2, 6))

    loss(student).backward()
    assert student.grad is not None
    for row, column in ((0, 0), (1, 3), (3, 5)):
        step = torch.zeros(4, 6)
        step[row, column] = 1e-2
        with torch.no_grad():
            slope = (loss(student + step) - loss(student - step)) / 2e-2
        assert student.grad[row, column].item() == pytest.approx(slope.item(), abs=2e-3)
