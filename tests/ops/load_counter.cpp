// Loads of an emulated kernel from global memory. g++ puts a call before each of its loads when it is told to watch for
// data races (-fsanitize=thread); here are the functions that it calls, in place of that sanitizer's library. They keep
// what lies in the watched buffers; locals and shared memory lie elsewhere.
//
// Threads of a warp run one after the other, so that a warp's load is put together afterwards: of each of its threads
// the first load by an instruction, then the second, and so on. On a GPU the loads of one instruction run together only
// where the threads take the same way, so that this is right for kernels whose loops are alike in all threads of a warp.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {

constexpr size_t MOST_THREADS = 1024, WARP = 32, SECTOR = 32;

struct Buffer {
    uintptr_t begin;
    size_t bytes, first_sector;
};

struct Load {
    unsigned int instruction, sector;
};

std::vector<Buffer> buffers;
std::vector<void*> instructions;  // that load from them
std::vector<Load> loads[MOST_THREADS];  // of the block that runs
std::vector<Load>* current = loads;
long long bytes_loaded, warp_loads, sectors;

unsigned int number_of(void* instruction) {
    const size_t number = std::find(instructions.begin(), instructions.end(), instruction) - instructions.begin();
    if (number == instructions.size()) instructions.push_back(instruction);
    return number;
}

// A GPU's buffers begin with a sector, wherever those of the host do.
void loaded(void* pointer, size_t bytes, void* instruction) {
    for (const Buffer& buffer : buffers) {
        const size_t offset = reinterpret_cast<uintptr_t>(pointer) - buffer.begin;
        if (offset < buffer.bytes) {
            bytes_loaded += bytes;
            current->push_back({number_of(instruction), (unsigned int)(buffer.first_sector + offset / SECTOR)});
        }
    }
}

void count_warp(const std::vector<Load>* first) {
    static std::vector<uint64_t> touched;  // instruction, which time, sector
    touched.clear();
    for (const std::vector<Load>* thread = first; thread < first + WARP; ++thread) {
        std::vector<uint64_t> times(instructions.size());
        for (const Load& load : *thread) {
            touched.push_back((uint64_t)load.instruction << 52 | times[load.instruction]++ << 32 | load.sector);
        }
    }
    std::sort(touched.begin(), touched.end());
    touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
    sectors += touched.size();
    for (size_t i = 0; i < touched.size(); ++i) warp_loads += i == 0 || touched[i] >> 32 != touched[i - 1] >> 32;
}

}  // namespace

// What emulated_gpu.h calls where COUNT_LOADS is defined.
void counted_thread(size_t index) { current = loads + index; }

void counted_block() {
    for (size_t first = 0; first < MOST_THREADS; first += WARP) count_warp(loads + first);
    for (std::vector<Load>& thread : loads) thread.clear();
}

// What the test calls: which buffers to watch from now on, and what was counted since.
extern "C" void watch(const uintptr_t* begins, const size_t* bytes, int count) {
    buffers.clear();
    size_t first_sector = 0;
    for (int i = 0; i < count; ++i) {
        buffers.push_back({begins[i], bytes[i], first_sector});
        first_sector += (bytes[i] + SECTOR - 1) / SECTOR;
    }
    bytes_loaded = warp_loads = sectors = 0;
}

extern "C" void counts(long long* out) {
    out[0] = bytes_loaded;
    out[1] = warp_loads;
    out[2] = sectors;
}

#define LOADS_OF(bytes)                                                                                        \
    void __tsan_read##bytes(void* at) { loaded(at, bytes, __builtin_return_address(0)); }                      \
    void __tsan_unaligned_read##bytes(void* at) { loaded(at, bytes, __builtin_return_address(0)); }            \
    void __tsan_write##bytes(void*) {}                                                                         \
    void __tsan_unaligned_write##bytes(void*) {}

extern "C" {
LOADS_OF(1)
LOADS_OF(2)
LOADS_OF(4)
LOADS_OF(8)
LOADS_OF(16)
void __tsan_read_range(void* at, size_t bytes) { loaded(at, bytes, __builtin_return_address(0)); }
void __tsan_write_range(void*, size_t) {}
void __tsan_vptr_update(void*, void*) {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_init() {}
}
