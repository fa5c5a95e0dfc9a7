# SPDX-License-Identifier: MIT
"""DeepSeek-VL2 at toy size in plain PyTorch: SigLIP-style tower, unfold projector, MLA + MoE language model, written to train fast on a
CPU.  Parameter names follow the published checkpoints except where a stacked tensor trains faster (experts; see `export.py`).

The language model runs on a picture prefix shared by many questions: `Language.forward(prefix, rows, ...)` lets each question see the
prefix and itself, which equals running every question alone.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "vision": {"width": 144, "layers": 5, "heads": 6, "mlp": 396, "patch": 10, "image": 92},
    "hidden": 136, "layers": 5, "heads": 4, "nope": 18, "rope": 10, "v": 28, "kv_rank": 56,
    "dense_inter": 280, "moe_inter": 72, "experts": 8, "top_k": 2, "shared": 2, "scale": 2.0, "theta": 10000.0, "eps": 1e-6,
}
CELL = 5  # image tokens per side of a tile


class Block(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, mlp), "fc2": nn.Linear(mlp, width)})

    def forward(self, x):
        b, n, c = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.attn["proj"](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)), approximate="tanh"))


class Vision(nn.Module):
    """u8 tiles [n, 92, 92, 3] to features [n, 81, width]."""

    def __init__(self, c):
        super().__init__()
        self.patch, self.side = c["patch"], c["image"] // c["patch"]
        w = c["width"]
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, w, self.patch, self.patch)})
        self.pos_embed = nn.Parameter(torch.randn(1, self.side ** 2, w) * 0.02)
        self.blocks = nn.ModuleList(Block(w, c["heads"], c["mlp"]) for _ in range(c["layers"]))
        self.norm = nn.LayerNorm(w, eps=1e-6)

    def forward(self, tiles):
        n, p, s = len(tiles), self.patch, self.side
        x = tiles[:, :s * p, :s * p].float().mul_(1 / 127.5).sub_(1)
        x = x.view(n, s, p, s, p, 3).permute(0, 1, 3, 5, 2, 4).reshape(n, s * s, 3 * p * p)
        conv = self.patch_embed["proj"]
        x = F.linear(x, conv.weight.view(conv.weight.shape[0], -1), conv.bias) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Projector(nn.Module):
    """[n, 81, width] to image tokens [n, 25, hidden]; zero-pads 9 to 10, unfolds 2x2 channel-major, MLP with erf GELU."""

    def __init__(self, width, hidden):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4 * width, hidden), nn.GELU(), nn.Linear(hidden, hidden)])

    def forward(self, x):
        n, hw, c = x.shape
        s = math.isqrt(hw)
        x = F.pad(x.view(n, s, s, c), (0, 0, 0, s % 2, 0, s % 2))
        s = x.shape[1] // 2
        x = x.view(n, s, 2, s, 2, c).permute(0, 1, 3, 5, 2, 4).reshape(n, s * s, 4 * c)
        for layer in self.layers:
            x = layer(x)
        return x


class DenseHead(nn.Module):
    """Training-only head per patch: kind 10, colour 11, box 4, centre 1, marker 1, characters 2 x 37, their places from either end 2 x 2 x 7."""
    PARTS = [10, 11, 4, 1, 1, 74, 28]
    WIDTH = sum(PARTS)

    def __init__(self, width, patches=1):
        super().__init__()
        self.patches = patches
        self.out = nn.Linear(width, patches * self.WIDTH)

    def forward(self, x):
        return self.out(x).unflatten(-1, (self.patches, self.WIDTH)) if self.patches > 1 else self.out(x)


def dense_loss(o, kind, color, box, center, mark, chars, places, valid=None):
    """o [..., 129]; kind/color i64 [...], box f32 [..., 4] as predicted units, center/mark f32 [...], chars and places i64 [..., 2] (-1 none)."""
    kl, cl, bl, zl, ml, hl, pl = o.split(DenseHead.PARTS, -1)
    obj = (kind > 0).float()
    if valid is None:
        valid = torch.ones_like(obj)
    norm = valid.sum().clamp(min=1)
    w = (1 + obj) * valid
    flat = lambda t: t.reshape(-1, t.shape[-1])
    lk = (F.cross_entropy(flat(kl), kind.reshape(-1), reduction="none").view_as(obj) * w).sum() / norm
    lc = (F.cross_entropy(flat(cl), color.reshape(-1), reduction="none").view_as(obj) * w).sum() / norm
    on = obj * valid
    lb = (F.smooth_l1_loss(bl, box, beta=0.2, reduction="none").sum(-1) * on).sum() / on.sum().clamp(min=1)
    lz = (F.binary_cross_entropy_with_logits(zl[..., 0], center, reduction="none") * valid).sum() / norm
    lm = (F.binary_cross_entropy_with_logits(ml[..., 0], mark, reduction="none") * valid).sum() / norm
    text = (chars >= 0).float() * valid[..., None]
    weight = (0.02 + 0.98 * (chars >= 0).float()) * valid[..., None]
    lh = (F.cross_entropy(hl.reshape(-1, 37), (chars + 1).reshape(-1), reduction="none").view_as(text) * weight).sum() / weight.sum().clamp(min=1)
    ends = torch.stack([places // 8, places % 8], -1).add(1) * (places >= 0)[..., None]
    lp = F.cross_entropy(pl.reshape(-1, 7), ends.reshape(-1), reduction="none").view_as(ends).mean(-1)
    lp = (lp * weight).sum() / weight.sum().clamp(min=1)
    return {"kind": lk, "color": lc, "box": lb, "center": lz, "mark": lm, "char": lh, "place": lp}


DENSE_WEIGHTS = {"kind": 1.0, "color": 1.0, "box": 0.6, "center": 2.0, "mark": 1.0, "char": 1.5, "place": 1.0}


def total_dense(parts):
    return sum(DENSE_WEIGHTS[k] * v for k, v in parts.items())


# ---------------------------------------------------------------- language model

class RMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(width)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps) if hasattr(F, "rms_norm") else \
            self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rope_table(positions, dim, theta):
    """cos, sin [..., dim/2] of the interleaved rotation."""
    inv = theta ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions[..., None].float() * inv
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """Pairs (2i, 2i+1) of the last axis; cos and sin broadcast over heads."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class Attention(nn.Module):
    """Multi-head latent attention without query compression."""

    def __init__(self, c):
        super().__init__()
        self.c, h = c, c["heads"]
        self.q_proj = nn.Linear(c["hidden"], h * (c["nope"] + c["rope"]), bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(c["hidden"], c["kv_rank"] + c["rope"], bias=False)
        self.kv_a_layernorm = RMSNorm(c["kv_rank"], 1e-6)
        self.kv_b_proj = nn.Linear(c["kv_rank"], h * (c["nope"] + c["v"]), bias=False)
        self.o_proj = nn.Linear(h * c["v"], c["hidden"], bias=False)

    def qkv(self, x, cos, sin):
        """x [N, hidden] flat, cos/sin [N, rope/2] -> q, k [N, heads, nope+rope], v [N, heads, v]."""
        c, n = self.c, len(x)
        q = self.q_proj(x).view(n, c["heads"], -1)
        qn, qr = q.split([c["nope"], c["rope"]], -1)
        latent, kr = self.kv_a_proj_with_mqa(x).split([c["kv_rank"], c["rope"]], -1)
        kn, v = self.kv_b_proj(self.kv_a_layernorm(latent)).view(n, c["heads"], -1).split([c["nope"], c["v"]], -1)
        cos, sin = cos[:, None], sin[:, None]
        kr = rotate(kr[:, None], cos, sin).expand(-1, c["heads"], -1)
        return torch.cat([qn, rotate(qr, cos, sin)], -1), torch.cat([kn, kr], -1), v


class Mlp(nn.Module):
    def __init__(self, hidden, inter):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inter, bias=False)
        self.up_proj = nn.Linear(hidden, inter, bias=False)
        self.down_proj = nn.Linear(inter, hidden, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Moe(nn.Module):
    """Sigmoid scores, choice by score + bias, weights renormalised and scaled; experts stacked; shared experts as one MLP."""

    def __init__(self, c):
        super().__init__()
        e, i, h = c["experts"], c["moe_inter"], c["hidden"]
        self.c = c
        self.gate = nn.ParameterDict({"weight": nn.Parameter(torch.randn(e, h) / h ** 0.5),
                                      "e_score_correction_bias": nn.Parameter(torch.zeros(e), requires_grad=False)})
        self.gate_proj = nn.Parameter(torch.randn(e, i, h) / h ** 0.5)
        self.up_proj = nn.Parameter(torch.randn(e, i, h) / h ** 0.5)
        self.down_proj = nn.Parameter(torch.randn(e, h, i) / i ** 0.5 * 0.3)
        self.shared_experts = Mlp(h, i * c["shared"])
        self.load = None

    def forward(self, x):
        c, n = self.c, len(x)
        scores = F.linear(x, self.gate["weight"]).sigmoid()
        chosen = (scores.detach() + self.gate["e_score_correction_bias"]).topk(c["top_k"], -1).indices
        weight = scores.gather(1, chosen)
        weight = weight / (weight.sum(-1, keepdim=True) + 1e-20) * c["scale"]
        order = chosen.view(-1).argsort()
        self.load = torch.bincount(chosen.view(-1), minlength=c["experts"])
        xs, out = x.index_select(0, order // c["top_k"]), []
        for e, part in enumerate(xs.split(self.load.tolist())):
            if len(part):
                out.append(F.linear(F.silu(F.linear(part, self.gate_proj[e])) * F.linear(part, self.up_proj[e]), self.down_proj[e]))
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        y = (torch.cat(out).index_select(0, back).view(n, c["top_k"], -1) * weight[..., None]).sum(1)
        return y + self.shared_experts(x)

    @torch.no_grad()
    def balance(self, rate):
        """The auxiliary-loss-free rule: experts that got less than their share become a little more attractive."""
        load = self.load.float()
        self.gate["e_score_correction_bias"].add_((load.mean() - load).sign() * rate)


class Layer(nn.Module):
    def __init__(self, c, dense):
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden"], c["eps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden"], c["eps"])
        self.mlp = Mlp(c["hidden"], c["dense_inter"]) if dense else Moe(c)
        self.keep, self.kept = False, None

    def forward(self, x, cos, sin, shape, mask):
        """x flat: b prefixes of p tokens, then b*r rows of l tokens.  mask [b*r, 1, l, p+l] is added to the rows' scores."""
        b, p, r, l = shape
        q, k, v = self.self_attn.qkv(self.input_layernorm(x), cos, sin)
        cut = b * p
        split = lambda t: (t[:cut].view(b, p, *t.shape[1:]).transpose(1, 2), t[cut:].view(b * r, l, *t.shape[1:]).transpose(1, 2))
        (qp, qr), (kp, kr), (vp, vr) = split(q), split(k), split(v)
        if self.keep:
            self.kept = qr, kp, kr
        op = F.scaled_dot_product_attention(qp, kp, vp, is_causal=True).transpose(1, 2).reshape(cut, -1)
        if r:
            wide = lambda t: t[:, None].expand(-1, r, -1, -1, -1).reshape(b * r, *t.shape[1:])
            o = F.scaled_dot_product_attention(qr, torch.cat([wide(kp), kr], 2), torch.cat([wide(vp), vr], 2), attn_mask=mask)
            op = torch.cat([op, o.transpose(1, 2).reshape(b * r * l, -1)])
        x = x + self.self_attn.o_proj(op)
        return x + self.mlp(self.post_attention_layernorm(x)), (kp, vp)


class Language(nn.Module):
    def __init__(self, c, vocab):
        super().__init__()
        self.c = c
        self.embed_tokens = nn.Embedding(vocab, c["hidden"])
        self.layers = nn.ModuleList(Layer(c, i == 0) for i in range(c["layers"]))
        self.norm = RMSNorm(c["hidden"], c["eps"])
        self.lm_head = nn.Linear(c["hidden"], vocab, bias=False)

    def forward(self, prefix, rows, row_pos, row_seg, tap=None):
        """prefix [b, p, hidden]; rows i64 [b, r, l] token ids; row_pos their positions; row_seg i64 (-1 padding).
        Returns hidden states of the rows [b, r, l, hidden] (normed), the prefix after layer `tap` and the prefix cache."""
        b, p, _ = prefix.shape
        r, l = rows.shape[1:]
        pos = torch.cat([torch.arange(p).repeat(b), row_pos.reshape(-1)])
        cos, sin = rope_table(pos, self.c["rope"], self.c["theta"])
        x = torch.cat([prefix.reshape(b * p, -1), self.embed_tokens(rows.reshape(-1))])
        seg = row_seg.view(b * r, l)
        own = (seg[:, :, None] == seg[:, None, :]) & torch.ones(l, l, dtype=torch.bool).tril()
        mask = torch.zeros(b * r, 1, l, p + l)
        mask[:, 0, :, p:].masked_fill_(~own, float("-inf"))
        tapped, cache = None, []
        for i, layer in enumerate(self.layers):
            x, kv = layer(x, cos, sin, (b, p, r, l), mask)
            cache.append(kv)
            if i == tap:
                tapped = x[:b * p].view(b, p, -1)
        return self.norm(x[b * p:]).view(b, r, l, -1), tapped, cache


# ---------------------------------------------------------------- the whole model

def layout(grid):
    """For the image tokens of one picture: (tile, cell) pairs; (-1, 0) newline, (-1, 1) separator.  Global view first."""
    gw, gh = grid
    out = []
    for y in range(CELL):
        out += [(0, y * CELL + x) for x in range(CELL)] + [(-1, 0)]
    out.append((-1, 1))
    first = 0 if gw * gh == 1 else 1
    for y in range(CELL * gh):
        for x in range(CELL * gw):
            out.append((first + (y // CELL) * gw + x // CELL, (y % CELL) * CELL + x % CELL))
        out.append((-1, 0))
    return out


class DemoModel(nn.Module):
    def __init__(self, vocab, c=CONFIG):
        super().__init__()
        self.vision = Vision(c["vision"])
        self.projector = Projector(c["vision"]["width"], c["hidden"])
        self.image_newline = nn.Parameter(torch.randn(c["hidden"]) * 0.5)
        self.view_seperator = nn.Parameter(torch.randn(c["hidden"]) * 0.5)
        self.language = Language(c, vocab)

    def image_tokens(self, features, grids):
        """features [tiles, 81, width] of b pictures of equal grids in a list; returns [b, tokens, hidden] and the projected tiles."""
        projected = self.projector(features)
        flat = torch.cat([projected.reshape(-1, projected.shape[-1]), self.image_newline[None], self.view_seperator[None]])
        extra = len(flat) - 2
        tiles = [1 if gw * gh == 1 else 1 + gw * gh for gw, gh in grids]
        index, base = [], 0
        for grid, n in zip(grids, tiles):
            index.append([extra + cell if tile < 0 else (base + tile) * CELL * CELL + cell for tile, cell in layout(grid)])
            base += n
        return flat[torch.tensor(index)], projected


def init_language(model, number_ids):
    """Embedding and output rows of the numbers: smooth Fourier features of the value plus its digits, so that near values look alike."""
    g = torch.Generator().manual_seed(5)
    lang, h = model.language, model.language.c["hidden"]
    nn.init.normal_(lang.embed_tokens.weight, 0, 0.5, generator=g)
    nn.init.normal_(lang.lm_head.weight, 0, 0.02, generator=g)
    for layer in lang.layers:
        layer.self_attn.o_proj.weight.data.mul_(0.3)
    v = torch.arange(1000, dtype=torch.float32) / 1000
    freq = 2.0 ** torch.arange(0, 7) * 0.5
    waves = torch.cat([torch.cos(2 * math.pi * v[:, None] * freq), torch.sin(2 * math.pi * v[:, None] * freq)], 1)
    waves = waves * torch.cat([1 / freq.sqrt(), 1 / freq.sqrt()])
    digits = torch.zeros(1000, 33)
    for n in range(1000):
        for place, ch in enumerate(reversed(str(n))):
            digits[n, place * 10 + int(ch)] = 1
        digits[n, 30 + len(str(n)) - 1] = 1
    for weight, size in ((lang.embed_tokens.weight, 0.5), (lang.lm_head.weight, 0.12)):
        f = waves @ torch.randn(waves.shape[1], h, generator=g) + 0.25 * digits @ torch.randn(33, h, generator=g)
        weight.data[number_ids] = f / f.std() * size
