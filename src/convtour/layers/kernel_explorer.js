// A kernel of 3×3 that slides over a digit of 28×28 and fills a map of 26×26.

const SIZE = 26;
const LAST = SIZE * SIZE - 1;
const FIRST = "vertical edges";

const OWN_STYLE = `
  .panels {
    display: grid; gap: 8px 20px; margin-top: 8px; align-items: start;
    grid: "digit kernel ours keras" "sum sum sum sum" / 1fr auto 1fr 1fr;
  }
  .digit { grid-area: digit; }
  .kernel { grid-area: kernel; }
  .ours { grid-area: ours; }
  .keras { grid-area: keras; }
  .sum { grid-area: sum; margin: 0; }
  @container (max-width: 760px) { .panels { grid: "digit ours keras" "kernel sum sum" / 1fr 1fr 1fr; } }
  @container (max-width: 520px) {
    .panels { grid: "digit kernel" "ours keras" "sum sum" / 1fr 1fr; column-gap: 12px; }
    .sum { min-height: 9em; } /* as many lines as it ever takes: what stands below keeps its place */
  }
  .choice { flex-basis: 150px; }
  .place { flex: 2 1 215px; }
  .panels b { white-space: nowrap; }
  svg {
    display: block; width: 100%; max-width: 260px; border: 1px solid var(--line);
    cursor: crosshair; touch-action: pan-y;
  }
  .digit .above { fill: var(--fg); }
  .ours .above, .keras .above { fill: color-mix(in srgb, var(--vermilion) 80%, var(--fg)); }
  .below { fill: color-mix(in srgb, var(--blue) 80%, var(--fg)); }
  .cover { fill: color-mix(in srgb, gray 20%, var(--bg)); }
  .window, .edge { fill: none; stroke: var(--fg); stroke-width: .4; }
  .edge { stroke: var(--line); stroke-width: .15; }
  .digit .edge { display: none; }
  .digit .window { stroke: var(--blue); stroke-width: .6; }
  .kernel td { --cell: min(52px, (50cqi - 26px) / 3); font-size: 13px; }
  .kernel input { height: 26px; width: 80%; margin: 0 auto 3px; padding: 0; text-align: center; appearance: textfield; }
  .kernel input::-webkit-inner-spin-button { appearance: none; }
  .kernel td small { font-size: max(11px, var(--cell) * .25); }
  .play { min-width: 4.2em; }
`;

function page({ kernels }) {
  // A number of the map stands where the middle of its window stands on the digit.
  const svg = (words, corner, side) =>
    `<svg viewBox="${corner} 28 28" shape-rendering="crispEdges" role="img" aria-label="${words}"><g></g>` +
    `<path class="cover"/><rect class="edge" width="${SIZE}" height="${SIZE}"/>` +
    `<rect class="window" width="${side}" height="${side}"/></svg>`;
  const weight = (row, column) =>
    `<td class="tap"><input type="number" step="any" aria-label="weight, row ${row}, column ${column}">` +
    "<small></small></td>";
  return `
    <div class="controls" role="group" aria-label="kernel and window">
      <label class="choice">kernel <select>${optionsOf(Object.keys(kernels))}<option disabled>your own</option></select></label>
      <label class="place">window: <b></b><input type="range" max="${LAST}"></label>
      <span class="steps"><button class="play">Play</button> <button>← previous</button> <button>next →</button></span>
    </div>
    <div class="panels">
      <div class="digit"><b>Digit 28×28</b>${svg("the digit", "0 0", 3)}<small>drag, or ↑ ↓ on the slider</small></div>
      <div class="kernel">${table("Kernel × window", [0, 3], [0, 3], weight)}
        <small>edit the upper numbers</small></div>
      <div class="ours"><b>Map ${SIZE}×${SIZE}</b>${svg("the map so far", "-1 -1", 1)}<small></small></div>
      <div class="keras"><b>Keras's own map</b>${svg("Keras's own map", "-1 -1", 1)}<small></small></div>
      <p class="sum" aria-live="polite" aria-atomic="true"></p>
    </div>`;
}

// Each number but 0 as a square: the stronger, the more colour.
function paint(panel, rows) {
  const strongest = Math.max(...rows.flat().map(Math.abs));
  const square = (value, x, y) =>
    value === 0
      ? ""
      : `<rect class="${value < 0 ? "below" : "above"}" x="${x}" y="${y}" width="1" height="1" ` +
        `fill-opacity="${(Math.abs(value) / strongest).toFixed(3)}"/>`;
  panel.querySelector("g").innerHTML = rows.flatMap((row, y) => row.map((value, x) => square(value, x, y))).join("");
}

function largestDifference(map, output) {
  return Math.max(...map.flatMap((row, r) => row.map((value, c) => Math.abs(value - output[r][c]))));
}

