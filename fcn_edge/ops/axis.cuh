// Where a tile's pixels lie between grid points, along one axis: the device's twin of sampling.py.
//
// Positions are fixed-point numbers with 40 bits behind the point: float64 is slow on most devices.

constexpr int FRACTION_BITS = 40;

// Frame pixel to grid coordinate along one axis, as AxisMapping.
struct Axis {
    long long scale, offset;
    int points, start, stop;
};

// The part of an axis that a tile needs. "Slots" are the grid points brought into shared memory: all from the first
// to the last one needed or, where pixels lie more than a grid point apart, two a pixel.
struct Span {
    int origin, pixels;      // frame pixels of the tile
    int seen, seen_stop;     // of those, what the network saw
    int first, slots;        // grid point of slot 0, and how many slots are used
    int cells;               // between them
    bool paired;
};

struct Position {
    int low;       // grid point at or before the pixel
    float weight;  // share of the next one
};

__device__ inline Position position(const Axis& axis, int pixel) {
    const long long last = (long long)(axis.points - 1) << FRACTION_BITS;
    const long long at = min(max(pixel * axis.scale + axis.offset, 0LL), last);
    const unsigned int fraction = (unsigned int)(at >> (FRACTION_BITS - 24)) & 0xffffff;
    return {(int)(at >> FRACTION_BITS), fraction * (1.0f / (1 << 24))};
}

__device__ inline Span span(const Axis& axis, int origin, int pixels) {
    Span part = {origin, pixels, max(origin, axis.start), min(origin + pixels, axis.stop), 0, 0, 0, false};
    part.paired = axis.scale > 1LL << FRACTION_BITS;
    if (part.seen < part.seen_stop) {
        part.first = position(axis, part.seen).low;
        part.slots = part.paired ? 2 * pixels : position(axis, part.seen_stop - 1).low - part.first + 2;
        part.cells = part.slots - 1;
    }
    return part;
}

__device__ inline int grid_point(const Axis& axis, const Span& part, int slot) {
    int low = part.first + slot;
    if (part.paired) {
        const int pixel = min(max(part.origin + slot / 2, part.seen), part.seen_stop - 1);
        low = position(axis, pixel).low + slot % 2;
    }
    return min(low, axis.points - 1);
}

// Which slot each pixel of a tile lies at or behind, how far behind, and which pixels lie between two slots.
struct Table {
    float* weight;
    int* slot;   // by pixel; `unseen` where the network saw nothing
    int* begin;  // by slot
    int* end;
    int unseen;
};

__device__ inline void place_pixels(const Table& table, const Axis& axis, const Span& part) {
    for (int pixel = threadIdx.x; pixel < part.pixels; pixel += blockDim.x) {
        const int at = part.origin + pixel;
        const bool seen = at >= part.seen && at < part.seen_stop;
        const Position place = position(axis, at);
        table.slot[pixel] = !seen ? table.unseen : part.paired ? 2 * pixel : place.low - part.first;
        table.weight[pixel] = place.weight;
    }
    for (int slot = threadIdx.x; slot < part.slots; slot += blockDim.x) table.begin[slot] = table.end[slot] = 0;
}

__device__ inline void group_pixels(const Table& table, const Span& part) {
    for (int pixel = threadIdx.x; pixel < part.pixels; pixel += blockDim.x) {
        const int slot = table.slot[pixel];
        if (slot == table.unseen) continue;
        if (pixel == 0 || table.slot[pixel - 1] != slot) table.begin[slot] = pixel;
        if (pixel == part.pixels - 1 || table.slot[pixel + 1] != slot) table.end[slot] = pixel + 1;
    }
}
