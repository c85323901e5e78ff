"""ONNX Runtime Web in Chromium, by WebAssembly on one thread, with the files that the page of demo/
loads. Runs under Kakitori's own Python, and writes logits as numbers alone (logits.f32)."""

import base64
import json
import shutil
import sys
import threading
from pathlib import Path

from playwright.sync_api import sync_playwright

from kakitori.outputs import ROOT
from kakitori.results import demo

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
BLANK = "<!doctype html><meta charset=utf-8><title>ONNX Runtime Web</title>"
READ = """async () => {
  const ort = await import("/ort.wasm.min.mjs");
  const { run, unpack } = await import("/feeding.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = "/";
  const load = async (name) => (await fetch(name)).arrayBuffer();
  const session = await ort.InferenceSession.create(await load("/model.onnx"));
  const { logits, milliseconds } = await run(ort, session, unpack(await load("/images.npy")));
  const reader = new FileReader();
  const read = new Promise((resolve) => (reader.onload = resolve));
  reader.readAsDataURL(new Blob([logits]));
  await read;
  return { logits: reader.result.split(",")[1], milliseconds };
}"""


def main() -> None:
    folder = Path(sys.argv[1])
    web = ROOT / "demo/node_modules/onnxruntime-web"
    for file in (*(web / "dist" / name for name in demo.RUNTIME), Path(__file__)):
        shutil.copy2(file.with_name("feeding.mjs") if file.suffix == ".py" else file, folder)
    (folder / "index.html").write_text(BLANK)
    (folder / "converted.json").write_text('["model.onnx"]')
    # In isolation a page's clock has steps of 5 instead of 100 microseconds.
    with demo.server(folder, 0) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        measurement = page.evaluate(READ)
        browser.close()
        server.shutdown()
    (folder / "logits.f32").write_bytes(base64.b64decode(measurement["logits"]))
    about = {
        "version": json.loads((web / "package.json").read_text("utf-8"))["version"],
        "milliseconds": measurement["milliseconds"],
    }
    (folder / "about.json").write_text(json.dumps(about))


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
