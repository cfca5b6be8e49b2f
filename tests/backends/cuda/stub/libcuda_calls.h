// Functions of the driver as cuda.h declares them: devices, contexts, memory, streams, events and copies.

Result cuInit(unsigned flags) {
    ENTER(0, "cuInit", "flags=%u", flags);
    if (result == OK) initialized = 1;
    LEAVE;
}

// Names of the results that this driver gives by itself.
Result cuGetErrorName(Result code, const char** name) {
    ENTER(0, "cuGetErrorName", "code=%d", code);
    *name = code == OK ? "CUDA_SUCCESS" : code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_UNKNOWN";
    LEAVE;
}

Result cuDriverGetVersion(int* version) {
    ENTER(0, "cuDriverGetVersion", "-");
    if (result == OK) result = GIVE(version, driver);
    LEAVE;
}

// NVRTC asks for private tables of the driver, and does without them.
Result cuGetExportTable(const void** table, const void* id) {
    ENTER(0, "cuGetExportTable", "id=%p", id);
    *table = NULL;
    if (result == OK) result = NOT_FOUND;
    LEAVE;
}

Result cuDeviceGetCount(int* count) {
    ENTER(1, "cuDeviceGetCount", "-");
    if (result == OK) result = GIVE(count, 1);
    LEAVE;
}

Result cuDeviceGet(int* device, int ordinal) {
    ENTER(1, "cuDeviceGet", "ordinal=%d", ordinal);
    if (result == OK) result = ordinal ? INVALID_VALUE : GIVE(device, 0);
    LEAVE;
}

Result cuDeviceGetName(char* name, int length, int device) {
    ENTER(1, "cuDeviceGetName", "length=%d device=%d", length, device);
    if (result == OK) snprintf(name, length, "%s", gpu.name);
    LEAVE;
}

Result cuDeviceGetPCIBusId(char* address, int length, int device) {
    ENTER(1, "cuDeviceGetPCIBusId", "length=%d device=%d", length, device);
    if (result == OK) snprintf(address, length, "0000:01:00.0");
    LEAVE;
}

Result cuDeviceTotalMem_v2(size_t* bytes, int device) {
    ENTER(1, "cuDeviceTotalMem", "device=%d", device);
    if (result == OK) result = GIVE(bytes, gpu.bytes);
    LEAVE;
}

Result cuDeviceGetAttribute(int* value, int attribute, int device) {
    ENTER(1, "cuDeviceGetAttribute", "attribute=%d device=%d", attribute, device);
    const int known_values[][2] = {{16, gpu.multiprocessors}, {18, gpu.integrated}, {75, gpu.major}, {76, gpu.minor}};
    int found = 0;
    for (int i = 0; i < 4; ++i) {
        if (known_values[i][0] == attribute) found = known_values[i][1];
    }
    if (result == OK) result = GIVE(value, found);
    LEAVE;
}

Result cuDevicePrimaryCtxRetain(void** context, int device) {
    ENTER(1, "cuDevicePrimaryCtxRetain", "device=%d", device);
    if (result == OK) ++retained, result = GIVE(context, (void*)&gpu);
    LEAVE;
}

Result cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER(1, "cuDevicePrimaryCtxRelease", "device=%d", device);
    if (!retained) misuse("not retained"), result = INVALID_CONTEXT;
    else --retained;
    LEAVE;
}

Result cuCtxPushCurrent_v2(void* context) {
    ENTER(1, "cuCtxPushCurrent", "context=%p", context);
    if (result == OK && (context != &gpu || !retained || depth == MOST_NESTED)) {
        misuse("context"), result = INVALID_CONTEXT;
    }
    if (result == OK) contexts[depth++] = 1;
    LEAVE;
}

Result cuCtxPopCurrent_v2(void** context) {
    ENTER(1, "cuCtxPopCurrent", "-");
    if (!depth) misuse("no context is current"), result = INVALID_CONTEXT;
    else --depth;
    if (result == OK) result = GIVE(context, (void*)&gpu);
    LEAVE;
}

Result cuCtxGetCurrent(void** context) {
    ENTER(0, "cuCtxGetCurrent", "-");
    if (result == OK) result = GIVE(context, depth ? (void*)&gpu : NULL);
    LEAVE;
}

Result cuCtxSynchronize(void) {
    ENTER(2, "cuCtxSynchronize", "-");
    if (result == OK) result = outside_capture();
    if (result == OK) work_off_all(), result = waited();
    LEAVE;
}

Result cuCtxSynchronize_v2(void* context) { return context == &gpu ? cuCtxSynchronize() : INVALID_CONTEXT; }

