/* SPDX-License-Identifier: MIT
 *
 * The scheduler and the tensor-core primitives behind tests/cuda/emulate.h. One OS thread; fibers are switched
 * by a dozen instructions on x86-64 and by ucontext elsewhere. AddressSanitizer sees the kernels, and not the scheduler; it need not
 * know of the fibers as long as it does not move frames off their stacks (detect_stack_use_after_return=0, meson.build).
 */
#include "tests/cuda/emulate.h"

#include <sys/mman.h>
#ifndef __x86_64__
#include <ucontext.h>
#endif
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

namespace emulate {
fiber *current;
block_state here;

namespace {
constexpr size_t STACK = 64 << 10, SHIFT = 17 * 64; /* tops of stacks lie in different sets of the caches */
constexpr int MAX_THREADS = 1024;
const std::function<void()> *body;
void *scheduler;
uint64_t random_state = 1;

unsigned next_random(unsigned n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % n;
}

template <class T> void shuffle(std::vector<T> &v)
{
    for (size_t i = v.size(); emulate_seed && i > 1; i--)
        std::swap(v[i - 1], v[next_random((unsigned)i)]);
}
} // namespace

#ifdef __x86_64__
extern "C" void emulate_switch(void **from, void *to);
__asm__(".text\n.globl emulate_switch\n.type emulate_switch,@function\nemulate_switch:\n"
        "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
        "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
        "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\n"
        "popq %rcx\njmp *%rcx\n" /* no call matches this return: as a jump it can be predicted */
        ".size emulate_switch,.-emulate_switch\n");
#else
static void emulate_switch(void **from, void *to)
{
    ucontext_t mine;
    *from = &mine;
    swapcontext(&mine, (ucontext_t *)to);
}
#endif

static void to_fiber(fiber *f)
{
    current = f;
    emulate_switch(&scheduler, f->stack_pointer);
}

static void to_scheduler() { emulate_switch(&current->stack_pointer, scheduler); }

static void enter()
{
    (*body)();
    current->at = DONE;
    to_scheduler();
    __builtin_trap();
}

void stuck(const char *why)
{
    fprintf(stderr, "emulated kernel: %s, block (%u, %u, %u)\n", why, here.index.x, here.index.y, here.index.z);
    if (current)
        fprintf(stderr, "  thread %u (warp %d, lane %d), last barrier at line %d\n", current->thread.x, current->warp, current->lane,
                current->line);
    abort();
}

void wait(state at, uint32_t mask, int line)
{
    current->at = at;
    current->mask = mask;
    current->line = line;
    to_scheduler();
}

static void start(fiber &f)
{
    f.at = RUNNING;
    f.generation = 0;
    f.copies.clear();
    f.copy_group = 0;
#ifdef __x86_64__
    void **sp = (void **)(f.stack + STACK - 64);
    *--sp = nullptr;
    *--sp = (void *)enter;
    sp -= 6;
    memset(sp, 0, 6 * sizeof *sp);
    f.stack_pointer = sp;
#else
    ucontext_t *context = (ucontext_t *)f.stack;
    getcontext(context);
    context->uc_stack.ss_sp = f.stack + sizeof *context;
    context->uc_stack.ss_size = STACK - sizeof *context;
    makecontext(context, enter, 0);
    f.stack_pointer = context;
#endif
}

/* Runs the lanes of one warp until all wait for the block or are done. */
UNCHECKED static bool run_warp(fiber *lanes, int n, std::vector<int> &order)
{
    bool moved = false;

    for (bool again = true; again;) {
        uint32_t waiting = 0, mask = n < 32 ? (1u << n) - 1 : 0xffffffffu;

        again = false;
        shuffle(order);
        for (int i = 0; i < 32; i++) {
            const int l = emulate_seed ? order[(size_t)i] : i;

            if (l >= n)
                continue;
            if (lanes[l].at == RUNNING) {
                to_fiber(&lanes[l]);
                moved = true;
            }
            /* Every mask in use is the full warp; lanes that ended do not count. */
            if (lanes[l].at == AT_WARP)
                waiting |= 1u << l;
            else if (lanes[l].at == DONE)
                mask &= ~(1u << l);
        }
        if (waiting && waiting == mask) {
            for (int l = 0; l < n; l++)
                if (waiting >> l & 1)
                    lanes[l].at = RUNNING;
            again = moved = true;
        }
    }
    return moved;
}

/* A block that is alive: its threads' order, and with several of them its own shared memory and its view of the device's. */
struct alive {
    std::vector<fiber> threads;
    std::vector<int> warps, order;
    block_state state;
    std::vector<char> shared;
    std::vector<std::vector<char>> view, base; /* per region: as the block sees it, and as it was at its last fence */
};

static void begin_block(alive &b, int threads)
{
    b.warps.resize((size_t)(threads + 31) / 32);
    b.order.resize(32);
    for (size_t i = 0; i < b.warps.size(); i++)
        b.warps[i] = (int)i;
    for (int i = 0; i < 32; i++)
        b.order[(size_t)i] = i;
    for (int i = 0; i < threads; i++)
        start(b.threads[(size_t)i]);
    for (auto &room : b.state.warps)
        room.made = 0;
    if (b.state.dynamic_bytes)
        memset(b.state.dynamic, 0xff, b.state.dynamic_bytes); /* what nobody wrote reads as NaN */
}

/* To the next barrier of the block; true: to its end. */
UNCHECKED static bool run_phase(alive &b, int threads)
{
    for (;;) {
        int done = 0, at_block = 0;
        bool moved = false;

        shuffle(b.warps);
        for (int w : b.warps)
            moved |= run_warp(&b.threads[(size_t)w * 32], threads - w * 32 < 32 ? threads - w * 32 : 32, b.order);
        for (int i = 0; i < threads; i++) {
            done += b.threads[(size_t)i].at == DONE;
            at_block += b.threads[(size_t)i].at == AT_BLOCK;
        }
        if (done == threads)
            break;
        if (done + at_block == threads) {
            /* A thread that ended while others wait would be a divergent barrier on the device. */
            if (done)
                stuck("some threads ended before a block barrier");
            for (int i = 0; i < threads; i++)
                b.threads[(size_t)i].at = RUNNING;
            return false;
        }
        if (!moved)
            stuck("a barrier or shuffle is reached by some threads only");
    }
    for (int i = 0; i < threads; i++)
        if (!b.threads[(size_t)i].copies.empty())
            stuck("a thread ended with asynchronous copies under way");
    return true;
}

/* Threads with stacks of their own, which are kept from launch to launch. */
static void prepare(alive &b, int threads)
{
    while ((int)b.threads.size() < threads) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        const size_t at = b.threads.size();
        char *stacks = (char *)mmap(nullptr, MAX_THREADS * (STACK + SHIFT), PROT_READ | PROT_WRITE, flags, -1, 0);

        b.threads.resize(at + MAX_THREADS);
        for (size_t i = 0; i < MAX_THREADS; i++)
            b.threads[at + i].stack = stacks + i * (STACK + SHIFT);
    }
    for (auto &f : b.threads)
        f.at = DONE;
    for (int i = 0; i < threads; i++) {
        b.threads[(size_t)i].lane = i % 32;
        b.threads[(size_t)i].warp = i / 32;
        b.threads[(size_t)i].thread = {(unsigned)i, 0, 0};
    }
}

