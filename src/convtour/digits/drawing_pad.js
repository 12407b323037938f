// A pad to draw a digit on. drawing_pad.py prepares each drawing, asks the network and replies; nothing is worked out here.

const SIDE = 280; // of the canvas, ten pixels for each of the digit's

const STYLE = `
  .all {
    color: var(--jp-content-font-color0, currentColor); --line: color-mix(in srgb, currentColor 45%, transparent);
    container-type: inline-size; font: 15px/1.4 system-ui, sans-serif; padding: 4px; accent-color: #0072B2;
    transition: color 1ms; /* ends when the theme changes, and then all is painted anew */
  }
  * { box-sizing: border-box; }
  .panels { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: flex-start; }
  .controls { display: flex; flex-wrap: wrap; gap: 8px; align-items: end; margin-bottom: 8px; max-width: ${SIDE}px; }
  label { flex: 1 1 70px; min-width: 0; }
  label:first-child { flex-basis: 110px; }
  select, button {
    font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 4px;
    height: 30px; padding: 0 10px;
  }
  option { color: CanvasText; background: Canvas; }
  button { cursor: pointer; }
  select, [type="range"] { display: block; width: 100%; }
  [type="range"] { height: 30px; margin: 0; }
  :focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
  canvas { border: 1px solid var(--line); display: block; }
  .pad { width: min(${SIDE}px, 100cqi - 8px); aspect-ratio: 1; touch-action: none; cursor: crosshair; }
  .seen canvas { width: 84px; height: 84px; image-rendering: pixelated; }
  .maps { display: grid; grid-template-columns: repeat(4, 52px); gap: 4px; }
  .maps canvas { width: 52px; height: 52px; image-rendering: pixelated; }
  figure { margin: 0; }
  figcaption { font-size: 13px; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  caption { text-align: left; font-size: 13px; }
  tr.best { font-weight: bold; }
  th { font-weight: inherit; padding: 0 8px 0 0; }
  td { padding: 1px 0; height: 21px; }
  td:nth-child(2) { width: 130px; }
  td:last-child { width: 3.6em; text-align: right; }
  .bar { height: 13px; width: 0; background: #0072B2; }
  .best .bar { background: #D55E00; }
  .status { min-height: 1.4em; margin: 0 0 8px; }
  @container (max-width: 600px) { .status { min-height: 4.2em; } } /* what stands below keeps its place */
`;

const rows = Array.from(
  { length: 10 },
  (_, digit) => `<tr><th scope="row">${digit}</th><td><div class="bar"></div></td><td></td></tr>`,
).join("");

const PAGE = `
  <p class="status" role="status" aria-live="polite"></p>
  <div class="panels">
    <div>
      <div class="controls">
        <label>sample <select></select></label>
        <label>pen <input type="range" min="6" max="48" value="20" aria-label="width of the pen"></label>
        <button>Clear</button>
      </div>
      <canvas class="pad" width="${SIDE}" height="${SIDE}" role="img"
        aria-label="Pad: draw a digit here with mouse, pen or finger, or choose a sample above"></canvas>
    </div>
    <table><caption>The network's answer</caption><tbody>${rows}</tbody></table>
    <div>
      <figure class="seen"><canvas width="28" height="28" role="img" aria-label="Your digit in 28 by 28 pixels"></canvas>
        <figcaption>28×28, what it reads</figcaption></figure>
      <figure><div class="maps"></div><figcaption></figcaption></figure>
    </div>
  </div>`;

const bytes = ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength);

