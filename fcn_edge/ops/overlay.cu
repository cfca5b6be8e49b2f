// Class colors blended over a frame: the device's twin of overlay.py, without its legend.
//
// A thread blends four pixels of a row, which are three words of the frame and one of the mask.

constexpr int PIXELS = 4, WORDS = 3, CHANNELS = 3;

__device__ inline unsigned int blended(unsigned int frame, unsigned int color, float alpha) {
    return (unsigned int)rintf(frame * (1 - alpha) + color * alpha);
}

extern "C" __global__ void __launch_bounds__(256)
overlay(const unsigned char* frame, int frame_pitch, const unsigned char* labels, int label_pitch,
        const unsigned char* palette, unsigned char* out, int out_pitch, int height, int width, float alpha,
        unsigned int void_label) {
    extern __shared__ uint4 shared_memory[];
    unsigned int* colors = (unsigned int*)shared_memory;  // a word for each of the 256 labels, blue lowest
    for (int label = threadIdx.y * blockDim.x + threadIdx.x; label < 256; label += blockDim.x * blockDim.y) {
        const unsigned char* bgr = palette + CHANNELS * label;
        colors[label] = bgr[0] | bgr[1] << 8 | bgr[2] << 16;
    }
    __syncthreads();

    const int left = PIXELS * (blockIdx.x * blockDim.x + threadIdx.x);
    const int count = min(PIXELS, width - left);
    const size_t addresses = (size_t)frame | frame_pitch | (size_t)labels | label_pitch | (size_t)out | out_pitch;
    const bool whole_words = count == PIXELS && addresses % 4 == 0;
    for (int row = blockIdx.y * blockDim.y + threadIdx.y; row < height; row += gridDim.y * blockDim.y) {
        const unsigned char* from = frame + (size_t)row * frame_pitch + CHANNELS * left;
        const unsigned char* label = labels + (size_t)row * label_pitch + left;
        unsigned char* to = out + (size_t)row * out_pitch + CHANNELS * left;
        if (whole_words) {
            const unsigned int mask = *(const unsigned int*)label;
            for (int word = 0; word < WORDS; ++word) {
                const unsigned int before = ((const unsigned int*)from)[word];
                unsigned int after = 0;
                for (int byte = 0; byte < 4; ++byte) {
                    const int at = 4 * word + byte;
                    const unsigned int index = mask >> 8 * (at / CHANNELS) & 255, level = before >> 8 * byte & 255;
                    const unsigned int color = colors[index] >> 8 * (at % CHANNELS) & 255;
                    after |= (index == void_label ? level : blended(level, color, alpha)) << 8 * byte;
                }
                ((unsigned int*)to)[word] = after;
            }
        } else {
            for (int at = 0; at < CHANNELS * count; ++at) {
                const unsigned int index = label[at / CHANNELS], level = from[at];
                const unsigned int color = colors[index] >> 8 * (at % CHANNELS) & 255;
                to[at] = index == void_label ? level : blended(level, color, alpha);
            }
        }
    }
}
