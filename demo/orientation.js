/**
 * Which way up a WebP file says that it is, as Pillow's ImageOps.exif_transpose turns it. Browsers know
 * that of JPEG and PNG files.
 */

const TURNED = {
  2: (w) => [-1, 0, 0, 1, w, 0],
  3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h],
  5: () => [0, 1, 1, 0, 0, 0],
  6: (w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w],
  8: (w) => [0, -1, 1, 0, 0, w],
};

/** The orientation that a WebP file's EXIF has, 2 to 8; 1 where it has none or is no WebP file. */
export async function orientationOf(file) {
  const read = async (start, length) =>
    new DataView(await file.slice(start, start + length).arrayBuffer());
  const head = await read(0, 12);
  if (head.byteLength < 12 || text(head, 0) !== "RIFF" || text(head, 8) !== "WEBP") return 1;
  for (let at = 12; at + 8 <= file.size; ) {
    const chunk = await read(at, 8);
    const length = chunk.getUint32(4, true);
    if (text(chunk, 0) === "EXIF") return inExif(await read(at + 8, length));
    at += 8 + length + (length % 2);
  }
  return 1;
}

const text = (view, at) =>
  String.fromCharCode(...[0, 1, 2, 3].map((k) => view.getUint8(at + k)));

/** Tag 0x0112 of the first directory. */
function inExif(view) {
  try {
    const start = text(view, 0) === "Exif" ? 6 : 0;
    const little = view.getUint16(start) === 0x4949;
    const directory = start + view.getUint32(start + 4, little);
    const entries = view.getUint16(directory, little);
    for (let k = 0; k < entries; k++) {
      const at = directory + 2 + 12 * k;
      if (view.getUint16(at, little) !== 0x0112) continue;
      const orientation = view.getUint16(at + 8, little);
      return TURNED[orientation] ? orientation : 1;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // it ends too early: no orientation
  }
  return 1;
}

/** A bitmap turned upright; the one that is given is closed. */
export function turned(bitmap, orientation) {
  const { width, height } = bitmap;
  const across = orientation >= 5;
  const canvas = new OffscreenCanvas(across ? height : width, across ? width : height);
  const context = canvas.getContext("2d");
  context.setTransform(...TURNED[orientation](width, height));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas.transferToImageBitmap();
}
