// A network for tests whose class follows the brightness: fcn_edge.testing.engine.brightness_scores, bit for bit.

__device__ inline float brightness_score(const unsigned char* image, int columns, int stride, int row, int column,
                                         int index, int classes) {
    int sum = 0;
    for (int down = 0; down < stride; ++down) {
        const unsigned char* from = image + 3 * ((row * stride + down) * (columns * stride) + column * stride);
        for (int at = 0; at < 3 * stride; ++at) sum += from[at];
    }
    const double level = index == classes - 1 ? 255.0 : index * (255.0 / (classes - 1));
    const double distance = (double)sum / (3 * stride * stride) - level;
    return (float)(distance < 0 ? distance : -distance);
}

extern "C" __global__ void brightness(const unsigned char* image, float* scores, int classes, int rows, int columns,
                                      int stride) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= classes * rows * columns) return;
    const int column = at % columns, row = at / columns % rows;
    scores[at] = brightness_score(image, columns, stride, row, column, at / columns / rows, classes);
}
