# SPDX-License-Identifier: MIT
"""Stage 2: the whole model on questions about pictures.

One step takes pictures of one tile grid; each picture is the prefix of a row packed with independent questions.  Losses: next token on the
answers (coordinates against a Gaussian around the true value that narrows), attention of two heads at the object that an answer speaks of,
and dense per-patch losses on the vision features, on the projected tokens and on the language model's third layer (there in coordinates of
the whole picture).

train.py --data DIR --state FILE --minutes M [--vision FILE] [--init-from DIR]
  resumes from --state when it exists; --vision starts from stage 1; --init-from starts from an exported checkpoint.
"""
import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict

import numpy as np
import torch
import torch.distributed as dist
from tokenizers import Tokenizer

import dataset
import tasks
from losses import ROW, ROWS, absolute_boxes, answer_loss, counting_loss, image_positions, pointer_loss, quads, valid_quads
from model import CONFIG, DemoModel, DenseHead, Moe, dense_loss, init_language, layout, total_dense
from muon import Muon
from train_vision import matrix_groups, tile_targets

HERE = os.path.dirname(os.path.abspath(__file__))
TAP = 2
POINT, POINTERS = 3, (0, 1)
SINKS = (2, 1), (3, 6)


class Text:
    """Token ids of prompts and answers, split at <image> as the processor does."""

    def __init__(self, path=os.path.join(HERE, "..", "tokenizer.json")):
        self.tk = Tokenizer.from_file(path)
        ident = self.tk.token_to_id
        self.bos, self.eos, self.image = 0, 1, ident("<image>")
        self.det, self.end_det = ident("<|det|>"), ident("<|/det|>")
        self.numbers = [ident(str(v)) for v in range(1000)]
        self.value = {t: v for v, t in enumerate(self.numbers)}
        self.memo = {}

    def __len__(self):
        return self.tk.get_vocab_size()

    def ids(self, s):
        got = self.memo.get(s)
        if got is None:
            got = self.tk.encode(s, add_special_tokens=False).ids
            if len(self.memo) < 200000:
                self.memo[s] = got
        return got

    def segment(self, turns, lead, scene=None):
        """(ids, supervised flags, coordinate values or -1, anchors) of one or more turns that follow the pictures; `lead` joins them to the
        text.  A turn is a question of tasks.py.  An anchor is the object (and + 64 * (1 + place of the letter)) that a token speaks of, -1, or
        -2 - m where the token states how many objects the bits of m name."""
        ids, sup, val, anchor = [], [], [], []
        for k, x in enumerate(turns):
            head = self.ids((lead if k == 0 else "<|User|>: ") + x["user"] + "\n\n<|Assistant|>:")
            body = self.ids(x["answer"]) + [self.eos]
            values, inside = [], False
            for t in body:
                inside = t == self.det or (inside and t != self.end_det)
                values.append(self.value.get(t, -1) if inside else -1)
            ids += head + body
            sup += [False] * len(head) + [True] * len(body)
            val += [-1] * len(head) + values
            anchor += [-1] * len(head) + self.anchors(x, body, values, scene)
        return ids, sup, val, anchor

    def anchors(self, x, body, values, scene):
        out = [-1] * len(body)
        if scene is None:
            return out
        objects = scene["objects"]
        if x["counted"] is not None:
            counted = sum(1 << i for i, o in enumerate(objects) if any(o is c for c in x["counted"]))
            stated = next((i for i, t in enumerate(body) if t in self.value), 2)
            out[:stated + 1] = [-2 - counted] * (stated + 1)
        if x["about"] is not None:
            out = [next(i for i, o in enumerate(objects) if o is x["about"])] * len(body)
        at = [i for i, v in enumerate(values) if v >= 0]
        if at:
            boxes = {tuple(tasks.box999(scene, o)): i for i, o in enumerate(objects)}
            for k in range(0, len(at) - 3, 4):
                who = boxes.get(tuple(values[i] for i in at[k:k + 4]), -1)
                for i in at[k:k + 4]:
                    out[i] = who
        elif x["task"] == "read":
            at = 0
            for word in x["expect"]["text"]:
                who = next(i for i, o in enumerate(objects) if o["kind"] == "text" and o["text"] == word)
                for i, c in enumerate([word] if word.isdigit() else word):
                    token = self.ids(c)[0]
                    while at < len(body) and body[at] != token:
                        at += 1
                    if at < len(body):
                        out[at] = who if word.isdigit() else who + 64 * (1 + i)
                        at += 1
        return out


