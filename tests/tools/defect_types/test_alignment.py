"""Progressive feature alignment: which pairs are taken when, and what the loss does with them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tools.defect_types.alignment import alignment_loss, easiest_pairs, intra_modal, taken

LABELS = torch.tensor([0, 0, 1, 1])


def test_the_share_rises_to_all_and_stays_there() -> None:
    shares = [taken(progress, 0.25, 0.5) for progress in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert shares == [0.25, 0.625, 1.0, 1.0, 1.0]


def test_easy_pairs_come_first() -> None:
    likeness = torch.tensor(
        [[1.0, 0.2, 0.9, -0.5], [0.2, 1.0, 0.1, 0.3], [0.9, 0.1, 1.0, 0.8], [-0.5, 0.3, 0.8, 1.0]]
    )
    positives, negatives = easiest_pairs(likeness, LABELS, 0.5)
    assert positives.nonzero().tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert negatives.nonzero().tolist() == [[0, 3], [1, 2], [2, 1], [3, 0]]
    every_positive, every_negative = easiest_pairs(likeness, LABELS, 1.0)
    assert int(every_positive.sum()) == int(every_negative.sum()) == 8


def test_the_loss_is_infonce_over_the_pairs_taken() -> None:
    generator = torch.Generator().manual_seed(1)
    one, other = (functional.normalize(torch.randn(4, 6, generator=generator), dim=1) for _ in range(2))
    likeness = intra_modal(one)
    loss = alignment_loss(one, other, likeness, LABELS, share=1.0, temperature=0.07)
    cosines = (one @ other.T / 0.07).exp()
    expected = []
    for matrix in (cosines, cosines.T):
        for i in range(4):
            against = matrix[i][LABELS[i] != LABELS].sum()
            expected += [
                -(matrix[i, j] / (matrix[i, j] + against)).log() for j in range(4) if LABELS[i] == LABELS[j]
            ]
    assert float(loss) == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)


def test_what_agrees_costs_less_than_what_does_not() -> None:
    agreed = functional.normalize(torch.tensor([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]), dim=1)
    likeness = intra_modal(agreed)
    kept = {"share": 1.0, "temperature": 0.07}
    together = alignment_loss(agreed, agreed, likeness, LABELS, **kept)
    crossed = alignment_loss(agreed, agreed.flip(0), likeness, LABELS, **kept)
    assert float(together) < 0.1 < float(crossed)


@pytest.mark.parametrize("labels", [torch.zeros(3, dtype=torch.long), torch.arange(3)])
def test_a_batch_of_one_type_or_of_all_different_ones_has_a_gradient(labels: torch.Tensor) -> None:
    one = functional.normalize(torch.eye(3) + 0.1, dim=1).requires_grad_()
    loss = alignment_loss(one, one.detach(), intra_modal(one.detach()), labels, share=0.3, temperature=0.07)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(one.grad).all()
