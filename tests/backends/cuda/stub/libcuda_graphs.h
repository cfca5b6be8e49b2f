// Functions of the driver as cuda.h declares them: modules, kernels, captures and graphs.

Result cuModuleLoadData(void** module, const void* image) {
    const unsigned char* bytes = image;
    ENTER(2, "cuModuleLoadData", "magic=%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    if (result == OK) result = outside_capture();
    if (result == OK) result = GIVE(module, (void*)object(MODULE));
    LEAVE;
}

Result cuModuleGetFunction(void** function, void* handle, const char* name) {
    ENTER(2, "cuModuleGetFunction", "module=%p name=%s", handle, name);
    Object* module = known(MODULE, handle);
    if (result == OK && !module) result = INVALID_HANDLE;
    int at = 0;
    while (at < kernel_count && strcmp(kernels[at].name, name)) ++at;
    if (result == OK && at == kernel_count) result = NOT_FOUND;
    if (result == OK) {
        Object* made_now = object(FUNCTION);
        made_now->kernel = &kernels[at], made_now->owner = module;
        result = GIVE(function, (void*)made_now);
    }
    LEAVE;
}

Result cuModuleUnload(void* handle) {
    ENTER(2, "cuModuleUnload", "module=%p", handle);
    Object* module = known(MODULE, handle);
    if (!module) result = INVALID_HANDLE;
    for (Object *one = objects, *next; module && one; one = next) {
        next = one->next;
        if (one->kind == FUNCTION && one->owner == module) forget(one);
    }
    if (module) forget(module);
    LEAVE;
}

Result cuLaunchKernel(void* handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void* stream, void** arguments, void** extra) {
    char text[512] = "";
    Step step = {.kind = LAUNCH, .grid = {gx, gy, gz}, .block = {bx, by, bz}, .shared = shared};
    pthread_mutex_lock(&lock);
    Object* function = known(FUNCTION, handle);
    if (function) step.kernel = function->kernel;
    pthread_mutex_unlock(&lock);
    for (int i = 0, at = 0; function && i < step.kernel->count; ++i) {
        memcpy(&step.arguments[i], arguments[i], step.kernel->sizes[i]);
        at += snprintf(text + at, sizeof text - at, " %d:%llx", step.kernel->sizes[i],
                       (unsigned long long)step.arguments[i]);
    }
    ENTER(2, "cuLaunchKernel", "entry=%s grid=%u,%u,%u block=%u,%u,%u shared=%u stream=%p extra=%p arguments=%s",
          function ? step.kernel->name : "?", gx, gy, gz, bx, by, bz, shared, stream, (void*)extra, text);
    const int grid_fits = gx && gy && gz && gy <= 65535 && gz <= 65535;
    const int block_fits = bx && by && bz && bx * by * bz <= 1024 && shared <= 48 << 10;
    if (result == OK && !(grid_fits && block_fits)) misuse("launch"), result = INVALID_VALUE;
    if (result == OK) result = function ? enqueue(stream, step) : INVALID_HANDLE;
    LEAVE;
}

Result cuStreamBeginCapture_v2(void* handle, int mode) {
    ENTER(2, "cuStreamBeginCapture", "stream=%p mode=%d", handle, mode);
    Object* stream = handle ? known(STREAM, handle) : NULL;
    if (result == OK && (!stream || stream->capturing)) result = INVALID_VALUE;
    if (result == OK) {
        stream->capturing = thread(), stream->mode = mode, stream->broken = 0;
        stream->captured = object(GRAPH);
    }
    LEAVE;
}

Result cuStreamEndCapture(void* handle, void** graph) {
    ENTER(2, "cuStreamEndCapture", "stream=%p", handle);
    Object* stream = known(STREAM, handle);
    if (result == OK && (!stream || !stream->capturing)) result = INVALID_VALUE;
    if (result == OK && stream->mode && stream->capturing != thread()) result = WRONG_THREAD;
    if (result == OK && stream->broken) result = CAPTURE_INVALIDATED;
    *graph = NULL;
    if (stream && stream->capturing) {  // ended although it fails
        if (result == OK) result = GIVE(graph, (void*)stream->captured);
        else forget(stream->captured);
        stream->captured = NULL, stream->capturing = stream->broken = 0;
    }
    LEAVE;
}

Result cuStreamIsCapturing(void* handle, int* status) {
    ENTER(2, "cuStreamIsCapturing", "stream=%p", handle);
    Object* stream = known(STREAM, handle);
    if (result == OK) result = stream ? GIVE(status, stream->broken ? 2 : stream->capturing ? 1 : 0) : INVALID_HANDLE;
    LEAVE;
}

Result cuGraphInstantiateWithFlags(void** exec, void* handle, unsigned long long flags) {
    ENTER(2, "cuGraphInstantiateWithFlags", "graph=%p flags=%llu", handle, flags);
    Object* graph = known(GRAPH, handle);
    if (result == OK && !graph) result = INVALID_HANDLE;
    if (result == OK) {
        Object* made_now = object(GRAPH_EXEC);
        for (Step* step = graph->first; step; step = step->next) append(made_now, *step);
        result = GIVE(exec, (void*)made_now);
    }
    LEAVE;
}

Result cuGraphLaunch(void* handle, void* stream) {
    ENTER(2, "cuGraphLaunch", "graph=%p stream=%p", handle, stream);
    Object* exec = known(GRAPH_EXEC, handle);
    if (result == OK && !exec) result = INVALID_HANDLE;
    for (Step* step = exec ? exec->first : NULL; step && result == OK; step = step->next) {
        result = enqueue(stream, *step);
    }
    LEAVE;
}

static Result destroyed(const char* name, Kind kind, void* handle) {
    ENTER(2, name, "graph=%p", handle);
    Object* graph = known(kind, handle);
    if (graph) forget(graph);
    else result = INVALID_HANDLE;
    LEAVE;
}
Result cuGraphDestroy(void* graph) { return destroyed("cuGraphDestroy", GRAPH, graph); }
Result cuGraphExecDestroy(void* graph) { return destroyed("cuGraphExecDestroy", GRAPH_EXEC, graph); }
