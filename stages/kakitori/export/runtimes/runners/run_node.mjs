// ONNX Runtime in Node.js. Begins in the folder that npm installed onnxruntime-node into:
//     node …/run_node.mjs FOLDER FORMAT
// reads and writes what feeding.py says, but logits as numbers alone (logits.f32).
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { run, unpack } from "./feeding.mjs";

const [folder] = process.argv.slice(2);
const require = createRequire(join(process.cwd(), "package.json"));
try {
  const ort = require("onnxruntime-node");
  const { version } = require("onnxruntime-node/package.json");
  await writeFile(join(folder, "converted.json"), '["model.onnx"]');
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(join(folder, "model.onnx"), options);
  const bytes = await readFile(join(folder, "images.npy"));
  const { logits, milliseconds } = await run(ort, session, unpack(new Uint8Array(bytes).buffer));
  await writeFile(join(folder, "logits.f32"), new Uint8Array(logits.buffer));
  await writeFile(join(folder, "about.json"), JSON.stringify({ version, milliseconds }));
} catch (error) {
  console.error(`${error.name}: ${String(error.message).replace(/\s+/g, " ")}`);
  process.exitCode = 1;
}