function start(host) {
  const [data, root] = mount(host, OWN_STYLE, page);
  const part = (selector) => root.querySelector(selector);
  const weights = [...root.querySelectorAll("[type=number]")];
  const [choice, slider, play] = [part("select"), part("[type=range]"), part(".play")];
  const kernel = () => [0, 3, 6].map((row) => weights.slice(row, row + 3).map((field) => field.valueAsNumber || 0));
  let [place, made] = [0, 0]; // the window, and the last cell of the map that is filled, counted row by row
  let worked; // the whole map of the kernel that is shown
  let playing; // a timer

  // After a change of the kernel.
  function compute() {
    worked = convolve({ rank: 2, input: data.image, kernels: { 3: kernel() } }, [28, 3, 1, 1, "valid"]);
    const [numbers, map] = [worked.output.flat(), data.maps[choice.value]];
    const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
    paint(part(".ours"), worked.output);
    paint(part(".keras"), map ?? []);
    part(".keras svg").style.visibility = map ? "visible" : "hidden"; // an empty map would be one of zeros
    part(".ours small").textContent =
      `from ${said(least)}${least < 0 ? " (blue)" : ""} to ${said(most)}${most > 0 ? " (orange)" : ""}`;
    part(".keras small").textContent = map
      ? `largest difference: ${said(largestDifference(map, worked.output))}`
      : "not shown: Keras was asked for the ready-made kernels only";
    move(place);
  }

  function move(to) {
    place = Math.min(Math.max(to, 0), LAST);
    made = Math.max(made, place);
    const [r, c] = [Math.floor(place / SIZE), place % SIZE];
    const taps = worked.taps(r, c);
    for (const window of root.querySelectorAll(".window")) {
      window.setAttribute("x", c);
      window.setAttribute("y", r);
    }
    const [row, column] = [Math.floor(made / SIZE), (made % SIZE) + 1];
    part(".ours .cover").setAttribute("d", `M0 ${row + 1}H${column}V${row}H${SIZE}V${SIZE}H0Z`);
    root.querySelectorAll("td small").forEach((cell, at) => (cell.textContent = `× ${taps[at].value}`));
    slider.value = place;
    part("label b").textContent = `row ${r}, column ${c}`;
    slider.setAttribute("aria-valuetext", `row ${r}, column ${c}`);
    const keras = data.maps[choice.value]?.[r][c];
    part(".sum").innerHTML =
      `map[${r}, ${c}] = ${equation(taps)} = <b>${said(worked.output[r][c])}</b>` +
      (keras === undefined ? "" : ` <span class="term">(Keras: ${said(keras)})</span>`);
  }

  function pause() {
    clearInterval(playing);
    playing = undefined;
    play.textContent = "Play";
    part(".sum").setAttribute("aria-live", "polite");
  }

  function go() {
    if (place === LAST) place = made = -1;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return move(LAST);
    play.textContent = "Pause";
    part(".sum").setAttribute("aria-live", "off"); // fifty sums a second are not to be read out
    playing = setInterval(() => (host.isConnected && place < LAST ? move(place + 1) : pause()), 20);
  }

  function stop(to) {
    pause();
    move(to);
  }

  play.addEventListener("click", () => (playing ? pause() : go()));
  const [, previous, next] = root.querySelectorAll(".steps button");
  previous.addEventListener("click", () => stop(place - 1));
  next.addEventListener("click", () => stop(place + 1));
  slider.addEventListener("input", () => stop(slider.valueAsNumber));
  slider.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -SIZE, ArrowDown: SIZE }[event.key];
    if (!by) return;
    event.preventDefault();
    stop(place + by);
  });
  const drag = (event) => {
    const picture = event.target.closest("svg");
    if (!picture || !event.buttons) return;
    const { left, top, width } = picture.getBoundingClientRect();
    const at = (offset) => Math.min(Math.max(Math.floor((offset / width) * 28) - 1, 0), SIZE - 1);
    stop(at(event.clientY - top) * SIZE + at(event.clientX - left));
  };
  part(".panels").addEventListener("pointerdown", drag);
  part(".panels").addEventListener("pointermove", drag);
  choice.addEventListener("input", () => {
    data.kernels[choice.value].flat().forEach((weight, at) => (weights[at].value = weight));
    compute();
  });
  for (const field of weights)
    field.addEventListener("input", () => {
      if (Math.abs(field.valueAsNumber) > 99) field.value = 99 * Math.sign(field.valueAsNumber);
      choice.value = Object.keys(data.kernels).find((name) => `${data.kernels[name]}` === `${kernel()}`) ?? "your own";
      compute();
    });

  paint(part(".digit"), data.image);
  choice.value = FIRST;
  const map = data.maps[FIRST].flat();
  place = made = map.indexOf(Math.max(...map)); // where the kernel answers loudest
  choice.dispatchEvent(new Event("input"));
}
