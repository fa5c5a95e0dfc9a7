# SPDX-License-Identifier: MIT
"""What the language model is trained for: its answers, and attention that points at what they name and count."""
import numpy as np
import torch
import torch.nn.functional as F

from model import layout
from train_vision import tile_targets

ROW, ROWS = 176, 1  # tokens of a row, and rows of a picture, in a batch


def quads(x):
    """[n, 81, ...] patch targets to [n, 25, 4, ...] cells of 2x2 patches, and which of them exist."""
    n = len(x)
    tail = x.shape[2:]
    y = x.new_zeros((n, 10, 10) + tail)
    y[:, :9, :9] = x.view((n, 9, 9) + tail)
    return y.view((n, 5, 2, 5, 2) + tail).transpose(2, 3).reshape((n, 25, 4) + tail)


def valid_quads():
    return quads(torch.ones(1, 81))[0]


def absolute_boxes(batch, pics):
    """Per tile and patch: the object's box in picture coordinates, 0..10 on both axes."""
    out = []
    for (k, tiles), scene in zip(batch.picks, batch.scenes):
        d = pics.shards[k[0]]
        b = torch.from_numpy(d["box"][tiles].astype(np.float32))
        m = torch.from_numpy(d["maps"][tiles])[:, None]
        s, o = m[..., [0, 1, 0, 1]], m[..., [2, 3, 2, 3]]
        out.append((b - o) / s / torch.tensor([scene["width"], scene["height"]] * 2) * 10)
    return torch.cat(out)


def answer_loss(model, hidden, batch, text, sigma):
    """Mean loss over answer tokens (coordinates weigh 1.5), and the median error of the likeliest coordinates in thousandths."""
    sup, val = batch.sup[:, :, 1:].reshape(-1), batch.val[:, :, 1:].reshape(-1)
    at = sup.nonzero()[:, 0]
    goal, val = batch.rows[:, :, 1:].reshape(-1)[at], val[at]
    order = (val >= 0).long().argsort(stable=True)
    at, goal, val = at[order], goal[order], val[order]
    row, col = at // (ROW - 1), at % (ROW - 1)
    h = hidden.reshape(-1, hidden.shape[-1]).index_select(0, row * ROW + col)
    logits = model.language.lm_head(h)
    cut = int((val < 0).sum())
    words = F.cross_entropy(logits[:cut], goal[:cut])
    if cut == len(val):
        return words, {"text": words.item()}
    v = val[cut:]
    soft = torch.exp(-0.5 * ((torch.arange(1000)[None] - v[:, None]) / sigma) ** 2)
    soft = soft / soft.sum(1, keepdim=True)
    target = torch.zeros(len(v), logits.shape[1])
    target[:, torch.tensor(text.numbers)] = soft
    entropy = -(soft * (soft + 1e-12).log()).sum(1).mean()
    coords = F.cross_entropy(logits[cut:], target) - entropy
    with torch.no_grad():
        guess = logits[cut:, torch.tensor(text.numbers)].argmax(1)
        error = (guess - v).abs().float().median().item()
    share = 1.5 * len(v) / (cut + 1.5 * len(v))
    return words * (1 - share) + coords * share, {"text": words.item(), "coord": coords.item(), "err": error}


def image_positions(b):
    """Prefix positions of a batch's image cells, with their tile (within the sample) and cell."""
    at, tile, cell, base, pos = [], [], [], 0, 0
    for j, g in enumerate(b.grids):
        pos += len(b.pieces[j])
        for t, c in layout(g):
            if t >= 0:
                at.append(pos), tile.append(base + t), cell.append(c)
            pos += 1
        base += 1 if b.only_global or g == (1, 1) else 1 + g[0] * g[1]
    return at, tile, cell


