/** A square to write on, with mouse, touch or pen. */

const WIDTH = 1 / 30; // of the side: about the pen that the model is shown
const BEYOND = 0.2; // of the side: a hand may slip so far over the edge and is still followed

export class Pad {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(pad: Pad) => void} changed called after each stroke, undo and clear
   */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = []; // polylines in the unit square, in the order of writing
    this.under = null; // a picture below the strokes
    this.pattern = []; // polylines to trace
    this.marks = new Map(); // number of a stroke: the name of its colour
    this.missing = []; // polylines that should be there
    this.arrows = []; // those of them of which the direction matters
    this.pointer = null;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    new ResizeObserver(() => this.paint()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
  }

  undo() {
    this.set(this.strokes.slice(0, -1));
  }

  clear() {
    this.under = null;
    this.set([]);
  }

  /** Shows a picture in place of strokes. */
  show(picture) {
    this.strokes = [];
    this.forget();
    this.under = picture;
    this.paint();
  }

  /** Colours strokes, by their number, and shows those that are missing, some as arrows. */
  mark(marks, missing, arrows = []) {
    this.marks = marks;
    this.missing = missing;
    this.arrows = arrows;
    this.paint();
  }

  set(strokes) {
    this.strokes = strokes;
    this.pointer = null;
    this.forget();
    this.paint();
    this.changed(this);
  }

  forget() {
    this.marks = new Map();
    this.missing = [];
    this.arrows = [];
  }

  down(event) {
    if (this.pointer !== null || event.button !== 0) return; // one pen at a time
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    this.pointer = event.pointerId;
    this.under = null;
    this.forget();
    this.strokes.push([this.place(event)]);
    this.paint();
  }

  move(event) {
    if (event.pointerId !== this.pointer) return;
    const between = event.getCoalescedEvents?.() ?? [];
    const stroke = this.strokes.at(-1);
    for (const sample of between.length ? between : [event]) stroke.push(this.place(sample));
    this.paint();
  }

  up(event) {
    if (event.pointerId !== this.pointer) return;
    this.pointer = null;
    this.changed(this);
  }

  cancel(event) {
    if (event.pointerId === this.pointer) this.undo();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const bounded = (value) => Math.min(Math.max(value, -BEYOND), 1 + BEYOND);
    return [
      bounded((event.clientX - box.left) / box.width),
      bounded((event.clientY - box.top) / box.height),
    ];
  }

  paint() {
    const { canvas } = this;
    const side = Math.round(canvas.clientWidth * devicePixelRatio);
    if (!side) return;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`);
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, side, side);
    pen.lineCap = pen.lineJoin = "round";
    const line = (points, name, width, dash = []) => {
      pen.strokeStyle = colour(name);
      pen.lineWidth = width * side;
      pen.setLineDash(dash.map((part) => part * side));
      pen.beginPath();
      pen.moveTo(points[0][0] * side, points[0][1] * side);
      for (const [x, y] of points.length > 1 ? points.slice(1) : points) {
        pen.lineTo(x * side, y * side);
      }
      pen.stroke();
    };
    line([[0.5, 0.02], [0.5, 0.98]], "guide", 0.003, [0.012, 0.012]);
    line([[0.02, 0.5], [0.98, 0.5]], "guide", 0.003, [0.012, 0.012]);
    if (this.under) {
      const { width, height } = this.under;
      const scale = (0.9 * side) / Math.max(width, height);
      const [w, h] = [width * scale, height * scale];
      pen.drawImage(this.under, (side - w) / 2, (side - h) / 2, w, h);
    }
    for (const stroke of this.pattern) line(stroke, "guide", WIDTH);
    this.strokes.forEach((stroke, k) => line(stroke, this.marks.get(k) ?? "ink", WIDTH));
    for (const stroke of this.missing) line(stroke, "accent", WIDTH / 3, [0.02, 0.03]);
    for (const stroke of this.arrows) line(arrowhead(stroke), "accent", WIDTH / 3);
    const empty = !this.strokes.length && !this.under && !this.pattern.length;
    canvas.parentElement.classList.toggle("empty", empty);
  }
}

/** The two barbs at the end of a polyline. */
function arrowhead(stroke) {
  const [x, y] = stroke.at(-1);
  const [a, b] = stroke[Math.max(stroke.length - 3, 0)];
  const long = Math.hypot(x - a, y - b) || 1;
  const [u, v] = [(2 * WIDTH * (x - a)) / long, (2 * WIDTH * (y - b)) / long];
  return [
    [x - u - v / 2, y - v + u / 2],
    [x, y],
    [x - u + v / 2, y - v - u / 2],
  ];
}