def lettered_tiles(d, least=7.5):
    """Tiles that hold a letter of at least `least` tile pixels in capital height."""
    heights = [np.array([0.72 * o["size"] if o["kind"] == "text" else 0 for o in s["objects"]] + [0]) for s in d["scenes"]]
    found = []
    for p, h in enumerate(heights):
        for t in range(d["start"][p], d["start"][p + 1]):
            seen = d["oid"][t][(d["chars"][t] >= 0).any(-1)].astype(int)
            if len(seen) and (h[seen] * d["maps"][t][1]).max() >= least:
                found.append(t)
    return np.array(found)


class Pictures:
    """All loaded shards, indexed by tile grid."""

    def __init__(self, folder, seed=1):
        self.folder, self.seed, self.shards = folder, seed, {}
        self.by_grid, self.marked, self.by_shape = defaultdict(list), defaultdict(list), defaultdict(list)
        self.lettered = {}
        self.refresh()

    def refresh(self):
        for k in dataset.available(self.folder, self.seed):
            if k in self.shards:
                continue
            d = self.shards[k] = dataset.load(self.folder, k, self.seed)
            self.lettered[k] = lettered_tiles(d)
            if k >= dataset.LETTERS:
                continue
            for p, s in enumerate(d["scenes"]):
                if "marker" in s:
                    self.marked[s["grid"]].append((k, p))
                else:
                    self.by_grid[s["grid"]].append((k, p))
                    for shape in {o["shape"] for o in s["objects"] if o["kind"] == "shape"}:
                        self.by_shape[s["grid"], shape].append((k, p))

    def letters(self, rng, count):
        """`count` tiles of one shard on which letters can be read, and their dense targets."""
        keys = sorted(k for k in self.lettered if k >= dataset.WORDY) or sorted(self.lettered)
        k = keys[rng.integers(len(keys))]
        picks = np.sort(rng.choice(self.lettered[k], count))
        return torch.from_numpy(np.ascontiguousarray(self.shards[k]["tiles"][picks])), tile_targets(self.shards[k], picks)

    def scene(self, key):
        return self.shards[key[0]]["scenes"][key[1]]

    def tiles(self, key, only_global=False):
        d = self.shards[key[0]]
        a, b = d["start"][key[1]], d["start"][key[1] + 1]
        return np.arange(a, a + 1 if only_global else b)


SINGLE = [((1, 1), 27), ((2, 2), 33), ((2, 1), 10), ((1, 2), 10), ((3, 1), 6), ((1, 3), 6), ((4, 1), 4), ((1, 4), 4)]
EASY = [((1, 1), 50), ((2, 2), 20), ((2, 1), 8), ((1, 2), 8), ((3, 1), 4), ((1, 3), 4), ((4, 1), 3), ((1, 4), 3)]
PAIRS = [((1, 1), (1, 1)), ((1, 1), (2, 2)), ((2, 2), (2, 2)), ((2, 1), (2, 1)), ((1, 2), (1, 1)), ((2, 2), (2, 1)), ((3, 1), (1, 1))]


def choose(rng, weighted):
    u = rng.random() * sum(w for _, w in weighted)
    for value, w in weighted:
        u -= w
        if u < 0:
            return value
    return weighted[-1][0]


