/* SPDX-License-Identifier: MIT
 *
 * The command list and its graphs: ops append launches with their arguments by value, flush runs them, and a list that comes a second
 * time is recorded as a CUDA graph and replayed from then on. A graph that cannot be made costs nothing but time. Also submit and
 * wait. Called by the op table and by whatever needs the queue to be empty.
 */
#include "kernels/cuda/backend.cuh"

enum { MOST_TRIES = 3, WORN_IN = 8 };

static const uint64_t seed = 0xcbf29ce484222325u;

/* FNV-1a over 8 bytes at a time; a collision costs a comparison. */
static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)data;
    uint64_t word;

    for (size_t i = 0; i + 8 <= bytes; i += 8) {
        memcpy(&word, p + i, 8);
        hash = (hash ^ word) * 0x100000001b3u;
    }
    return hash;
}

/* The hash of the list so far. Its last command may still be changed by the op that follows, so that it is hashed when the next one
 * is appended. */
static uint64_t hash_all(const struct vlk_command_list *list)
{
    const struct vlk_command *last = &list->commands[list->count - 1];

    return mix(mix(list->before[list->count - 1], last, sizeof *last), list->arena + last->args, last->args_bytes);
}

void *vlk_cuda_append(struct vlk_cuda *cuda, struct vlk_command c, const void *args, size_t bytes)
{
    struct vlk_command_list *list = &cuda->list;
    const size_t room = (bytes + 15) / 16 * 16;

    if (vlk_cuda_poisoned(cuda))
        return NULL;
    if (list->count == VLK_CUDA_COMMANDS || list->used + room > VLK_CUDA_ARENA)
        vlk_cuda_flush(cuda);
    c.args = list->used;
    c.args_bytes = (uint32_t)room;
    memset(list->arena + list->used, 0, room);
    memcpy(list->arena + list->used, args, bytes);
    list->used += (uint32_t)room;
    list->eager |= c.eager;
    list->before[list->count] = list->count ? hash_all(list) : seed;
    list->commands[list->count++] = c;
    return list->arena + c.args;
}

void *vlk_cuda_last(struct vlk_cuda *cuda, const void *kernel)
{
    struct vlk_command_list *list = &cuda->list;

    return list->count && list->commands[list->count - 1].kernel == kernel ? list->arena + list->commands[list->count - 1].args : NULL;
}

void vlk_cuda_drop_last(struct vlk_cuda *cuda)
{
    cuda->list.used = cuda->list.commands[--cuda->list.count].args;
}

static bool same_list(const struct vlk_command_list *a, const struct vlk_command_list *b)
{
    return a->hash == b->hash && a->count == b->count && a->used == b->used &&
           !memcmp(a->commands, b->commands, a->count * sizeof *a->commands) && !memcmp(a->arena, b->arena, a->used);
}

static void forget_graph(struct vlk_graph *g)
{
    if (g->exec)
        cudaGraphExecDestroy(g->exec);
    vlk_free(g->list.commands);
    vlk_free(g->list.arena);
    memset(g, 0, sizeof *g);
}

void vlk_cuda_forget_graphs(struct vlk_cuda *cuda)
{
    for (int i = 0; i < VLK_CUDA_GRAPHS; i++)
        forget_graph(&cuda->graphs[i]);
}

/* Whether the list has come before, lately; it is written down. */
static bool came_before(struct vlk_cuda *cuda, uint64_t hash)
{
    for (int i = 0; i < VLK_CUDA_SEEN; i++)
        if (cuda->seen[i] == hash)
            return true;
    cuda->seen[cuda->seen_next++ % VLK_CUDA_SEEN] = hash;
    return false;
}

/* The place of the graph to give up: one that was not replayed often before one that was, and then the one unused for longest. Lists of
 * prefill are seldom alike, and those of decode are worn in after a few tokens. */
static struct vlk_graph *find_victim(struct vlk_cuda *cuda)
{
    struct vlk_graph *victim = &cuda->graphs[0];

    for (int i = 1; i < VLK_CUDA_GRAPHS; i++) {
        struct vlk_graph *g = &cuda->graphs[i];
        const bool worn = g->replays >= WORN_IN, other = victim->replays >= WORN_IN;

        if (worn != other ? other : g->used < victim->used)
            victim = g;
    }
    return victim;
}

static struct vlk_graph *remember(struct vlk_cuda *cuda)
{
    const struct vlk_command_list *list = &cuda->list;
    struct vlk_graph *g = find_victim(cuda);

    forget_graph(g);
    g->list.commands = (struct vlk_command *)vlk_alloc(list->count, sizeof *list->commands);
    g->list.arena = (unsigned char *)vlk_alloc(list->used, 1);
    if (!g->list.commands || !g->list.arena) {
        forget_graph(g);
        return NULL;
    }
    memcpy(g->list.commands, list->commands, list->count * sizeof *list->commands);
    memcpy(g->list.arena, list->arena, list->used);
    g->list.count = list->count;
    g->list.used = list->used;
    g->list.hash = list->hash;
    return g;
}

