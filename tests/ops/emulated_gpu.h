// Enough of CUDA to run a kernel's own text on the host, one block after the other. Every thread of a block is a
// coroutine that gives way at __syncthreads(), so that each stretch between two barriers runs in a known order: running
// them in the opposite order too shows a missing barrier.
#pragma once

#include <cmath>
#include <csetjmp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <ucontext.h>
#include <utility>

#define __global__
#define __device__
#define __shared__
#define __launch_bounds__(...)

struct uint3 {
    unsigned int x, y, z;
};
struct alignas(16) uint4 {
    unsigned int x, y, z, w;
};

static uint3 threadIdx, blockIdx, blockDim, gridDim;
static constexpr size_t SHARED_LIMIT = 48 << 10, GUARD = 256;
static uint4 shared_memory[(SHARED_LIMIT + GUARD) / sizeof(uint4)];

template <typename Number> static Number min(Number a, Number b) { return b < a ? b : a; }
template <typename Number> static Number max(Number a, Number b) { return a < b ? b : a; }

inline float __uint_as_float(unsigned int bits) {
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

inline unsigned int __float_as_uint(float number) {
    unsigned int bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

inline int __ffs(int bits) { return __builtin_ffs(bits); }

inline int atomicAdd(int* at, int number) { return std::exchange(*at, *at + number); }
inline unsigned int atomicOr(unsigned int* at, unsigned int bits) { return std::exchange(*at, *at | bits); }

#ifdef COUNT_LOADS  // in load_counter.cpp
void counted_thread(size_t index);
void counted_block();
#else
inline void counted_thread(size_t) {}
inline void counted_block() {}
#endif

namespace emulation {

enum Outcome { DONE, NO_SUCH_ENTRY, OTHER_ARGUMENTS, BARRIER_NOT_REACHED_BY_ALL, SHARED_MEMORY_OVERRUN };

constexpr size_t MOST_THREADS = 1024, STACK = 128 << 10;

struct Thread {
    uint3 index;
    ucontext_t start;
    jmp_buf at;
    bool started, done;
};

static Thread threads[MOST_THREADS];
alignas(64) static char stacks[MOST_THREADS * STACK];
static Thread* current;
static jmp_buf scheduler;
static void (*body)(void**);
static void** arguments;

static void give_way() {
    if (!_setjmp(current->at)) _longjmp(scheduler, 1);
}

static void live() {
    for (;;) {
        body(arguments);
        current->done = true;
        give_way();
    }
}

static __attribute__((noinline)) void resume(Thread& thread) {
    current = &thread;
    threadIdx = thread.index;
    counted_thread(&thread - threads);
    if (_setjmp(scheduler)) return;
    if (thread.started) _longjmp(thread.at, 1);
    thread.started = true;
    getcontext(&thread.start);
    thread.start.uc_stack.ss_sp = stacks + (&thread - threads) * STACK;
    thread.start.uc_stack.ss_size = STACK;
    makecontext(&thread.start, live, 0);
    setcontext(&thread.start);
}

static Outcome run_block(size_t shared_bytes, bool backwards) {
    const size_t count = (size_t)blockDim.x * blockDim.y * blockDim.z;
    memset(shared_memory, 0xa5, sizeof shared_memory);
    for (size_t i = 0; i < count; ++i) {
        const unsigned int x = i % blockDim.x, y = i / blockDim.x % blockDim.y, z = i / blockDim.x / blockDim.y;
        threads[i].index = {x, y, z};
        threads[i].done = false;
    }
    for (size_t done = 0; done < count;) {
        done = 0;
        for (size_t i = 0; i < count; ++i) {
            Thread& thread = threads[backwards ? count - 1 - i : i];
            resume(thread);
            done += thread.done;
        }
        if (done != 0 && done != count) return BARRIER_NOT_REACHED_BY_ALL;
    }
    counted_block();
    const unsigned char* memory = reinterpret_cast<const unsigned char*>(shared_memory);
    for (size_t i = shared_bytes; i < sizeof shared_memory; ++i) {
        if (memory[i] != 0xa5) return SHARED_MEMORY_OVERRUN;
    }
    return DONE;
}

template <auto kernel> struct Call;

template <typename... Arguments, void (*kernel)(Arguments...)> struct Call<kernel> {
    static bool takes(const int* sizes, int count) {
        const int expected[] = {(int)sizeof(Arguments)...};
        return count == sizeof...(Arguments) && !memcmp(sizes, expected, sizeof expected);
    }
    static void run(void** given) { run(given, std::index_sequence_for<Arguments...>()); }
    template <size_t... position> static void run(void** given, std::index_sequence<position...>) {
        kernel(*static_cast<std::remove_reference_t<Arguments>*>(given[position])...);
    }
};

struct Entry {
    const char* name;
    bool (*takes)(const int*, int);
    void (*run)(void**);
};

extern const Entry entries[];
extern const size_t entry_count;

}  // namespace emulation

inline void __syncthreads() {
    emulation::give_way();
}

// What the test calls, as cuLaunchKernel: `arguments` points to the values.
extern "C" int launch(const char* name, const unsigned int* grid, const unsigned int* block, size_t shared_bytes,
                      void** arguments, const int* sizes, int count, int backwards) {
    using namespace emulation;
    const Entry* entry = nullptr;
    for (size_t i = 0; i < entry_count; ++i) {
        if (std::string(name) == entries[i].name) entry = &entries[i];
    }
    if (!entry) return NO_SUCH_ENTRY;
    if (!entry->takes(sizes, count)) return OTHER_ARGUMENTS;
    body = entry->run;
    emulation::arguments = arguments;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    const size_t blocks = (size_t)grid[0] * grid[1] * grid[2];
    for (size_t i = 0; i < blocks; ++i) {
        const size_t at = backwards ? blocks - 1 - i : i;
        blockIdx = {(unsigned int)(at % grid[0]), (unsigned int)(at / grid[0] % grid[1]),
                    (unsigned int)(at / grid[0] / grid[1])};
        const Outcome outcome = run_block(shared_bytes, backwards);
        if (outcome != DONE) return outcome;
    }
    return DONE;
}

#define ENTRY(kernel) {#kernel, emulation::Call<kernel>::takes, emulation::Call<kernel>::run}
#define ENTRIES(...)                                                  \
    const emulation::Entry emulation::entries[] = {__VA_ARGS__};      \
    const size_t emulation::entry_count = sizeof entries / sizeof *entries;