def pack(text, rng, make, rows, length):
    """Fills `rows` rows with segments from make(); returns ids, offsets, segment numbers, supervised, coordinate values, anchors."""
    ids = np.full((rows, length), 2, np.int64)
    off, seg = np.zeros((rows, length), np.int64), np.full((rows, length), -1, np.int64)
    sup, val = np.zeros((rows, length), bool), np.full((rows, length), -1, np.int64)
    anchor = np.full((rows, length), -1, np.int64)
    used, fails, number = [0] * rows, 0, 0
    while fails < 3:
        a, s, v, who = make()
        place = [r for r in range(rows) if used[r] + len(a) <= length]
        if not place:
            fails += 1
            continue
        r = place[0]
        sl = slice(used[r], used[r] + len(a))
        ids[r, sl], off[r, sl], seg[r, sl], sup[r, sl], val[r, sl], anchor[r, sl] = a, np.arange(len(a)), number, s, v, who
        used[r] += len(a)
        number += 1
    return ids, off, seg, sup, val, anchor


def single_questions(text, rng, scene, mix):
    def make():
        turns = [tasks.ask(scene, rng, mix=mix)]
        while rng.random() < 0.1:
            turns.append(tasks.ask(scene, rng, mix=mix))
        return text.segment(turns, "\n" if rng.random() < 0.75 else "", scene)
    return make


def multi_questions(text, rng, scenes):
    def make():
        lang = tasks.ZH if rng.random() < 0.28 else tasks.EN
        if len(scenes) == 2 and "marker" in scenes[0] and rng.random() < 0.7:
            x = tasks.in_context(scenes[0], scenes[1], rng, lang)
        else:
            x = tasks.compare(scenes, rng, lang)
        return text.segment([x], "\n")
    return make


class Batch:
    """Pictures and packed questions of one step.  kinds: one, two, three pictures, none."""

    def __init__(self, pics, text, rng, mix, tokens, easy=False):
        u = rng.random() * (0.84 if easy else 1)
        self.count = 1 if u < 0.84 else 2 if u < 0.95 else 3 if u < 0.985 else 0
        self.grids, chosen = [], []
        if self.count == 1:
            grid = choose(rng, EASY if easy else SINGLE)
            self.grids = [grid]
        elif self.count == 2:
            self.grids = list(PAIRS[rng.integers(len(PAIRS))])
        else:
            self.grids = [(1, 1)] * self.count
        lead = "<|User|>: "
        named = self.count > 1 and rng.random() < 0.3
        self.pieces = [[text.bos] + (text.ids(lead + ("This is image_1: " if named else "")) if self.count else [])]
        for j in range(1, self.count):
            self.pieces.append(text.ids(f"\nThis is image_{j + 1}: " if named else "\n"))
        self.prefix = sum(map(len, self.pieces)) + sum(len(layout(g)) for g in self.grids)
        size = max(4, int(tokens / (self.prefix + ROW * ROWS)))
        packed = []
        for _ in range(size):
            keys = self._keys(pics, rng)
            chosen.append(keys)
            scenes = [pics.scene(k) for k in keys]
            if self.count == 1:
                make = single_questions(text, rng, scenes[0], mix)
            elif self.count:
                make = multi_questions(text, rng, scenes)
            else:
                make = lambda: self._blank(text, rng)
            packed.append(pack(text, rng, make, ROWS, ROW))
        self.rows, self.off, self.seg, self.sup, self.val, self.anchor = (torch.from_numpy(np.stack(a)) for a in zip(*packed))
        self.size = size
        only = self.count == 3
        self.picks = [(k, pics.tiles(k, only)) for keys in chosen for k in keys]
        self.scenes = [pics.scene(k) for keys in chosen for k in keys]
        self.only_global = only

    def _keys(self, pics, rng):
        keys = []
        for j, grid in enumerate(self.grids):
            pool = pics.by_grid[grid]
            if self.count == 3:
                pool = pics.by_grid[choose(rng, SINGLE)]
            if self.count == 2 and j == 0 and pics.marked[grid] and rng.random() < 0.8:
                pool = pics.marked[grid]
            if j == 1 and "marker" in pics.scene(keys[0]) and rng.random() < 0.85:
                first = pics.scene(keys[0])
                pool = pics.by_shape[grid, first["objects"][first["marker"]]["shape"]] or pool
            keys.append(pool[rng.integers(len(pool))])
        return keys

    @staticmethod
    def _blank(text, rng):
        lang = tasks.ZH if rng.random() < 0.28 else tasks.EN
        empty = {"objects": [], "width": 92, "height": 92}
        if rng.random() < 0.5:
            x = tasks.outside(empty, rng, lang)
        else:
            fake = {"objects": [{"kind": "shape", "shape": tasks.pick(rng, list(tasks.SHAPE_ZH)), "color": tasks.pick(rng, list(tasks.COLOR_ZH)),
                                 "box": [9, 9, 40, 40]}], "width": 92, "height": 92}
            x = tasks.ask(fake, rng, lang=lang)
            if x["answer"] not in (tasks.REFUSE[lang], tasks.HELLO[lang]):
                x["answer"] = tasks.NO_PICTURE[lang]
        return text.segment([x], "<|User|>: ")

    def tiles(self, pics):
        return torch.from_numpy(np.concatenate([pics.shards[k[0]]["tiles"][t[0]:t[-1] + 1] for k, t in self.picks]))

    def targets(self, pics):
        parts = [tile_targets(pics.shards[k[0]], t) for k, t in self.picks]
        return [torch.cat(p) for p in zip(*parts)]

    def prefix_embeddings(self, model, features):
        """[size, prefix, hidden] and the projected tiles."""
        emb = model.language.embed_tokens
        text = [emb(torch.tensor(p)).expand(self.size, -1, -1) for p in self.pieces]
        if not self.count:
            return text[0], None
        tokens, projected = [], model.projector(features)
        per = [1 if self.only_global or g == (1, 1) else 1 + g[0] * g[1] for g in self.grids]
        cells = projected.view(self.size, sum(per), *projected.shape[1:]).flatten(1, 2)
        cells = torch.cat([cells, model.image_newline.expand(self.size, 1, -1), model.view_seperator.expand(self.size, 1, -1)], 1)
        base, last = 0, sum(per) * 25
        for j, g in enumerate(self.grids):
            index = [last + c if t < 0 else (base + t) * 25 + c for t, c in layout(g)]
            tokens += [text[j], cells.index_select(1, torch.tensor(index))]
            base += per[j]
        return torch.cat(tokens, 1), projected