/* The block's own dynamic memory ends where the kernel asked for, not at the next 128 bytes. */
static void set_state(alive &b, dim3 grid, dim3 block, size_t bytes)
{
    prepare(b, (int)block.x);
    b.state.block = block;
    b.state.grid = grid;
    b.state.warps.resize((block.x + 31) / 32);
    b.state.dynamic_bytes = bytes;
    b.state.dynamic = nullptr;
    if (bytes && posix_memalign((void **)&b.state.dynamic, 128, bytes))
        b.state.dynamic = nullptr;
}

static uint3 index_of(unsigned i, dim3 grid) { return {i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y}; }

/* ------------------------------------------------------------------------------------------------ several blocks at a time */

extern "C" {
extern char __start_vlk_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_vlk_shared[] __attribute__((weak, visibility("hidden")));
}

#ifdef __SANITIZE_ADDRESS__
constexpr bool APART = false; /* AddressSanitizer keeps static variables where it watches their ends */
#else
constexpr bool APART = true;
#endif

struct held { size_t region, at; char byte; };
static std::vector<region> regions;
static std::vector<std::vector<char>> truth; /* per region: what all blocks have agreed on */
static std::vector<held> unfenced;           /* of blocks that ended: seen when the launch has ended */
static alive *running;                       /* the block whose view lies in the memory; NULL: blocks run one after the other */

