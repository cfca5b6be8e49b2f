// Class scores at the decoder's stride to masks in frame pixels: the device's twin of decode.py.
//
// A block decodes a tile of frame pixels. It brings the grid points around them into shared memory, fills the cells
// whose four corners share their best class, evaluates in the others all classes that can win there, and writes the
// tile out in one go.

#include "axis.cuh"

constexpr int CELL_PIXELS_ACROSS = 4, CELL_PIXELS_DOWN = 2;
constexpr int SMALLEST_TEAM = 8;

// What a block keeps in shared memory. Row strides are those of the room reserved, not of the slots used.
struct Tile {
    unsigned char* labels;  // (tile_rows, tile_columns)
    float* scores;          // (classes, row_slots, column_slots)
    unsigned char* best;    // (row_slots + 1, column_slots + 1): best class, void beyond the last slots
    int* border;            // cells on a class border, as row slot * column_slots + column slot
    unsigned int* rivals;   // (border cells, rival_words): a bit for each class that can win in the cell
    int* border_count;
    Table rows, columns;
    int row_slots, column_slots, tile_columns, plane, rival_words;
};

__device__ inline Tile lay_out(unsigned char* memory, int classes, int tile_rows, int tile_columns, int row_slots,
                               int column_slots) {
    Tile tile;
    const int points = row_slots * column_slots;
    tile.plane = points;
    tile.rival_words = (classes + 31) / 32;
    tile.labels = memory;
    tile.scores = (float*)(memory + tile_rows * tile_columns);
    tile.rows.weight = tile.scores + classes * points;
    tile.columns.weight = tile.rows.weight + tile_rows;
    tile.rows.slot = (int*)(tile.columns.weight + tile_columns);
    tile.columns.slot = tile.rows.slot + tile_rows;
    tile.rows.begin = tile.columns.slot + tile_columns;
    tile.rows.end = tile.rows.begin + row_slots;
    tile.columns.begin = tile.rows.end + row_slots;
    tile.columns.end = tile.columns.begin + column_slots;
    tile.border = tile.columns.end + column_slots;
    tile.rivals = (unsigned int*)(tile.border + points);
    tile.border_count = (int*)(tile.rivals + points * tile.rival_words);
    tile.best = (unsigned char*)(tile.border_count + 1);
    tile.rows.unseen = tile.row_slots = row_slots;
    tile.columns.unseen = tile.column_slots = column_slots;
    tile.tile_columns = tile_columns;
    return tile;
}

__device__ inline float number(float score) { return score; }

// Half precision without cuda_fp16.h, which run-time compilers may lack. NaN and infinity become 65536 and more.
__device__ inline float number(unsigned short half) {
    const float two_to_112 = __uint_as_float(0x77800000);  // what the exponents' biases differ by
    const float magnitude = __uint_as_float((unsigned int)(half & 0x7fff) << 13) * two_to_112;
    return half & 0x8000 ? -magnitude : magnitude;
}

__device__ inline float minus_infinity() { return __uint_as_float(0xff800000); }

__device__ inline bool finite(float score) { return (__float_as_uint(score) & 0x7f800000) != 0x7f800000; }
__device__ inline bool finite(unsigned short half) { return (half & 0x7c00) != 0x7c00; }

// Scores and best classes of the tile's grid points; neighboring threads read neighboring scores.
template <typename Score>
__device__ void fetch_scores(const Tile& tile, const Score* image, int classes, const Axis& rows, const Axis& columns,
                             const Span& down, const Span& across, int* not_finite) {
    const size_t plane = (size_t)rows.points * columns.points;
    bool sound = true;
    for (int point = threadIdx.x; point < down.slots * across.slots; point += blockDim.x) {
        const int row = point / across.slots, column = point % across.slots;
        const Score* from = image + (size_t)grid_point(rows, down, row) * columns.points;
        from += grid_point(columns, across, column);
        float* to = tile.scores + row * tile.column_slots + column;
        float most = minus_infinity();
        int best = 0;
#pragma unroll 4
        for (int index = 0; index < classes; ++index, from += plane, to += tile.plane) {
            const Score score = *from;
            const float value = number(score);
            sound = sound && finite(score);
            *to = value;
            if (value > most) {
                most = value;
                best = index;
            }
        }
        tile.best[row * (tile.column_slots + 1) + column] = best;
    }
    if (!sound) *not_finite = 1;
}

