// What run_node.mjs and run_chromium.py share: images through ONNX Runtime's JavaScript, timed.

// The array of an .npy file of bytes: its shape, and its values.
export function unpack(buffer) {
  const length = new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder().decode(new Uint8Array(buffer, 10, length));
  if (!header.includes("'|u1'")) throw new Error(`expected bytes, found ${header}`);
  const shape = header.match(/\(([\d, ]+)\)/)[1].split(",").filter((n) => n.trim()).map(Number);
  return { shape, values: new Uint8Array(buffer, 10 + length) };
}

// Logits of all images (N, side, side) as one Float32Array, and the median of their milliseconds.
export async function run(ort, session, { shape: [count, side], values }) {
  const read = async (k) => {
    const picture = values.subarray(k * side * side, (k + 1) * side * side);
    // Rounded after each step, as NumPy does: where INT8 rounds, the last digit decides.
    const scaled = Float32Array.from(picture, (ink) => Math.fround(ink / 127.5) - 1);
    const started = performance.now();
    const input = new ort.Tensor("float32", scaled, [1, 1, side, side]);
    const { logits } = await session.run({ input }, ["logits"]);
    return { logits: logits.data, taken: performance.now() - started };
  };
  for (let k = 0; k < Math.min(10, count); k++) await read(k);
  const taken = [];
  let all = null;
  for (let k = 0; k < count; k++) {
    const found = await read(k);
    all ??= new Float32Array(count * found.logits.length);
    all.set(found.logits, k * found.logits.length);
    taken.push(found.taken);
  }
  const milliseconds = taken.sort((a, b) => a - b)[Math.floor(count / 2)];
  return { logits: all, milliseconds: Math.round(1e4 * milliseconds) / 1e4 };
}