/* What the running block wrote since its last fence is given to `take`. */
template <class T> static void each_write(T take)
{
    constexpr size_t PART = 4096;

    for (size_t r = 0; r < regions.size(); r++)
        for (size_t from = 0; from < regions[r].bytes; from += PART) {
            const size_t to = from + PART < regions[r].bytes ? from + PART : regions[r].bytes;

            if (!memcmp(regions[r].at + from, &running->base[r][from], to - from))
                continue;
            for (size_t i = from; i < to; i++)
                if (regions[r].at[i] != running->base[r][i])
                    take(r, i, regions[r].at[i]);
        }
}

static void see_truth(alive &b)
{
    for (size_t r = 0; r < regions.size(); r++) {
        memcpy(regions[r].at, truth[r].data(), regions[r].bytes);
        b.base[r] = truth[r];
    }
}

/* Others see what was written, and this block what others did. */
void fence()
{
    if (!running)
        return;
    each_write([](size_t r, size_t i, char byte) { truth[r][i] = byte; });
    see_truth(*running);
}

static bool find(const void *p, size_t *r, size_t *at)
{
    for (*r = 0; running && *r < regions.size(); ++*r)
        if ((const char *)p >= regions[*r].at && (const char *)p < regions[*r].at + regions[*r].bytes) {
            *at = (size_t)((const char *)p - regions[*r].at);
            return true;
        }
    return false;
}

void *cell_of(void *p, size_t)
{
    size_t r, at;

    return find(p, &r, &at) ? &truth[r][at] : p;
}

void show_cell(void *p, const void *cell, size_t bytes)
{
    size_t r, at;

    if (!find(p, &r, &at))
        return;
    memcpy(p, cell, bytes);
    memcpy(&running->base[r][at], cell, bytes);
}

static void enter_block(alive &b)
{
    running = &b;
    here = b.state;
    if (!b.shared.empty())
        memcpy(__start_vlk_shared, b.shared.data(), b.shared.size());
    for (size_t r = 0; r < regions.size(); r++)
        memcpy(regions[r].at, b.view[r].data(), regions[r].bytes);
}

static void leave_block(alive &b)
{
    b.state = here;
    if (!b.shared.empty())
        memcpy(b.shared.data(), __start_vlk_shared, b.shared.size());
    for (size_t r = 0; r < regions.size(); r++)
        memcpy(b.view[r].data(), regions[r].at, regions[r].bytes);
}

static void begin_view(alive &b, int threads)
{
    b.view = b.base = truth;
    b.shared.assign((size_t)(__stop_vlk_shared - __start_vlk_shared), (char)0xff);
    running = &b;
    begin_block(b, threads);
}

/* Blocks in a random order, a random one of those alive going on to its next barrier. */
static void run_together(const std::vector<unsigned> &blocks, dim3 grid, dim3 block, size_t bytes)
{
    static std::vector<alive> pool;
    std::vector<alive *> going;
    size_t next = 0;

    regions = device_memory();
    truth.clear();
    unfenced.clear();
    for (auto &r : regions)
        truth.emplace_back(r.at, r.at + r.bytes);
    pool.resize(emulate_blocks);
    for (auto &b : pool)
        set_state(b, grid, block, bytes);
    std::vector<alive *> idle;
    for (auto &b : pool)
        idle.push_back(&b);
    while (next < blocks.size() || !going.empty()) {
        if (next < blocks.size() && !idle.empty() && (going.empty() || next_random(2))) {
            going.push_back(idle.back());
            idle.pop_back();
            going.back()->state.index = index_of(blocks[next++], grid);
            begin_view(*going.back(), (int)block.x);
        }
        const size_t i = next_random((unsigned)going.size());
        alive &b = *going[i];

        enter_block(b);
        bool done = run_phase(b, (int)block.x);
        while (!done && going.size() == 1 && next == blocks.size()) /* alone to its end */
            done = run_phase(b, (int)block.x);
        if (done)
            each_write([](size_t r, size_t at, char byte) { unfenced.push_back({r, at, byte}); });
        leave_block(b);
        if (done) {
            going.erase(going.begin() + (long)i);
            idle.push_back(&b);
        }
    }
    running = nullptr;
    for (size_t r = 0; r < regions.size(); r++)
        memcpy(regions[r].at, truth[r].data(), regions[r].bytes);
    for (auto &w : unfenced)
        regions[w.region].at[w.at] = w.byte;
    for (auto &b : pool)
        free(b.state.dynamic);
}