/* The remembered list that equals the current one, remembered now if it comes for the second time; else NULL. */
static struct vlk_graph *find_graph(struct vlk_cuda *cuda)
{
    struct vlk_graph *found = NULL;

    cuda->list.hash = hash_all(&cuda->list);
    for (int i = 0; i < VLK_CUDA_GRAPHS && !found; i++)
        if (cuda->graphs[i].list.commands && same_list(&cuda->graphs[i].list, &cuda->list))
            found = &cuda->graphs[i];
    if (!found && came_before(cuda, cuda->list.hash))
        found = remember(cuda);
    if (found)
        found->used = ++cuda->clock;
    return found;
}

static void run_commands(struct vlk_cuda *cuda)
{
    for (uint32_t i = 0; i < cuda->list.count; i++)
        cuda->list.commands[i].run(cuda, &cuda->list.commands[i]);
}

/* Records the list as a graph. False: not possible, nothing ran, and no error is left behind: a graph that fails, for want of memory
 * first of all, is no failed device. */
static bool make_graph(struct vlk_cuda *cuda, struct vlk_graph *g)
{
    cudaGraph_t graph = NULL;
    bool made = false;

    if (g->tries >= MOST_TRIES)
        return false;
    g->tries++;
    if (cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) {
        run_commands(cuda);
        made = cudaStreamEndCapture(cuda->stream, &graph) == cudaSuccess && graph && cudaGraphInstantiate(&g->exec, graph, 0) == cudaSuccess;
    }
    if (graph)
        cudaGraphDestroy(graph);
    if (!made) {
        g->exec = NULL;
        cudaGetLastError();
    }
    return made;
}

static bool replay(struct vlk_cuda *cuda, struct vlk_graph *g)
{
    if (!g->exec && !make_graph(cuda, g))
        return false;
    if (cudaGraphLaunch(g->exec, cuda->stream) == cudaSuccess) {
        g->replays++;
        return true;
    }
    cudaGetLastError(); /* one by one the launches show whether it is the device */
    cudaGraphExecDestroy(g->exec);
    g->exec = NULL;
    return false;
}

void vlk_cuda_flush(struct vlk_cuda *cuda)
{
    struct vlk_command_list *list = &cuda->list;
    struct vlk_graph *g;

    if (list->count == 0)
        return;
    vlk_cuda_enter(cuda);
    if (!vlk_cuda_poisoned(cuda)) {
        g = list->eager || list->count < 4 ? NULL : find_graph(cuda);
        cuda->submitted = true;
        if (!g || !replay(cuda, g))
            run_commands(cuda);
        vlk_cuda_failed(cuda, cudaGetLastError(), list->commands[list->count - 1].name);
    }
    list->count = list->used = list->eager = 0;
}

vlk_status vlk_cuda_submit(struct vlk_backend *be)
{
    vlk_cuda_flush(vlk_cuda_of(be));
    return vlk_cuda_of(be)->error.code;
}

static void check_fault(struct vlk_cuda *cuda)
{
    struct vlk_fault fault = *cuda->fault;

    if (fault.code == VLK_FAULT_TOKEN)
        vlk_cuda_poison(cuda, VLK_ERR_DEVICE, "Token id %d is outside the embedding table of %d rows.", fault.value, fault.limit);
    else if (fault.code == VLK_FAULT_EXPERT)
        vlk_cuda_poison(cuda, VLK_ERR_DEVICE, "Expert %d of %d was asked for.", fault.value, fault.limit);
}

void vlk_cuda_finish(struct vlk_cuda *cuda, const char *doing)
{
    vlk_cuda_enter(cuda);
    vlk_cuda_flush(cuda);
    if (!vlk_cuda_poisoned(cuda) && !vlk_cuda_failed(cuda, cudaStreamSynchronize(cuda->stream), doing))
        check_fault(cuda);
    cuda->submitted = false;
    cuda->masks_used = 0;
}

/* Memory that was short may be there the next time: nothing of what was enqueued counts, and the backend goes on. */
static void forgive(struct vlk_cuda *cuda)
{
    memset(&cuda->error, 0, sizeof cuda->error);
    cuda->sampled.device = NULL;
    cudaGetLastError();
    vlk_cuda_finish(cuda, "computing"); /* what had been started before the memory was short */
}

vlk_status vlk_cuda_wait(struct vlk_backend *be, struct vlk_error *err)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    vlk_cuda_finish(cuda, "computing");
    struct vlk_error found = cuda->error;
    if (found.code == VLK_ERR_MEMORY) {
        forgive(cuda);
        if (vlk_cuda_poisoned(cuda)) /* the device as well */
            found = cuda->error;
    }
    if (err)
        *err = found;
    return found.code;
}