__device__ inline void mark_unseen(const Tile& tile, int void_label) {
    const int stride = tile.column_slots + 1;
    for (int column = threadIdx.x; column < stride; column += blockDim.x) {
        tile.best[tile.row_slots * stride + column] = void_label;
    }
    for (int row = threadIdx.x; row < tile.row_slots; row += blockDim.x) {
        tile.best[row * stride + tile.column_slots] = void_label;
    }
}

__device__ inline void list_border_cells(const Tile& tile, const Span& down, const Span& across) {
    const int stride = tile.column_slots + 1;
    for (int cell = threadIdx.x; cell < down.cells * across.cells; cell += blockDim.x) {
        const int row = cell / across.cells, column = cell % across.cells;
        const unsigned char* best = tile.best + row * stride + column;
        if (best[0] != best[1] || best[0] != best[stride] || best[0] != best[stride + 1]) {
            const int at = atomicAdd(tile.border_count, 1);
            tile.border[at] = row * tile.column_slots + column;
            for (int word = 0; word < tile.rival_words; ++word) tile.rivals[at * tile.rival_words + word] = 0;
        }
    }
}

// Whether a class is anywhere in a cell not less than another one: at one corner of the four, then.
__device__ inline bool reaches(const Tile& tile, int cell, int index, int other) {
    const float* own = tile.scores + index * tile.plane + cell;
    const float* theirs = tile.scores + other * tile.plane + cell;
    const int down = tile.column_slots;
    return (own[0] >= theirs[0]) | (own[1] >= theirs[1]) | (own[down] >= theirs[down]) |
           (own[down + 1] >= theirs[down + 1]);
}

// A class that another one exceeds at all four corners cannot win. Two of the corners' best classes are tried as the
// other one: most borders lie between two classes.
__device__ inline void list_rivals(const Tile& tile, int classes) {
    const int count = *tile.border_count;
    for (int item = threadIdx.x; item < count * classes; item += blockDim.x) {
        const int at = item % count, index = item / count;
        const int cell = tile.border[at];
        const unsigned char* best = tile.best + cell + cell / tile.column_slots;
        const int stride = tile.column_slots + 1;
        const int second = best[1] != best[0] ? best[1] : best[stride] != best[0] ? best[stride] : best[stride + 1];
        if (reaches(tile, cell, index, best[0]) && reaches(tile, cell, index, second)) {
            atomicOr(tile.rivals + at * tile.rival_words + index / 32, 1u << index % 32);
        }
    }
}

__device__ inline unsigned int word_of(unsigned int a, unsigned int b, unsigned int c, unsigned int d) {
    return a | b << 8 | c << 16 | d << 24;
}

// Every pixel gets the best class of the grid point before it: right in all cells but those on a border.
__device__ inline void fill_cells(const Tile& tile, int tile_rows) {
    const int words = tile.tile_columns / 4;
    const int column = 4 * (threadIdx.x % words);
    const int* slot = tile.columns.slot + column;
    const int slots[4] = {slot[0], slot[1], slot[2], slot[3]};
    for (int row = threadIdx.x / words; row < tile_rows; row += blockDim.x / words) {
        const unsigned char* best = tile.best + tile.rows.slot[row] * (tile.column_slots + 1);
        *(unsigned int*)(tile.labels + row * tile.tile_columns + column) =
            word_of(best[slots[0]], best[slots[1]], best[slots[2]], best[slots[3]]);
    }
}

