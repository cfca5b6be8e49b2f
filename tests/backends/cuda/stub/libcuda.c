// A driver library without a GPU, for NVIDIA's own cuda-bindings to load as libcuda.so.1: what they really pass arrives
// here. It keeps the rules of the calls, does their work in the order of the streams when somebody waits, and runs
// kernels that were compiled for the host (see tests/ops/emulated_gpu.h).
//
//   FCN_EDGE_STUB_DRIVER   CUDA version of the driver, such as 12060
//   FCN_EDGE_STUB_GPU      "name,major,minor,multiprocessors,integrated,MiB"
//   FCN_EDGE_STUB_LOG      a file that gets a line for each call: thread, name, arguments, result, what it gave
//   FCN_EDGE_STUB_KERNELS  a file with a line for each kernel: entry, library ("-": it does nothing), argument sizes
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_CONTEXT = 201, INVALID_HANDLE = 400,
       NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700, CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, WRONG_THREAD = 908 };
enum { GUARD = 64, GUARD_BYTE = 0xa5, FRESH_BYTE = 0x5a, MOST_ARGUMENTS = 32, MOST_KERNELS = 64, MOST_NESTED = 16 };

typedef int Result;
typedef int (*Launch)(const char*, const unsigned*, const unsigned*, size_t, void**, const int*, int, int);
typedef struct { char name[64]; Launch launch, unguarded; int count, sizes[MOST_ARGUMENTS]; } Kernel;

typedef enum { DEVICE_MEMORY, HOST_MEMORY, STREAM, EVENT, MODULE, GRAPH, GRAPH_EXEC, FUNCTION, KINDS } Kind;
static const char* const KIND_NAMES[KINDS] = {"device memory", "host memory", "stream", "event", "module", "graph",
                                              "executable graph", "function"};

typedef struct Object Object;
typedef struct Step {
    enum { COPY, FILL, LAUNCH, RECORD, WAIT } kind;
    uint64_t to, from;
    size_t width, to_pitch, from_pitch, rows;
    int value;
    Kernel* kernel;
    unsigned grid[3], block[3];
    size_t shared;
    uint64_t arguments[MOST_ARGUMENTS];
    Object* event;
    struct Step* next;
} Step;