Result cuMemGetInfo_v2(size_t* unused, size_t* total) {
    ENTER(2, "cuMemGetInfo", "-");
    if (result == OK) *total = gpu.bytes, result = GIVE(unused, gpu.bytes - used);
    LEAVE;
}

Result cuMemAlloc_v2(uint64_t* pointer, size_t nbytes) {
    ENTER(2, "cuMemAlloc", "bytes=%zu", nbytes);
    if (result == OK) result = outside_capture();
    if (result == OK) result = allocated(DEVICE_MEMORY, nbytes, 0, &given);
    if (result == OK) *pointer = given;
    LEAVE;
}

Result cuMemFree_v2(uint64_t pointer) {
    ENTER(2, "cuMemFree", "pointer=%llx", (unsigned long long)pointer);
    result = freed(result, DEVICE_MEMORY, pointer);
    LEAVE;
}

Result cuMemHostAlloc(void** pointer, size_t nbytes, unsigned flags) {
    ENTER(2, "cuMemHostAlloc", "bytes=%zu flags=%u", nbytes, flags);
    if (result == OK) result = outside_capture();
    if (result == OK) result = allocated(HOST_MEMORY, nbytes, flags, &given);
    if (result == OK) *pointer = (void*)given;
    LEAVE;
}

Result cuMemHostGetDevicePointer_v2(uint64_t* pointer, void* address, unsigned flags) {
    ENTER(2, "cuMemHostGetDevicePointer", "address=%p flags=%u", address, flags);
    Object* memory = result == OK ? at_address(HOST_MEMORY, (uint64_t)address) : NULL;
    if (memory && !(memory->flags & 2)) misuse("not mapped"), memory = NULL;
    if (result == OK) result = memory ? GIVE(pointer, (uint64_t)address) : INVALID_VALUE;
    LEAVE;
}

Result cuMemFreeHost(void* address) {
    ENTER(2, "cuMemFreeHost", "address=%p", address);
    result = freed(result, HOST_MEMORY, (uint64_t)address);
    LEAVE;
}

Result cuStreamCreate(void** stream, unsigned flags) {
    ENTER(2, "cuStreamCreate", "flags=%u", flags);
    if (result == OK) result = GIVE(stream, (void*)object(STREAM));
    LEAVE;
}

Result cuStreamSynchronize(void* handle) {
    ENTER(2, "cuStreamSynchronize", "stream=%p", handle);
    Object* stream = known(STREAM, handle);
    if (result == OK) result = stream ? outside_capture() : INVALID_HANDLE;
    if (result == OK) work_off(stream), result = waited();
    LEAVE;
}

Result cuStreamWaitEvent(void* handle, void* event, unsigned flags) {
    ENTER(2, "cuStreamWaitEvent", "stream=%p event=%p flags=%u", handle, event, flags);
    if (result == OK && !known(EVENT, event)) result = INVALID_HANDLE;
    if (result == OK) result = enqueue(handle, (Step){.kind = WAIT, .event = event});
    LEAVE;
}

Result cuStreamDestroy_v2(void* handle) {
    ENTER(2, "cuStreamDestroy", "stream=%p", handle);
    Object* stream = known(STREAM, handle);
    if (stream) {
        work_off(stream);
        for (Object* one = objects; one; one = one->next) {
            if (one->kind == EVENT && one->on == stream) one->on = NULL;
        }
        forget(stream);
    } else {
        result = INVALID_HANDLE;
    }
    LEAVE;
}

Result cuEventCreate(void** event, unsigned flags) {
    ENTER(2, "cuEventCreate", "flags=%u", flags);
    if (result == OK) result = GIVE(event, (void*)object(EVENT));
    LEAVE;
}

static Result recorded(void* event, void* handle, int external) {
    if (!known(EVENT, event)) return INVALID_HANDLE;
    if (handle == (void*)1 || handle == (void*)2) return ((Object*)event)->reached = 1, OK;  // the default streams
    Object* stream = handle ? known(STREAM, handle) : NULL;
    const int capturing = stream && stream->capturing;
    if (capturing && !external) return OK;  // an edge of the graph, which no launch reaches
    if (external && !capturing) return misuse("an external record outside of a capture"), INVALID_VALUE;
    return enqueue(handle, (Step){.kind = RECORD, .event = event});
}

Result cuEventRecord(void* event, void* stream) {
    ENTER(2, "cuEventRecord", "event=%p stream=%p", event, stream);
    if (result == OK) result = recorded(event, stream, 0);
    LEAVE;
}

Result cuEventRecordWithFlags(void* event, void* stream, unsigned flags) {
    ENTER(2, "cuEventRecordWithFlags", "event=%p stream=%p flags=%u", event, stream, flags);
    if (result == OK) result = recorded(event, stream, flags & 1);
    LEAVE;
}