function render({ model, el }) {
  const host = el.appendChild(document.createElement("div"));
  host.dataset.lmSuppressShortcuts = "true"; // Jupyter's own shortcuts stay quiet while a control has the focus
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${STYLE}</style><div class="all">${PAGE}</div>`;
  const part = (selector) => root.querySelector(selector);
  const [all, pad, choice, width, status] = [".all", ".pad", "select", "[type=range]", ".status"].map(part);
  const pen = pad.getContext("2d", { willReadFrequently: true });
  const own = choice.appendChild(new Option("my own", "own"));
  model.get("names").forEach((name, at) => choice.append(new Option(name, at)));

  let strokes = 0; // pointers that are down
  let pending; // the message that the kernel has not answered yet: one at a time, so that none queue up
  let changed = false; // since that message
  let answer; // the last reply, with its pictures
  let timer;
  const view = Math.random();
  let count = 0;

  // The colour of text: ink in it is to be read on any background. Before the pad is on the page, there is none.
  const colour = () => getComputedStyle(all).color || "rgb(128, 128, 128)";

  // Grey values as ink.
  function paint(canvas, [height, across], greys) {
    const image = new ImageData(across, height);
    const ink = colour().match(/[\d.]+/g).slice(0, 3);
    greys.forEach((grey, at) => image.data.set([...ink, grey], 4 * at));
    [canvas.width, canvas.height] = [across, height];
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // The drawing in the colour that text has now, the numbers and the pictures of the last answer.
  function show() {
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = colour();
    pen.fillRect(0, 0, SIDE, SIDE);
    pen.globalCompositeOperation = "source-over";
    const shares = answer?.probabilities ?? [];
    const best = shares.indexOf(Math.max(...shares));
    root.querySelectorAll("tr").forEach((row, digit) => {
      row.className = digit === best ? "best" : "";
      row.querySelector(".bar").style.width = `${100 * (shares[digit] ?? 0)}%`;
      row.lastElementChild.textContent = shares.length ? `${Math.round(100 * shares[digit])} %` : "–";
    });
    const [number, height, across] = answer?.maps ?? [0, 1, 1];
    paint(part(".seen canvas"), [28, 28], answer?.image ?? new Uint8Array(784));
    const maps = part(".maps");
    if (answer && maps.childElementCount !== number)
      maps.replaceChildren(...Array.from({ length: number }, () => document.createElement("canvas")));
    [...maps.children].forEach((canvas, at) => {
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `feature map ${at + 1} of ${number}`);
      paint(canvas, [height, across], (answer?.features ?? []).slice(at * height * across, (at + 1) * height * across));
    });
    if (number) maps.nextElementSibling.textContent = `some of its feature maps, ${height}×${across}`;
  }

  function ask() {
    if (pending) return (changed = true);
    changed = false;
    pending = `${view}.${++count}`;
    clearTimeout(timer);
    timer = setTimeout(() => {
      status.textContent = "The kernel does not answer. If it is not busy with another cell, run this cell again.";
      pending = undefined;
    }, 8000);
    if (choice.value !== own.value) return model.send({ id: pending, sample: Number(choice.value) });
    const pixels = pen.getImageData(0, 0, SIDE, SIDE).data;
    const paper = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => 255 - pixels[4 * at + 3]);
    model.send({ id: pending }, undefined, [paper.buffer]);
  }

  function receive(reply, buffers) {
    if (reply.id !== pending) return;
    pending = undefined;
    clearTimeout(timer);
    const [image, features] = buffers.map(bytes);
    answer = reply.probabilities ? { ...reply, image, features } : undefined;
    if (changed) ask();
    // Read out once a stroke is done, not while the pen moves.
    else if (!strokes) status.textContent = reply.problem ?? `The network says ${reply.words}.`;
    if (answer || !strokes) show();
  }

  function place({ offsetX, offsetY }) {
    const scale = SIDE / pad.clientWidth;
    return [offsetX * scale, offsetY * scale];
  }

  function clear() {
    pen.clearRect(0, 0, SIDE, SIDE);
    choice.value = own.value;
  }

  let last;
  function line(event) {
    const to = place(event);
    Object.assign(pen, { lineWidth: width.valueAsNumber, lineCap: "round", strokeStyle: colour() });
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...to);
    pen.stroke();
    last = to;
  }

  pad.addEventListener("pointerdown", (event) => {
    if (event.button || strokes) return;
    event.preventDefault();
    if (choice.value !== own.value) clear();
    pad.setPointerCapture(event.pointerId);
    strokes = 1;
    last = place(event);
    line(event);
    ask();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!strokes) return;
    for (const each of event.getCoalescedEvents?.() ?? []) line(each);
    line(event);
    ask();
  });
  for (const end of ["pointerup", "pointercancel"])
    pad.addEventListener(end, () => {
      if (!strokes) return;
      strokes = 0;
      ask();
    });
  part("button").addEventListener("click", () => {
    clear();
    answer = undefined;
    show();
    ask();
  });
  choice.addEventListener("change", () => {
    const chosen = choice.value;
    clear();
    choice.value = chosen;
    if (chosen !== own.value) {
      const small = document.createElement("canvas");
      paint(small, [28, 28], bytes(model.get("pixels")).slice(784 * chosen, 784 * (Number(chosen) + 1)));
      pen.drawImage(small, 0, 0, SIDE, SIDE);
    }
    ask();
  });
  all.addEventListener("transitionend", (event) => event.target === all && show());

  model.on("msg:custom", receive);
  show();
  choice.value = 0; // the first sample, so that there is something to see
  choice.dispatchEvent(new Event("change"));
  return () => {
    model.off("msg:custom", receive);
    clearTimeout(timer);
  };
}

export default { render };