class Trainer:
    def __init__(self, a):
        self.a = a
        torch.set_num_threads(a.threads)
        torch.manual_seed(3)
        self.text = Text()
        self.model = DemoModel(len(self.text))
        init_language(self.model, self.text.numbers)
        w, h = CONFIG["vision"]["width"], CONFIG["hidden"]
        self.heads = torch.nn.ModuleDict({"vision": DenseHead(w), "projected": DenseHead(h, 4), "tap": DenseHead(h, 4)})
        self.step, self.spent = 0, 0.0
        vision = [(n, p) for n, p in self.model.named_parameters() if n.startswith("vision.")] + \
            [("vision_head." + n, p) for n, p in self.heads["vision"].named_parameters()]
        rest = [(n, p) for n, p in self.model.named_parameters() if not n.startswith("vision.") and p.requires_grad] + \
            [("head." + n, p) for k in ("projected", "tap") for n, p in self.heads[k].named_parameters()]
        groups = matrix_groups(rest, a.lr) + matrix_groups(vision, a.lr)
        for g, part in zip(groups, ("rest", "rest", "vision", "vision")):
            g["part"] = part
        self.opt = Muon(groups, a.lr)
        self.params = [p for g in groups for p in g["params"]]
        self.frozen_params = [p for g in groups if g["part"] == "rest" for p in g["params"]]
        self.model.language.layers[POINT].keep = True
        self.moes = [m for m in self.model.modules() if isinstance(m, Moe)]
        if os.path.exists(a.state):
            s = torch.load(a.state)
            self.model.load_state_dict(s["model"]), self.heads.load_state_dict(s["heads"]), self.opt.load_state_dict(s["opt"])
            self.step, self.spent = s["step"], s["spent"]
        elif a.init_from:
            import export
            export.load_into(self.model, a.init_from)
        elif a.vision:
            s = torch.load(a.vision)
            self.model.vision.load_state_dict(s["vision"]), self.heads["vision"].load_state_dict(s["head"])
        self.rank = int(os.environ.get("SL_RANK", 0))
        self.rng = np.random.default_rng([100 + self.step, self.rank])
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        if os.path.exists(a.state) and "average" in s:
            self.average = s["average"]
        self.pics = Pictures(a.data)

    def save(self, spent):
        s = {"average": self.average, "model": self.model.state_dict(), "heads": self.heads.state_dict(), "opt": self.opt.state_dict(),
             "step": self.step, "spent": spent}
        torch.save(s, self.a.state + ".tmp")
        os.replace(self.a.state + ".tmp", self.a.state)

    def mix(self, minutes):
        if minutes < self.a.easy_minutes:
            return [(tasks.locate, 50), (tasks.find_all, 14), (tasks.color_of, 8), (tasks.shape_of, 8), (tasks.count, 8), (tasks.read, 8),
                    (tasks.yes_no, 4), (tasks.describe, 5)]
        return tasks.MIX

    def one(self, minutes, sigma, frozen, vision_scale):
        b = Batch(self.pics, self.text, self.rng, self.mix(minutes), self.a.tokens, minutes < self.a.easy_minutes)
        m, stats, extra = self.model, {}, 0.0
        features = None
        if b.count:
            with torch.set_grad_enabled(not frozen):
                features = m.vision(b.tiles(self.pics))
        prefix, projected = b.prefix_embeddings(m, features)
        hidden, tapped, _ = m.language(prefix, b.rows, b.off + b.prefix, b.seg, TAP)
        loss, stats = answer_loss(m, hidden, b, self.text, sigma)
        if b.count == 1 and self.a.pointer > 0:
            pointing = pointer_loss(m.language.layers[POINT].kept, b, self.pics, POINTERS)
            counting = counting_loss(m.language.layers[POINT].kept, b, self.pics, SINKS)
            loss = loss + self.a.pointer * (pointing + counting)
            stats.update(point=float(pointing), counting=float(counting))
        if b.count and self.a.dense > 0:
            targets = b.targets(self.pics)
            if not frozen:
                extra = extra + total_dense(dense_loss(self.heads["vision"](features), *targets)) * vision_scale
            grouped, v = [quads(t) for t in targets], valid_quads()
            parts = dense_loss(self.heads["projected"](projected), *grouped, v.expand_as(grouped[0]))
            extra = extra + 0.3 * total_dense(parts)
            grouped[2], index = quads(absolute_boxes(b, self.pics)), image_positions(b)
            at, tile, cell = index
            pick = lambda t: t.view(b.size, -1, *t.shape[1:])[:, tile, cell]
            o = self.heads["tap"](tapped.index_select(1, torch.tensor(at)))
            parts = dense_loss(o, *map(pick, grouped), v[cell].expand(b.size, -1, -1))
            extra = extra + total_dense(parts)
            stats.update({"t_" + k: x.item() for k, x in parts.items()})
        if self.a.letters and not frozen:
            tiles, targets = self.pics.letters(self.rng, self.a.letters)
            parts = dense_loss(self.heads["vision"](m.vision(tiles)), *targets)
            extra = extra + total_dense(parts) * vision_scale
            stats.update(letters=parts["char"].item(), places=parts["place"].item())
        (loss + self.a.dense * extra).backward()
        return stats

    def share(self, spent, params):
        """Averages the gradients over the processes, adds up the experts' loads, and returns the first process's clock."""
        if self.a.ranks == 1:
            return spent
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in params]
        loads = [m.load.float() for m in self.moes]
        clock = torch.tensor([spent if self.rank == 0 else 0.0])
        flat = torch.cat([t.reshape(-1) for t in grads + loads + [clock]])
        dist.all_reduce(flat)
        at = 0
        for p in params:
            n = p.numel()
            p.grad = flat[at:at + n].view_as(p) / self.a.ranks
            at += n
        for m in self.moes:
            m.load = flat[at:at + len(m.load)]
            at += len(m.load)
        return flat[-1].item()

    def run(self):
        a, begun, saved, ema = self.a, time.time(), time.time(), {}
        spent = self.spent
        while spent <= a.minutes * 60:
            done, minutes = spent / (a.minutes * 60), spent / 60
            frozen = minutes < a.freeze_minutes
            rate = a.lr * min(1, (self.step + 1) / 40) * min(1.0, 0.04 + (1 - done) / a.decay)
            for g in self.opt.param_groups:
                g["lr"] = rate * (a.vision_lr if g["part"] == "vision" else 1)
            sigma = max(a.sigma_end, a.sigma * (1 - done / 0.7) + a.sigma_end * done / 0.7)
            self.opt.zero_grad(set_to_none=True)
            stats = self.one(minutes, sigma, frozen, a.vision_dense)
            spent = self.share(self.spent + time.time() - begun, self.frozen_params if frozen else self.params)
            torch.nn.utils.clip_grad_norm_(self.params, 3.0)
            self.opt.step()
            for moe in self.moes:
                moe.balance(0.003 if done < 0.8 else 0.0005)
            self.step += 1
            if self.rank == 0:
                with torch.no_grad():
                    torch._foreach_lerp_(list(self.average.values()), list(self.model.state_dict().values()), a.average)
            if self.step % 100 == 0:
                self.pics.refresh()
            if self.rank:
                continue
            for k, v in stats.items():
                ema[k] = ema.get(k, v) * 0.9 + 0.1 * v
            if self.step % 10 == 0:
                loads = [(m.load.max() / m.load.float().mean()).item() for m in self.moes]
                print(self.step, f"{spent:.0f}s lr {rate:.1e} sigma {sigma:.1f}", " ".join(f"{k} {v:.3f}" for k, v in ema.items()),
                      f"maxload {max(loads):.2f}", flush=True)
            if time.time() - saved > 150:
                self.save(spent)
                saved = time.time()
        if self.rank == 0:
            self.save(spent)