def pointer_loss(kept, batch, pics, heads):
    """How little of the attention of `heads` goes from a token that is about to name something to the image tokens that show it."""
    anchor = batch.anchor.view(-1, ROW)
    row, col = (anchor[:, 1:] >= 0).nonzero(as_tuple=True)
    if not len(row):
        return torch.zeros(())
    who = anchor[row, col + 1]
    pic = row // ROWS
    at, tile, cell = image_positions(batch)
    oid = torch.stack([torch.from_numpy(pics.shards[k[0]]["oid"][t[0]:t[-1] + 1]) for k, t in batch.picks])
    places = torch.stack([torch.from_numpy(pics.shards[k[0]]["places"][t[0]:t[-1] + 1]) for k, t in batch.picks])
    n = oid.shape[1]
    oid = quads((oid + 1).flatten(0, 1)).view(batch.size, n, 25, 4)[:, tile, cell]
    places = quads((places.int() // 8 + 1).flatten(0, 1)).view(batch.size, n, 25, 4, 2)[:, tile, cell]
    shown = oid[pic] == (who % 64 + 1)[:, None, None]
    letter = who // 64
    shown &= (letter == 0)[:, None, None] | (places[pic] == letter[:, None, None, None]).any(-1)
    shown = shown.any(-1)
    good = shown.any(-1)
    row, col, shown = row[good], col[good], shown[good]
    if not len(row):
        return torch.zeros(())
    target = torch.zeros(len(row), batch.prefix, dtype=torch.bool)
    target[:, torch.tensor(at)] = shown
    loss = 0.0
    for h in heads:
        log_p = attention_of(kept, batch, row, col, h)
        loss = loss - log_p.masked_fill(~target, -1e9).logsumexp(1).mean()
    return loss / len(heads)


def attention_of(kept, batch, row, col, head):
    """Log of the attention that tokens (row, col) of one head pay to the prefix [n, prefix]."""
    q, kp, kr = kept
    seg = batch.seg.view(-1, ROW)
    own = (seg[row] == seg[row, col][:, None]) & (torch.arange(ROW)[None] <= col[:, None])
    qs = q[row, head, col] * q.shape[-1] ** -0.5
    a = torch.einsum("nd,npd->np", qs, kp[:, head][row // ROWS])
    b = torch.einsum("nd,nld->nl", qs, kr[:, head][row]).masked_fill(~own, -1e9)
    return a - torch.cat([a, b], 1).logsumexp(1, keepdim=True)


def middles(batch, pics):
    """[pictures, image tokens, 24]: how each object's middle is shared between the tokens that show it (those of the tiles, where any do)."""
    at, tile, cell = image_positions(batch)
    out = torch.zeros(batch.size, len(at), 24)
    for p, (k, tiles) in enumerate(batch.picks):
        d = pics.shards[k[0]]
        oid = torch.from_numpy(d["oid"][tiles].astype(np.int64))
        center = tile_targets(d, tiles)[3] > 0
        for flags in (oid >= 0, center):
            seen = F.one_hot((oid + 1) * flags, 25)[..., 1:].float()
            seen = quads(seen).amax(2)[tile, cell]
            seen[:25] *= (seen[25:].sum(0) == 0).float()
            some = seen.sum(0) > 0
            out[p][:, some] = (seen / seen.sum(0).clamp(min=1))[:, some]
    return out


def counting_loss(kept, batch, pics, sinks):
    """For tokens that state a number: the divergence of the attention of a head from an even share for each counted object and `sink` shares
    for the first token, so that what the head gathers tells how many they are.  `sinks` are (head, shares) pairs."""
    anchor = batch.anchor.view(-1, ROW)
    row, col = (anchor[:, 1:] < -1).nonzero(as_tuple=True)
    if not len(row):
        return torch.zeros(())
    counted = ((-2 - anchor[row, col + 1])[:, None] >> torch.arange(24)) & 1
    share = torch.einsum("nk,nak->na", counted.float(), middles(batch, pics)[row // ROWS])
    loss = 0.0
    for head, sink in sinks:
        target = torch.zeros(len(row), batch.prefix)
        target[:, torch.tensor(image_positions(batch)[0])] = share
        target[:, 0] = sink
        target = target / target.sum(1, keepdim=True)
        log_p = attention_of(kept, batch, row, col, head)
        loss = loss + (target * ((target + 1e-9).log() - log_p)).sum(1).mean()
    return loss / len(sinks)