struct Object {
    Kind kind;
    char* memory;
    size_t nbytes;
    unsigned flags;
    Step *first, *last;            // of a stream: to be done; of a graph: to be done at each launch
    int capturing, broken, mode;   // of a stream: thread that captures it
    Object *captured, *on, *owner; // a stream's graph; the stream an event is recorded in; a function's module
    int pending, reached;          // of an event: records to be done, and done
    double at;
    Kernel* kernel;
    Object* next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Object* objects;
static Kernel kernels[MOST_KERNELS];
static int lost;  // what every call fails with once a kernel went out of its memory
static int kernel_count, driver, initialized, retained, made, fail_at, fail_code, fail_always;
static unsigned wait_us;
static int idle;
static size_t used;
static FILE* log_file;
static char lacking[64], failed[64], misuses[4096];
static struct { char name[64]; int major, minor, multiprocessors, integrated; size_t bytes; } gpu;
static __thread int depth, contexts[MOST_NESTED];
static __thread char line[1024];

static void misuse(const char* what) {
    const size_t at = strlen(misuses);
    snprintf(misuses + at, sizeof misuses - at, "%s [%s]\n", what, line);
}

// ---- what tests call by ctypes ------------------------------------------------------------------------------------

void stub_fail_at(int number, int code, int always) {
    made = 0, failed[0] = 0;
    fail_at = number, fail_code = code, fail_always = always;
}

void stub_wait_us(unsigned microseconds) { wait_us = microseconds; }
void stub_idle(int yes) { idle = yes; }
void stub_lack(const char* name) { snprintf(lacking, sizeof lacking, "%s", name); }
void stub_forget_misuses(void) { misuses[0] = 0; }
int stub_made(void) { return made; }
const char* stub_failed(void) { return failed; }
const char* stub_misuses(void) { return misuses; }

void stub_log(const char* path) {
    if (log_file) fclose(log_file);
    log_file = path && *path ? fopen(path, "a") : NULL;
    if (log_file) setvbuf(log_file, NULL, _IOLBF, 1 << 16);
}

void stub_gpu(const char* text) {
    unsigned mebibytes = 0;
    sscanf(text, "%63[^,],%d,%d,%d,%d,%u", gpu.name, &gpu.major, &gpu.minor, &gpu.multiprocessors, &gpu.integrated,
           &mebibytes);
    gpu.bytes = (size_t)mebibytes << 20;
}

// A kernel out of the process's memory does not end it: as with a GPU, every call from then on fails.
static sigjmp_buf stopped;

static void stop(int number) { siglongjmp(stopped, number); }

static int guarded(const char* name, const unsigned* grid, const unsigned* block, size_t shared, void** arguments,
                   const int* sizes, int count, int backwards) {
    int at = 0;
    while (strcmp(kernels[at].name, name)) ++at;
    const Launch launch = kernels[at].unguarded;
    struct sigaction stopping = {.sa_handler = stop, .sa_flags = SA_NODEFER}, before;
    sigaction(SIGSEGV, &stopping, &before);
    volatile int outcome = 0;
    if (sigsetjmp(stopped, 1)) lost = ILLEGAL_ADDRESS;
    else outcome = launch(name, grid, block, shared, arguments, sizes, count, backwards);
    sigaction(SIGSEGV, &before, NULL);
    return outcome;
}

int stub_kernel(const char* name, const char* library, const char* sizes) {
    Kernel* kernel = kernels;
    while (kernel < kernels + kernel_count && strcmp(kernel->name, name)) ++kernel;
    if (kernel == kernels + MOST_KERNELS) return 0;
    memset(kernel, 0, sizeof *kernel);
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    if (strcmp(library, "-")) {
        void* opened = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        kernel->unguarded = opened ? (Launch)dlsym(opened, "launch") : NULL;
        if (!kernel->unguarded) return 0;
        kernel->launch = guarded;
    }
    for (const char* at = sizes; *at && kernel->count < MOST_ARGUMENTS; at += *at == ',') {
        kernel->sizes[kernel->count++] = (int)strtol(at, (char**)&at, 10);
    }
    if (kernel == kernels + kernel_count) ++kernel_count;
    return 1;
}

// What was made and not given back, as "2 stream, 1 event"; contexts of the calling thread are among it.
void stub_leftovers(char* text, size_t size) {
    int counts[KINDS] = {0};
    for (Object* one = objects; one; one = one->next) ++counts[one->kind];
    size_t at = 0;
    text[0] = 0;
    for (int kind = 0; kind < FUNCTION; ++kind) {
        if (!counts[kind]) continue;
        at += snprintf(text + at, size - at, "%s%d %s", at ? ", " : "", counts[kind], KIND_NAMES[kind]);
    }
    if (retained) at += snprintf(text + at, size - at, "%s%d context", at ? ", " : "", retained);
    if (depth) snprintf(text + at, size - at, "%s%d current context", at ? ", " : "", depth);
}

__attribute__((constructor)) static void begin(void) {
    const char* version = getenv("FCN_EDGE_STUB_DRIVER");
    const char* posing = getenv("FCN_EDGE_STUB_GPU");
    const char* table = getenv("FCN_EDGE_STUB_KERNELS");
    driver = version ? atoi(version) : 12060;
    stub_gpu(posing ? posing : "Orin,8,7,16,1,7607");
    stub_log(getenv("FCN_EDGE_STUB_LOG"));
    FILE* file = table ? fopen(table, "r") : NULL;
    char name[64], library[512], sizes[256];
    while (file && fscanf(file, "%63s %511s %255s", name, library, sizes) == 3) stub_kernel(name, library, sizes);
    if (file) fclose(file);
}

// ---- calls: one at a time, logged, failing when it is due ----------------------------------------------------------

static int thread(void) { return (int)syscall(SYS_gettid); }

static Result entered(int needs, const char* name, const char* format, ...) {
    pthread_mutex_lock(&lock);
    va_list given;
    va_start(given, format);
    const int length = snprintf(line, sizeof line, "%s ", name);
    vsnprintf(line + length, sizeof line - length, format, given);
    va_end(given);
    ++made;
    if (fail_at && (made == fail_at || (fail_always && made > fail_at))) {
        if (!failed[0]) snprintf(failed, sizeof failed, "%s", name);
        return fail_code;
    }
    if (lost) return lost;
    if (needs && !initialized) return misuse("before cuInit"), NOT_INITIALIZED;
    if (needs > 1 && !depth) return misuse("no context is current"), INVALID_CONTEXT;
    return OK;
}

static Result left(Result result, uint64_t given) {
    if (result == OK) result = lost;
    if (log_file) fprintf(log_file, "%d %s -> %d %llx\n", thread(), line, result, (unsigned long long)given);
    pthread_mutex_unlock(&lock);
    return result;
}

#define ENTER(needs, name, ...)                              \
    Result result = entered(needs, name, __VA_ARGS__);       \
    uint64_t given = 0;                                      \
    (void)given
#define LEAVE return left(result, given)

static Object* object(Kind kind) {
    Object* one = calloc(1, sizeof *one);
    one->kind = kind;
    one->next = objects;
    return objects = one;
}

static Object* known(Kind kind, const void* handle) {
    for (Object* one = objects; one; one = one->next) {
        if (one == handle && one->kind == kind) return one;
    }
    misuse(KIND_NAMES[kind]);
    return NULL;
}

static Object* at_address(Kind kind, uint64_t address) {
    for (Object* one = objects; one; one = one->next) {
        if (one->kind == kind && (uint64_t)one->memory == address) return one;
    }
    misuse(KIND_NAMES[kind]);
    return NULL;
}

static void drop_steps(Object* of) {
    for (Step* step = of->first; step;) {
        Step* next = step->next;
        if (of->kind == STREAM && step->event && step->kind == RECORD) --step->event->pending;
        free(step);
        step = next;
    }
    of->first = of->last = NULL;
}

static void forget(Object* one) {
    for (Object** at = &objects; *at; at = &(*at)->next) {
        if (*at == one) {
            *at = one->next;
            break;
        }
    }
    drop_steps(one);
    free(one);
}

// Whether memory that the GPU reaches holds all of a range.
static int reachable(uint64_t address, size_t nbytes) {
    for (Object* one = objects; one; one = one->next) {
        const uint64_t begin = (uint64_t)one->memory;
        if (one->kind <= HOST_MEMORY && address >= begin && address + nbytes <= begin + one->nbytes) return 1;
    }
    misuse("memory that is not allocated");
    return 0;
}

// ---- work: queued in streams or graphs, done when somebody waits ----------------------------------------------------

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void work_off(Object* stream);

static void run(Step* step, void** arguments) {
    const Kernel* kernel = step->kernel;
    if (idle || !kernel->launch) return;
    const int failed_how =
        kernel->launch(kernel->name, step->grid, step->block, step->shared, arguments, kernel->sizes, kernel->count, 0);
    if (failed_how) misuse(kernel->name);
}

static void perform(Step* step) {
    void* arguments[MOST_ARGUMENTS];
    switch (step->kind) {
    case COPY:
        for (size_t row = 0; row < step->rows; ++row) {
            memmove((char*)step->to + row * step->to_pitch, (char*)step->from + row * step->from_pitch, step->width);
        }
        break;
    case FILL: memset((void*)step->to, step->value, step->width); break;
    case LAUNCH:
        for (int i = 0; i < step->kernel->count; ++i) arguments[i] = &step->arguments[i];
        run(step, arguments);
        break;
    case RECORD:
        --step->event->pending;
        ++step->event->reached;
        step->event->at = now_ms();
        break;
    case WAIT: if (step->event->on) work_off(step->event->on); break;
    }
}

static void work_off(Object* stream) {
    while (stream->first) {
        Step* step = stream->first;
        stream->first = step->next;
        if (!stream->first) stream->last = NULL;
        perform(step);
        free(step);
    }
}

static void work_off_all(void) {
    for (Object* one = objects; one; one = one->next) {
        if (one->kind == STREAM) work_off(one);
    }
}

static void append(Object* to, Step step) {
    Step* kept = malloc(sizeof *kept);
    *kept = step;
    kept->next = NULL;
    if (to->last) to->last->next = kept;
    else to->first = kept;
    to->last = kept;
    if (to->kind == STREAM && step.kind == RECORD) ++step.event->pending, step.event->on = to;
}

static Result enqueue(void* handle, Step step) {
    Object* stream = handle ? known(STREAM, handle) : NULL;
    if (!handle) misuse("the null stream");
    if (!stream) return INVALID_HANDLE;
    append(stream->capturing ? stream->captured : stream, step);
    return stream->broken ? CAPTURE_INVALIDATED : OK;
}

// A call that a thread must not make while it captures; the capture is lost.
static Result outside_capture(void) {
    for (Object* one = objects; one; one = one->next) {
        if (one->kind == STREAM && one->capturing && (one->capturing == thread() || one->mode == 0)) {
            one->broken = 1;
            return CAPTURE_UNSUPPORTED;
        }
    }
    return OK;
}

static Result waited(void) {
    const unsigned pause = wait_us;
    pthread_mutex_unlock(&lock);
    if (pause) usleep(pause);
    pthread_mutex_lock(&lock);
    return OK;
}

static Result allocated(Kind kind, size_t nbytes, unsigned flags, uint64_t* given) {
    if (!nbytes) return INVALID_VALUE;
    if (used + nbytes > gpu.bytes) return OUT_OF_MEMORY;
    void* memory = NULL;
    if (posix_memalign(&memory, 4096, nbytes + GUARD)) return OUT_OF_MEMORY;
    memset(memory, FRESH_BYTE, nbytes);
    memset((char*)memory + nbytes, GUARD_BYTE, GUARD);
    Object* one = object(kind);
    one->memory = memory, one->nbytes = nbytes, one->flags = flags;
    used += nbytes;
    *given = (uint64_t)memory;
    return OK;
}

// Given back although the call fails: its result may tell of something earlier. Freeing waits for the GPU.
static Result freed(Result result, Kind kind, uint64_t address) {
    if (result == OK) result = outside_capture();
    Object* one = at_address(kind, address);
    if (!one) return INVALID_VALUE;
    work_off_all();
    for (size_t i = 0; i < GUARD; ++i) {
        if ((unsigned char)one->memory[one->nbytes + i] != GUARD_BYTE) {
            misuse("written beyond its end");
            break;
        }
    }
    used -= one->nbytes;
    free(one->memory);
    forget(one);
    return result;
}

#define GIVE(out, value) (given = (uint64_t)(value), *(out) = (__typeof__(*(out)))given, OK)

#include "libcuda_calls.h"
#include "libcuda_graphs.h"
#include "libcuda_table.h"