def arguments():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True)
    ap.add_argument("--state", required=True)
    ap.add_argument("--vision")
    ap.add_argument("--init-from")
    ap.add_argument("--minutes", type=float, default=90)
    ap.add_argument("--easy-minutes", type=float, default=12)
    ap.add_argument("--freeze-minutes", type=float, default=0)
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--vision-lr", type=float, default=0.5)
    ap.add_argument("--decay", type=float, default=0.45, help="share of the time, at the end, in which the rate falls linearly")
    ap.add_argument("--dense", type=float, default=0.5)
    ap.add_argument("--average", type=float, default=0.012, help="share of each step in the running average of the weights that is exported")
    ap.add_argument("--vision-dense", type=float, default=1.0, help="weight of the vision tower's own dense losses beside the others")
    ap.add_argument("--letters", type=int, default=0, help="tiles with legible words that each process adds to a step, for the vision tower alone")
    ap.add_argument("--pointer", type=float, default=0.3, help="weight of the loss that points two heads at the object an answer speaks of")
    ap.add_argument("--sigma", type=float, default=25)
    ap.add_argument("--sigma-end", type=float, default=3)
    ap.add_argument("--tokens", type=int, default=7000)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--ranks", type=int, default=2, help="processes that share a step; one thread each beats one process with two threads")
    return ap.parse_args()


def main():
    a = arguments()
    if a.ranks > 1 and "SL_RANK" not in os.environ:
        sync = tempfile.mktemp(prefix="train-sync-")
        procs = [subprocess.Popen([sys.executable, "-W", "ignore"] + sys.argv, env={**os.environ, "SL_RANK": str(r), "SL_SYNC": sync})
                 for r in range(a.ranks)]
        sys.exit(max(p.wait() for p in procs))
    if a.ranks > 1:
        dist.init_process_group("gloo", init_method="file://" + os.environ["SL_SYNC"], world_size=a.ranks, rank=int(os.environ["SL_RANK"]))
    Trainer(a).run()


if __name__ == "__main__":
    main()
