// A captured frame to the network's input: the device's twin of preprocess.py, which resizes with OpenCV.
//
// A thread makes four pixels of a row, which are three words of the input where its rows have whole fours, as those of
// most networks have; else they are written byte by byte. Like OpenCV's, bilinear sampling takes two pixels along each
// axis whatever the scale; strong shrinking is done by averaging first.

constexpr int PIXELS = 4, WORDS = 3, CHANNELS = 3;

struct Image {
    const unsigned char* pixels;
    int pitch, rows, columns;
};

struct Color {
    float channel[CHANNELS];
};

// The mean of factor x factor pixels, rounded as OpenCV rounds it between its two steps.
__device__ inline Color block_mean(const Image& image, int row, int column, int factor) {
    const unsigned char* from = image.pixels + (size_t)row * factor * image.pitch + CHANNELS * column * factor;
    if (factor == 1) return {(float)from[0], (float)from[1], (float)from[2]};
    Color mean;
    for (int channel = 0; channel < CHANNELS; ++channel) {
        int sum = 0;
        for (int down = 0; down < factor; ++down) {
            for (int across = 0; across < factor; ++across) {
                sum += from[(size_t)down * image.pitch + CHANNELS * across + channel];
            }
        }
        mean.channel[channel] = factor == 2 ? (sum + 2) / 4 : rintf(sum * (1.0f / (factor * factor)));
    }
    return mean;
}

// Bilinear sampling of the image thinned by a whole factor.
__device__ inline Color sampled(const Image& image, float row, float column, int factor) {
    const int rows = image.rows / factor, columns = image.columns / factor;
    row = min(max(row, 0.0f), (float)(rows - 1));
    column = min(max(column, 0.0f), (float)(columns - 1));
    const int top = (int)row, left = (int)column;
    const float down = row - top, across = column - left;
    Color sum = {};
    for (int corner = 0; corner < 4; ++corner) {
        const bool lower = corner & 2, right = corner & 1;
        const float weight = (lower ? down : 1 - down) * (right ? across : 1 - across);
        const Color color = block_mean(image, min(top + lower, rows - 1), min(left + right, columns - 1), factor);
        for (int channel = 0; channel < CHANNELS; ++channel) sum.channel[channel] += weight * color.channel[channel];
    }
    return sum;
}

// The mean over a rectangle that may cut through pixels.
__device__ inline Color area_mean(const Image& image, float top, float left, float height, float width) {
    const float bottom = min(top + height, (float)image.rows), right = min(left + width, (float)image.columns);
    Color sum = {};
    for (int row = (int)top; row < bottom; ++row) {
        const float tall = min(row + 1.0f, bottom) - max((float)row, top);
        for (int column = (int)left; column < right; ++column) {
            const float weight = tall * (min(column + 1.0f, right) - max((float)column, left));
            const unsigned char* from = image.pixels + (size_t)row * image.pitch + CHANNELS * column;
            for (int channel = 0; channel < CHANNELS; ++channel) sum.channel[channel] += weight * from[channel];
        }
    }
    const float area = (bottom - top) * (right - left);
    for (int channel = 0; channel < CHANNELS; ++channel) sum.channel[channel] /= area;
    return sum;
}

extern "C" __global__ void __launch_bounds__(256)
preprocess(const unsigned char* frame, int pitch, int region_top, int region_left, int region_rows, int region_columns,
           unsigned char* input, int rows, int columns, int content_rows, int content_columns, int content_top,
           int content_left, float row_scale, float column_scale, int factor, int fill_blue, int fill_green, int fill_red) {
    const int row = blockIdx.y * blockDim.y + threadIdx.y;
    const int left = PIXELS * (blockIdx.x * blockDim.x + threadIdx.x);
    if (row >= rows || left >= columns) return;
    const Image region = {frame + (size_t)region_top * pitch + CHANNELS * region_left, pitch, region_rows,
                          region_columns};
    unsigned int words[WORDS] = {};
#pragma unroll
    for (int pixel = 0; pixel < PIXELS; ++pixel) {
        const int down = row - content_top, across = left + pixel - content_left;
        Color color = {(float)fill_blue, (float)fill_green, (float)fill_red};
        if (down >= 0 && down < content_rows && across >= 0 && across < content_columns) {
            color = factor == 0 ? area_mean(region, down * row_scale, across * column_scale, row_scale, column_scale)
                                : sampled(region, (down + 0.5f) * row_scale - 0.5f,
                                          (across + 0.5f) * column_scale - 0.5f, factor);
        }
        for (int channel = 0; channel < CHANNELS; ++channel) {
            const int at = CHANNELS * pixel + channel;
            words[at / 4] |= (unsigned int)rintf(color.channel[channel]) << 8 * (at % 4);
        }
    }
    unsigned char* to = input + (size_t)CHANNELS * ((size_t)row * columns + left);
    if (columns % PIXELS == 0) {
        for (int word = 0; word < WORDS; ++word) ((unsigned int*)to)[word] = words[word];
    } else {  // rows begin anywhere, and the last piece of one is not whole
        const int bytes = CHANNELS * min(PIXELS, columns - left);
#pragma unroll 1
        for (int byte = 0; byte < bytes; ++byte) {  // no index into the words: it would put them into local memory
            to[byte] = (unsigned char)words[0];
            words[0] = words[0] >> 8 | words[1] << 24;
            words[1] = words[1] >> 8 | words[2] << 24;
            words[2] >>= 8;
        }
    }
}