// The winners of a few pixels of one cell, by its rivals in rising order. Weights are halved so that no difference of scores
// overflows; explicit fused operations keep equal classes equal, however the compiler unrolls.
__device__ inline void evaluate(const Tile& tile, const unsigned int* rivals, int cell, int top, int left, int row_end,
                                int column_end) {
    float above[CELL_PIXELS_DOWN], below[CELL_PIXELS_DOWN], share[CELL_PIXELS_ACROSS];
    float most[CELL_PIXELS_DOWN][CELL_PIXELS_ACROSS];
    int winner[CELL_PIXELS_DOWN][CELL_PIXELS_ACROSS];
    for (int down = 0; down < CELL_PIXELS_DOWN; ++down) {
        below[down] = 0.5f * tile.rows.weight[min(top + down, row_end - 1)];
        above[down] = 0.5f - below[down];
        for (int across = 0; across < CELL_PIXELS_ACROSS; ++across) {
            share[across] = tile.columns.weight[min(left + across, column_end - 1)];
            most[down][across] = minus_infinity();
            winner[down][across] = 0;
        }
    }
    for (int word = 0; word < tile.rival_words; ++word) {
        for (unsigned int bits = rivals[word]; bits; bits &= bits - 1) {
            const int index = 32 * word + __ffs(bits) - 1;
            const float* upper = tile.scores + index * tile.plane + cell;
            const float* lower = upper + tile.column_slots;
            for (int down = 0; down < CELL_PIXELS_DOWN; ++down) {
                const float first = fmaf(upper[0], above[down], lower[0] * below[down]);
                const float change = fmaf(upper[1], above[down], lower[1] * below[down]) - first;
                for (int across = 0; across < CELL_PIXELS_ACROSS; ++across) {
                    const float value = fmaf(change, share[across], first);
                    if (value > most[down][across]) {
                        most[down][across] = value;
                        winner[down][across] = index;
                    }
                }
            }
        }
    }
    for (int down = 0; down < CELL_PIXELS_DOWN; ++down) {
        for (int across = 0; across < CELL_PIXELS_ACROSS; ++across) {
            if (top + down < row_end && left + across < column_end) {
                tile.labels[(top + down) * tile.tile_columns + left + across] = winner[down][across];
            }
        }
    }
}

// Teams of threads share the border cells: the fewer there are, the more threads work on each.
__device__ inline void paint_border_cells(const Tile& tile) {
    const int count = *tile.border_count;
    int team = blockDim.x;
    while (team > SMALLEST_TEAM && (int)blockDim.x / team < count) team /= 2;
    for (int index = threadIdx.x / team; index < count; index += blockDim.x / team) {
        const int cell = tile.border[index];
        const int row = cell / tile.column_slots, column = cell % tile.column_slots;
        const int top = tile.rows.begin[row], row_end = tile.rows.end[row];
        const int left = tile.columns.begin[column], column_end = tile.columns.end[column];
        const int across = (column_end - left + CELL_PIXELS_ACROSS - 1) / CELL_PIXELS_ACROSS;
        const int down = (row_end - top + CELL_PIXELS_DOWN - 1) / CELL_PIXELS_DOWN;
        for (int item = threadIdx.x % team; item < down * across; item += team) {
            evaluate(tile, tile.rivals + index * tile.rival_words, cell, top + item / across * CELL_PIXELS_DOWN,
                     left + item % across * CELL_PIXELS_ACROSS, row_end, column_end);
        }
    }
}