Result cuEventSynchronize(void* handle) {
    ENTER(2, "cuEventSynchronize", "event=%p", handle);
    Object* event = known(EVENT, handle);
    if (result == OK) result = event ? outside_capture() : INVALID_HANDLE;
    if (result == OK && event->pending) work_off(event->on);
    if (result == OK) result = waited();
    LEAVE;
}

static Result elapsed(float* ms, void* start, void* end) {
    ENTER(2, "cuEventElapsedTime", "start=%p end=%p", start, end);
    Object *first = known(EVENT, start), *second = known(EVENT, end);
    if (result == OK && (!first || !second || !first->reached || !second->reached)) result = INVALID_HANDLE;
    if (result == OK && (first->pending || second->pending)) result = NOT_READY;
    if (result == OK) *ms = second->at - first->at;
    LEAVE;
}
Result cuEventElapsedTime(float* ms, void* start, void* end) { return elapsed(ms, start, end); }
Result cuEventElapsedTime_v2(float* ms, void* start, void* end) { return elapsed(ms, start, end); }

Result cuEventDestroy_v2(void* handle) {
    ENTER(2, "cuEventDestroy", "event=%p", handle);
    Object* event = known(EVENT, handle);
    if (!event) result = INVALID_HANDLE;
    else if (event->pending) work_off(event->on);
    if (event) forget(event);
    LEAVE;
}

static Result copied(void* stream, uint64_t to, uint64_t from, size_t nbytes) {
    if (!reachable(to, nbytes) || !reachable(from, nbytes)) return INVALID_VALUE;
    return enqueue(stream, (Step){.kind = COPY, .to = to, .from = from, .width = nbytes, .rows = 1});
}

#define COPY_FUNCTION(function, name, To, From)                                                                   \
    Result function(To to, From from, size_t nbytes, void* stream) {                                              \
        ENTER(2, name, "to=%llx from=%llx bytes=%zu stream=%p", (unsigned long long)(uint64_t)to,                 \
              (unsigned long long)(uint64_t)from, nbytes, stream);                                                \
        if (result == OK) result = copied(stream, (uint64_t)to, (uint64_t)from, nbytes);                          \
        LEAVE;                                                                                                    \
    }
COPY_FUNCTION(cuMemcpyAsync, "cuMemcpyAsync", uint64_t, uint64_t)
COPY_FUNCTION(cuMemcpyHtoDAsync_v2, "cuMemcpyHtoDAsync", uint64_t, const void*)
COPY_FUNCTION(cuMemcpyDtoHAsync_v2, "cuMemcpyDtoHAsync", void*, uint64_t)
COPY_FUNCTION(cuMemcpyDtoDAsync_v2, "cuMemcpyDtoDAsync", uint64_t, uint64_t)

typedef struct {
    struct { size_t x, y; int type; const void* host; uint64_t device; void* array; size_t pitch; } from, to;
    size_t width, rows;
} Copy2D;

Result cuMemcpy2DAsync_v2(const Copy2D* copy, void* stream) {
    ENTER(2, "cuMemcpy2DAsync",
          "to=%llx to_type=%d to_pitch=%zu from=%llx from_type=%d from_pitch=%zu width=%zu rows=%zu stream=%p",
          (unsigned long long)copy->to.device, copy->to.type, copy->to.pitch, (unsigned long long)copy->from.device,
          copy->from.type, copy->from.pitch, copy->width, copy->rows, stream);
    const size_t last = copy->rows - 1;
    if (result == OK && (!reachable(copy->to.device, last * copy->to.pitch + copy->width) ||
                         !reachable(copy->from.device, last * copy->from.pitch + copy->width))) {
        result = INVALID_VALUE;
    }
    if (result == OK) {
        result = enqueue(stream, (Step){.kind = COPY, .to = copy->to.device, .from = copy->from.device,
                                        .width = copy->width, .rows = copy->rows, .to_pitch = copy->to.pitch,
                                        .from_pitch = copy->from.pitch});
    }
    LEAVE;
}

Result cuMemsetD8Async(uint64_t to, unsigned char value, size_t nbytes, void* stream) {
    ENTER(2, "cuMemsetD8Async", "to=%llx value=%d bytes=%zu stream=%p", (unsigned long long)to, value, nbytes, stream);
    if (result == OK && !reachable(to, nbytes)) result = INVALID_VALUE;
    if (result == OK) result = enqueue(stream, (Step){.kind = FILL, .to = to, .value = value, .width = nbytes});
    LEAVE;
}
