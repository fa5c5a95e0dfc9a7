# SPDX-License-Identifier: MIT
"""Optimiser: momentum with orthogonalised updates for matrices (Newton-Schulz, f32, batched over equal shapes), AdamW for the rest."""
import torch


def orthogonalise(g, steps=5):
    """g [..., r, c] to about the nearest semi-orthogonal matrix."""
    a, b, c = 3.4445, -4.7750, 2.0315
    flip = g.shape[-2] > g.shape[-1]
    x = g.mT if flip else g
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x.mT if flip else x


class Muon(torch.optim.Optimizer):
    """Groups: {"params", "matrix": bool, "lr", "decay"}.  A matrix parameter may carry `row_blocks` = number of equal row blocks (q, k, v)."""

    def __init__(self, groups, lr):
        super().__init__(groups, {"lr": lr, "decay": 0.02, "matrix": False, "betas": (0.9, 0.98)})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            buckets = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                st = self.state[p]
                if not group["matrix"]:
                    self._adam(p, st, group)
                    continue
                if not st:
                    st["m"] = torch.zeros_like(p)
                st["m"].lerp_(p.grad, 0.06)
                u = p.grad.lerp(st["m"], 0.94)
                p.mul_(1 - group["lr"] * group["decay"])
                blocks = zip(u.chunk(getattr(p, "row_blocks", 1), 0), p.chunk(getattr(p, "row_blocks", 1), 0)) if p.dim() == 2 else zip(u, p)
                for g, target in blocks:
                    buckets.setdefault(g.shape, []).append((g, target))
            for shape, pairs in buckets.items():
                scale = -group["lr"] * 0.2 * max(shape) ** 0.5
                for (_, target), o in zip(pairs, orthogonalise(torch.stack([g for g, _ in pairs]))):
                    target.add_(o, alpha=scale)

    @staticmethod
    def _adam(p, st, group):
        if not st:
            st["step"], st["m"], st["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
        b1, b2 = group["betas"]
        st["step"] += 1
        st["m"].lerp_(p.grad, 1 - b1)
        st["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
        m, v = st["m"] / (1 - b1 ** st["step"]), st["v"] / (1 - b2 ** st["step"])
        if p.dim() > 1:
            p.mul_(1 - group["lr"] * group["decay"])
        p.addcdiv_(m, v.sqrt() + 1e-8, value=-group["lr"])