// The tile to the mask, in the widest pieces that its address allows.
__device__ inline void write_labels(const Tile& tile, unsigned char* labels, int rows, int columns, int pitch) {
    if ((((size_t)labels | pitch | columns | tile.tile_columns) & 15) == 0) {
        const int pieces = tile.tile_columns / 16;
        const int column = 16 * (threadIdx.x % pieces);
        for (int row = threadIdx.x / pieces; row < rows && column < columns; row += blockDim.x / pieces) {
            *(uint4*)(labels + (size_t)row * pitch + column) =
                *(const uint4*)(tile.labels + row * tile.tile_columns + column);
        }
        return;
    }
    // words aligned in the mask lie across those of the tile; the first and the last may belong to it only in part
    const int words = (columns + 3) / 4 + 1;
    for (int word = threadIdx.x; word < rows * words; word += blockDim.x) {
        const int row = word / words;
        unsigned char* to = labels + (size_t)row * pitch;
        const int column = 4 * (word % words) - (int)((size_t)to & 3);
        const unsigned char* from = tile.labels + row * tile.tile_columns;
        if (column >= 0 && column + 4 <= columns) {
            from += column;
            *(unsigned int*)(to + column) = word_of(from[0], from[1], from[2], from[3]);
        } else {
            for (int byte = max(column, 0); byte < min(column + 4, columns); ++byte) to[byte] = from[byte];
        }
    }
}

template <typename Score>
__device__ void decode(const Score* scores, unsigned char* labels, int* not_finite, int classes, const Axis& rows,
                       const Axis& columns, int height, int width, int pitch, int void_label, int tile_rows,
                       int tile_columns, int row_slots, int column_slots) {
    extern __shared__ uint4 shared_memory[];
    const Tile tile =
        lay_out((unsigned char*)shared_memory, classes, tile_rows, tile_columns, row_slots, column_slots);
    const int top = blockIdx.y * tile_rows, left = blockIdx.x * tile_columns;
    const Span down = span(rows, top, tile_rows), across = span(columns, left, tile_columns);
    const size_t image = blockIdx.z;

    if (threadIdx.x == 0) *tile.border_count = 0;
    place_pixels(tile.rows, rows, down);
    place_pixels(tile.columns, columns, across);
    mark_unseen(tile, void_label);
    fetch_scores(tile, scores + image * classes * rows.points * columns.points, classes, rows, columns, down, across,
                 not_finite);
    __syncthreads();
    group_pixels(tile.rows, down);
    group_pixels(tile.columns, across);
    list_border_cells(tile, down, across);
    fill_cells(tile, tile_rows);
    __syncthreads();
    list_rivals(tile, classes);
    __syncthreads();
    paint_border_cells(tile);
    __syncthreads();
    write_labels(tile, labels + (image * height + top) * pitch + left, min(tile_rows, height - top),
                 min(tile_columns, width - left), pitch);
}

extern "C" __global__ void __launch_bounds__(128, 8)
decode_fp32(const float* scores, unsigned char* labels, int* not_finite, int classes, int grid_rows, int grid_columns,
            int height, int width, int pitch, long long row_scale, long long row_offset, int row_start, int row_stop,
            long long column_scale, long long column_offset, int column_start, int column_stop, int void_label,
            int tile_rows, int tile_columns, int row_slots, int column_slots) {
    decode(scores, labels, not_finite, classes, {row_scale, row_offset, grid_rows, row_start, row_stop},
           {column_scale, column_offset, grid_columns, column_start, column_stop}, height, width, pitch, void_label,
           tile_rows, tile_columns, row_slots, column_slots);
}

extern "C" __global__ void __launch_bounds__(128, 8)
decode_fp16(const unsigned short* scores, unsigned char* labels, int* not_finite, int classes, int grid_rows,
            int grid_columns, int height, int width, int pitch, long long row_scale, long long row_offset,
            int row_start, int row_stop, long long column_scale, long long column_offset, int column_start,
            int column_stop, int void_label, int tile_rows, int tile_columns, int row_slots, int column_slots) {
    decode(scores, labels, not_finite, classes, {row_scale, row_offset, grid_rows, row_start, row_stop},
           {column_scale, column_offset, grid_columns, column_start, column_stop}, height, width, pitch, void_label,
           tile_rows, tile_columns, row_slots, column_slots);
}
