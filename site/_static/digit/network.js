// The tour's baseline network in plain JavaScript, worked out from its definition, and how a drawing becomes what it
// reads. Numbers lie in flat arrays, the last axis innermost, as in NumPy and Keras: position (row, column, channel) of
// an array with C columns and K channels is at (row * C + column) * K + channel.
//
// A classic script that sets one global name: a page opened from a disk may load no modules. Node runs it, too.

globalThis.convtourDigit = (() => {
  "use strict";

  // ---- The weights: base64 of float16, little endian.

  // 1 bit sign, 5 bits exponent e, 10 bits fraction f: (1 + f / 1024) · 2^(e − 15), and f / 1024 · 2^−14 where e is 0.
  // (e is 31 for what is no number: trained weights have none.)
  const POWERS = Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 15));

  function fromFloat16(bits) {
    const exponent = (bits >> 10) & 31;
    const size = ((exponent ? 1 : 0) + (bits & 1023) / 1024) * POWERS[exponent];
    return bits & 0x8000 ? -size : size;
  }

  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
    return bytes;
  }

  function decode({ shape, float16, name }) {
    const bytes = bytesOf(float16);
    const size = shape.reduce((product, length) => product * length, 1);
    if (bytes.length !== 2 * size) throw new Error(`${name}: ${bytes.length} bytes for ${size} weights`);
    const weights = new Float32Array(size);
    for (let at = 0; at < size; at++) weights[at] = fromFloat16(bytes[2 * at] | (bytes[2 * at + 1] << 8));
    return weights;
  }

  // ---- The layers.

  const relu = (value) => Math.max(value, 0);

  // Conv2D(filters, 3): each kernel slides over the image; at each place products with nine pixels are added up.
  function convolution(image, side, kernels, biases) {
    const [filters, across] = [biases.length, side - 2]; // a kernel of 3 fits in side − 2 places
    const sums = new Float32Array(across * across * filters);
    for (let row = 0; row < across; row++)
      for (let column = 0; column < across; column++) {
        const place = (row * across + column) * filters;
        sums.set(biases, place);
        for (let i = 0; i < 3; i++)
          for (let j = 0; j < 3; j++) {
            const pixel = image[(row + i) * side + column + j];
            if (pixel === 0) continue; // most is paper, and adds nothing
            const weights = (i * 3 + j) * filters;
            for (let filter = 0; filter < filters; filter++) sums[place + filter] += pixel * kernels[weights + filter];
          }
      }
    return sums;
  }

  // MaxPooling2D(2): the largest of two by two, of each map on its own.
  function pooling(maps, side, channels) {
    const half = Math.floor(side / 2);
    const largest = new Float32Array(half * half * channels);
    for (let row = 0; row < half; row++)
      for (let column = 0; column < half; column++)
        for (let channel = 0; channel < channels; channel++) {
          const at = (r, c) => maps[((2 * row + r) * side + 2 * column + c) * channels + channel];
          largest[(row * half + column) * channels + channel] = Math.max(at(0, 0), at(0, 1), at(1, 0), at(1, 1));
        }
    return largest;
  }

  // Dense(units): every unit has a weight for every input. (Flatten is nothing to do: the array is flat already.)
  function dense(inputs, weights, biases) {
    const units = biases.length;
    const sums = Float32Array.from(biases);
    inputs.forEach((input, at) => {
      if (input === 0) return; // relu leaves many zeros
      for (let unit = 0; unit < units; unit++) sums[unit] += input * weights[at * units + unit];
    });
    return sums;
  }

  // Ten numbers become ten shares of 1. Without the largest taken away first, e to the power of a large one overflows.
  function softmax(sums) {
    const largest = Math.max(...sums);
    const powers = sums.map((sum) => Math.exp(sum - largest));
    const total = powers.reduce((left, right) => left + right);
    return powers.map((power) => power / total);
  }

  // ---- define_model(): Conv2D(32, 3, relu), MaxPooling2D(2), Flatten, Dense(100, relu), Dense(10, softmax).

  const SIDE = 28;

  function define(model) {
    const [kernels, kernelBiases, hidden, hiddenBiases, output, outputBiases] = model.weights.map(decode);

    // What the network makes of an image of 28×28 numbers from 0 (paper) to 1 (ink): its answer, and the maps on the way.
    function read(image) {
      const sums = convolution(image, SIDE, kernels, kernelBiases); // 26×26×32, before relu
      const maps = sums.map(relu);
      const pooled = pooling(maps, SIDE - 2, kernelBiases.length); // 13×13×32
      const units = dense(pooled, hidden, hiddenBiases).map(relu); // 100
      return { sums, maps, probabilities: softmax(dense(units, output, outputBiases)) };
    }

    return { read, kernels, biases: kernelBiases, filters: kernelBiases.length };
  }

  // ---- A drawing becomes what MNIST's digits are: cropped, scaled into 20×20, centred by mass in 28×28.

  const INNER = 20;

  // The rows and columns that hold ink, the last ones not included.
  function box({ ink, width, height }) {
    let [top, bottom, left, right] = [height, 0, width, 0];
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++)
        if (ink[row * width + column] > 0.5) {
          top = Math.min(top, row);
          bottom = row + 1;
          left = Math.min(left, column);
          right = Math.max(right, column + 1);
        }
    return { top, bottom, left, right };
  }

  function crop(picture) {
    const { top, bottom, left, right } = box(picture);
    const [width, height] = [right - left, bottom - top];
    const ink = new Float32Array(Math.max(width, 0) * Math.max(height, 0));
    for (let row = 0; row < height; row++) {
      const begin = (top + row) * picture.width + left;
      ink.set(picture.ink.subarray(begin, begin + width), row * width);
    }
    return { ink, width, height };
  }

  // One axis of a picture, scaled with antialiasing as Pillow does it: a new pixel is the mean of the old ones around
  // its middle, each with a weight that falls off in a straight line and is 0 one new pixel away. Returns the picture
  // turned on its side, so that doing it twice scales both axes.
  function scaleAcross({ ink, width, height }, across) {
    const step = width / across;
    const reach = Math.max(step, 1);
    const scaled = new Float32Array(across * height);
    for (let column = 0; column < across; column++) {
      const middle = (column + 0.5) * step;
      const [from, to] = [Math.max(Math.floor(middle - reach + 0.5), 0), Math.min(Math.floor(middle + reach + 0.5), width)];
      const weights = Array.from({ length: to - from }, (_, at) => relu(1 - Math.abs(from + at + 0.5 - middle) / reach));
      const total = weights.reduce((left, right) => left + right);
      for (let row = 0; row < height; row++) {
        let sum = 0;
        weights.forEach((weight, at) => (sum += weight * ink[row * width + from + at]));
        scaled[column * height + row] = sum / total;
      }
    }
    return { ink: scaled, width: height, height: across };
  }

  function fit(picture) {
    const longest = Math.max(picture.width, picture.height);
    const sized = (length) => Math.max(1, Math.round((INNER * length) / longest));
    return scaleAcross(scaleAcross(picture, sized(picture.width)), sized(picture.height));
  }

  // The mean of the places of the ink, each with its weight: row and column.
  function centreOfMass({ ink, width }) {
    let [total, down, across] = [0, 0, 0];
    ink.forEach((value, at) => {
      total += value;
      down += value * Math.floor(at / width);
      across += value * (at % width);
    });
    return [down / total, across / total];
  }

  // The centre of mass goes to pixel 14, as near as whole pixels allow and the border lets it.
  function centre(small) {
    const [down, across] = centreOfMass(small);
    const corner = (middle, length) => Math.min(Math.max(Math.round(SIDE / 2 - middle), 0), SIDE - length);
    const [top, left] = [corner(down, small.height), corner(across, small.width)];
    const image = new Float32Array(SIDE * SIDE);
    for (let row = 0; row < small.height; row++)
      image.set(small.ink.subarray(row * small.width, (row + 1) * small.width), (top + row) * SIDE + left);
    return image;
  }

  // A picture is { ink, width, height }, ink a Float32Array of numbers from 0 (paper) to 1, row by row. Returns 28×28
  // numbers, or null where there is no ink, or a dot: made as large as a digit, it would be none.
  function prepare(picture) {
    const cropped = crop(picture);
    if (Math.max(cropped.width, cropped.height) < Math.max(picture.width, picture.height) / 10) return null;
    return centre(fit(cropped));
  }

  return { bytesOf, fromFloat16, define, prepare, centreOfMass };
})();
