// How cuGetProcAddress finds the functions: each under its name without a suffix, from the CUDA version that has it.

Result cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags);
Result cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status);

#define SINCE(name, version, function) {#name, version, (void*)function}
#define SAME(name, version) {#name, version, (void*)name}
static const struct { const char* name; int version; void* function; } FUNCTIONS[] = {
    SAME(cuInit, 2000), SAME(cuDriverGetVersion, 2020), SAME(cuGetExportTable, 3000),
    SAME(cuDeviceGetCount, 2000), SAME(cuDeviceGet, 2000),
    SAME(cuDeviceGetName, 2000), SINCE(cuDeviceTotalMem, 3020, cuDeviceTotalMem_v2), SAME(cuDeviceGetAttribute, 2000),
    SAME(cuDeviceGetPCIBusId, 4010), SAME(cuGetErrorName, 6000),
    SAME(cuDevicePrimaryCtxRetain, 7000), SINCE(cuDevicePrimaryCtxRelease, 11000, cuDevicePrimaryCtxRelease_v2),
    SINCE(cuCtxPushCurrent, 4000, cuCtxPushCurrent_v2), SINCE(cuCtxPopCurrent, 4000, cuCtxPopCurrent_v2),
    SAME(cuCtxGetCurrent, 4000), SAME(cuCtxSynchronize, 2000), SINCE(cuCtxSynchronize, 13000, cuCtxSynchronize_v2),
    SINCE(cuMemGetInfo, 3020, cuMemGetInfo_v2),
    SINCE(cuMemAlloc, 3020, cuMemAlloc_v2), SINCE(cuMemFree, 3020, cuMemFree_v2), SAME(cuMemHostAlloc, 2020),
    SINCE(cuMemHostGetDevicePointer, 3020, cuMemHostGetDevicePointer_v2), SAME(cuMemFreeHost, 2000),
    SAME(cuStreamCreate, 2000), SAME(cuStreamSynchronize, 2000), SAME(cuStreamWaitEvent, 3020),
    SINCE(cuStreamDestroy, 4000, cuStreamDestroy_v2), SAME(cuEventCreate, 2000), SAME(cuEventRecord, 2000),
    SAME(cuEventRecordWithFlags, 11010), SAME(cuEventSynchronize, 2000), SAME(cuEventElapsedTime, 2000),
    SINCE(cuEventElapsedTime, 12080, cuEventElapsedTime_v2), SINCE(cuEventDestroy, 4000, cuEventDestroy_v2),
    SAME(cuMemcpyAsync, 4000), SINCE(cuMemcpyHtoDAsync, 3020, cuMemcpyHtoDAsync_v2),
    SINCE(cuMemcpyDtoHAsync, 3020, cuMemcpyDtoHAsync_v2), SINCE(cuMemcpyDtoDAsync, 3020, cuMemcpyDtoDAsync_v2),
    SINCE(cuMemcpy2DAsync, 3020, cuMemcpy2DAsync_v2), SAME(cuMemsetD8Async, 3020), SAME(cuModuleLoadData, 2000),
    SAME(cuModuleGetFunction, 2000), SAME(cuModuleUnload, 2000), SAME(cuLaunchKernel, 4000),
    SINCE(cuStreamBeginCapture, 10010, cuStreamBeginCapture_v2), SAME(cuStreamEndCapture, 10000),
    SAME(cuStreamIsCapturing, 10000), SAME(cuGraphInstantiateWithFlags, 11040),
    SINCE(cuGraphInstantiate, 12000, cuGraphInstantiateWithFlags), SAME(cuGraphLaunch, 10000),
    SAME(cuGraphDestroy, 10000), SAME(cuGraphExecDestroy, 10000), SAME(cuGetProcAddress, 11030),
    SINCE(cuGetProcAddress, 12000, cuGetProcAddress_v2),
};

Result cuGetProcAddress_v2(const char* symbol, void** function, int version, uint64_t flags, int* status) {
    pthread_mutex_lock(&lock);
    int found = -1, newer = 0;
    for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; ++i) {
        if (strcmp(FUNCTIONS[i].name, symbol) || !strcmp(lacking, symbol) || FUNCTIONS[i].version > version) continue;
        if (FUNCTIONS[i].version > driver) newer = 1;
        else if (found < 0 || FUNCTIONS[i].version > FUNCTIONS[found].version) found = (int)i;
    }
    // a driver that knows only an older form must not be taken for one that knows this
    const int there = found >= 0 && !newer;
    *function = there ? FUNCTIONS[found].function : NULL;
    if (status) *status = there ? 0 : 1;
    if (log_file) fprintf(log_file, "%d lookup name=%s version=%d flags=%llu -> %d\n", thread(), symbol, version,
                          (unsigned long long)flags, there ? FUNCTIONS[found].version : 0);
    pthread_mutex_unlock(&lock);
    return there ? OK : NOT_FOUND;
}

Result cuGetProcAddress(const char* symbol, void** function, int version, uint64_t flags) {
    return cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}

// Everything given back that was not, so that what follows begins anew; in the one thread that there is.
void stub_start_over(void) {
    for (Object* one = objects; one; one = one->next) {
        if (one->kind <= HOST_MEMORY) free(one->memory);
    }
    while (objects) {
        objects->kind = objects->kind == STREAM ? GRAPH : objects->kind;
        forget(objects);
    }
    used = 0;
    depth = retained = 0;
}