void run(dim3 grid, dim3 block, size_t bytes, const std::function<void()> &fn)
{
    static alive one;
    static bool seeded;
    std::vector<unsigned> blocks((size_t)grid.x * grid.y * grid.z);

    if (block.x > MAX_THREADS || block.y != 1 || block.z != 1)
        stuck("a block of this size cannot be launched");
    if (!seeded)
        random_state = emulate_seed + 1;
    seeded = true;
    body = &fn;
    for (size_t i = 0; i < blocks.size(); i++)
        blocks[i] = (unsigned)i;
    shuffle(blocks);
    if (APART && emulate_blocks > 1 && blocks.size() > 1) {
        run_together(blocks, grid, block, bytes);
        return;
    }
    set_state(one, grid, block, bytes);
    for (unsigned b : blocks) {
        one.state.index = index_of(b, grid);
        begin_block(one, (int)block.x);
        here = one.state;
        while (!run_phase(one, (int)block.x))
            ;
    }
    free(one.state.dynamic);
}
} // namespace emulate

/* ------------------------------------------------------------------------------------------------ tensor cores */

UNCHECKED static float bf16_at(uint32_t word, int high) { return __uint_as_float(high ? word & 0xffff0000u : word << 16); }

/* out = a b from the lanes' four words of a and two of b, two elements of k at a time. */
UNCHECKED static void multiply(const uint8_t (*lanes)[32], float out[16][8])
{
    float b[2][8][8]; /* [element of the pair][pair][column] */

    for (int l = 0; l < 32; l++)
        for (int h = 0; h < 2; h++) {
            uint32_t word;

            memcpy(&word, lanes[l] + 16 + 4 * h, 4);
            b[0][(l & 3) + 4 * h][l >> 2] = bf16_at(word, 0);
            b[1][(l & 3) + 4 * h][l >> 2] = bf16_at(word, 1);
        }
    for (int row = 0; row < 16; row++) {
        typedef float columns __attribute__((vector_size(16)));
        columns sum[2] = {};

        for (int k = 0; k < 8; k++) {
            uint32_t word;
            columns even[2], odd[2];

            memcpy(&word, lanes[(row & 7) * 4 + (k & 3)] + 4 * ((row >> 3) + (k >> 2) * 2), 4);
            memcpy(even, b[0][k], sizeof even);
            memcpy(odd, b[1][k], sizeof odd);
            for (int i = 0; i < 2; i++)
                sum[i] += bf16_at(word, 0) * even[i] + bf16_at(word, 1) * odd[i];
        }
        memcpy(out[row], sum, sizeof sum);
    }
}

UNCHECKED void vlk_mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    struct operands { uint32_t a[4], b[2]; } mine = {{a[0], a[1], a[2], a[3]}, {b0, b1}};
    auto all = emulate::exchange(0xffffffffu, mine);
    const int g = emulate::current->lane >> 2, t = emulate::current->lane & 3;
    auto &room = emulate::here.warps[(size_t)emulate::current->warp];

    if (room.made != emulate::current->generation) { /* nobody asks for the next product before all have taken this one */
        multiply(all.values, room.product);
        room.made = emulate::current->generation;
    }
    for (int i = 0; i < 4; i++)
        c[i] += room.product[g + (i >> 1) * 8][t * 2 + (i & 1)];
}

static void load_matrices(uint32_t r[4], const void *row, bool trans)
{
    auto all = emulate::exchange(0xffffffffu, row);
    const int l = emulate::current->lane;

    for (int m = 0; m < 4; m++) {
        uint16_t v[2];

        for (int h = 0; h < 2; h++) {
            int from = trans ? (l & 3) * 2 + h : l >> 2, col = trans ? l >> 2 : (l & 3) * 2 + h;
            const void *p = all[m * 8 + from];

            if ((uintptr_t)p & 15)
                emulate::stuck("a matrix load is misaligned");
            v[h] = ((const uint16_t *)p)[col];
        }
        r[m] = v[0] | (uint32_t)v[1] << 16;
    }
    /* Nobody may overwrite a row that another lane has not read yet. */
    emulate::wait(emulate::AT_WARP, 0xffffffffu, 0);
}

void vlk_ldmatrix(uint32_t r[4], const void *row) { load_matrices(r, row, false); }
void vlk_ldmatrix_trans(uint32_t r[4], const void *row) { load_matrices(r, row, true); }
