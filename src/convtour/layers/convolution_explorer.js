// A convolution layer on a line or a grid of small whole numbers, in every setting.

// Whether Keras's answer (rows of numbers, or the number of its refusal) is what was worked out here.
function verdict(answer, { refusal, output }) {
  const refused = !Array.isArray(answer);
  if (refused) return refusal ? "✓ Refused here, too." : "✗ Not refused here.";
  if (JSON.stringify(answer) !== JSON.stringify(output)) return "✗ Not what was worked out here.";
  const count = output.flat().length;
  if (count === 1) return "✓ Equal to what was worked out here.";
  return `✓ All ${count} numbers are equal to those worked out here.`;
}

const OWN_STYLE = `
  code { flex: 1 1 20em; }
  .grids { display: flex; flex-wrap: wrap; gap: 8px 32px; align-items: start; }
  .input { --room: 42cqi; min-width: 140px; }
  .input small { display: block; width: 0; min-width: 100%; }
  .kernel { --room: 136px; min-width: 152px; }
  .grid .kernel { min-width: 90px; }
  .output { --room: 58cqi - 240px; }
  .result { flex: 1; }
  @container (max-width: 760px) {
    .grids { column-gap: 16px; }
    .input, .output { --room: 100cqi - 20px; }
    .grid { display: grid; grid: "input kernel" auto "input result" 1fr / auto 1fr; }
    .grid .input { grid-area: input; --room: 300px; }
    .grid .kernel { grid-area: kernel; }
    .grid .result { grid-area: result; }
    .grid .output { --room: 100cqi - 336px; }
  }
  @container (max-width: 520px) {
    .grid { display: flex; --largest: 30px; }
    .grid .input, .grid .output { --room: 100cqi - 20px; }
  }
  .padding, .tap.padding { border-style: dashed; }
  .between {
    --stripe: color-mix(in srgb, var(--blue) 40%, var(--bg));
    background: repeating-linear-gradient(45deg, transparent 0 4px, var(--stripe) 4px 6px);
  }
  td button {
    width: 100%; height: 100%; padding: 0; border: 0; border-radius: 0; cursor: pointer;
    font-size: max(11px, var(--cell) * .36);
  }
  .current { border: 4px double var(--vermilion); }
  .current button { font-weight: bold; background: color-mix(in srgb, var(--vermilion) 20%, var(--bg)); }
`;

function page({ rank, options }) {
  const first = { input_size: 6, kernel_size: 3 };
  const control = ([name, choices]) => {
    const [least, most, value] = [choices[0], choices.at(-1), first[name] ?? choices[0]];
    const field =
      name === "padding"
        ? `<select name="${name}">${optionsOf(choices)}</select>`
        : `<input type="range" name="${name}" min="${least}" max="${most}" value="${value}">`;
    return `<label>${name.replace("_", " ")} <b></b>${field}</label>`;
  };
  const controls = Object.entries(options).map(control).join("");
  return `
    <div class="controls" role="group" aria-label="settings of the layer">${controls}</div>
    <div class="row"><code></code><span class="steps"><button>← previous</button> <button>next →</button></span></div>
    <div class="grids ${rank === 2 ? "grid" : "line"}">
      <div class="input"></div><div class="kernel"></div>
      <div class="result"><div class="output"></div><small>click a number, or use the arrow keys here</small></div>
    </div>
    <p class="size"></p>
    <div aria-live="polite" aria-atomic="true"><p class="ours"></p><p class="keras"></p></div>`;
}

function start(host) {
  const [data, root] = mount(host, OWN_STYLE, page);
  const grid = data.rank === 2;
  const part = (selector) => root.querySelector(selector);
  const fields = Object.keys(data.options).map((name) => part(`[name=${name}]`));
  let current = 0; // the output cell, counted row by row
  let [columns, count] = [0, 0]; // of the output that is shown

  function draw() {
    const setting = fields.map((field) => (field.type === "range" ? Number(field.value) : field.value));
    const worked = convolve(data, setting);
    [columns, count] = [worked.across.size, worked.output.flat().length];
    current = Math.min(current, Math.max(count - 1, 0));
    const [r, c] = [Math.floor(current / columns), current % columns];
    const taps = worked.refusal ? [] : worked.taps(r, c);
    drawGrids(setting, worked, taps, r, c);
    write(setting, worked, taps, r, c);
  }

  const sized = (rows, columns) => (grid ? `${rows}×${columns}` : `of length ${columns}`);
  const name = (row, column) => (grid ? `output[${row}, ${column}]` : `output[${column}]`);

  function drawGrids([n, k], { across, down, rows, refusal, output }, taps, r, c) {
    const [begin, end] = [taps[0], taps.at(-1)];
    const padded = [[-down.before, rows + down.after], [-across.before, n + across.after]];
    const sides = grid ? ["above and left", "below and right"] : ["before", "after"];
    const kernel = data.kernels[k];
    const hadFocus = part(".output").contains(root.activeElement);
    part(".input").innerHTML = table(`Input ${sized(n, n)}`, ...padded, (row, column) => {
      const inside = row >= 0 && row < rows && column >= 0 && column < n;
      const tap = taps.find((tap) => tap.row === row && tap.column === column);
      const reached = begin && row >= begin.row && row <= end.row && column >= begin.column && column <= end.column;
      const kind = (inside ? "" : "padding ") + (tap ? "tap" : reached ? "between" : "");
      const weight = tap ? `<small>·${tap.weight}</small>` : "";
      return `<td class="${kind}">${inside ? data.input[row][column] : 0}${weight}</td>`;
    });
    part(".input").innerHTML += across.before + across.after
      ? `<small>padding (dashed): ${across.before} ${sides[0]}, ${across.after} ${sides[1]}</small>`
      : "<small>no padding</small>";
    part(".kernel").innerHTML = table(`Kernel ${sized(k, k)}`, [0, kernel.length], [0, k], (row, column) =>
      `<td class="tap">${kernel[row][column]}</td>`);
    part(".output").innerHTML = refusal
      ? "<b>No output</b>"
      : table(`Output ${sized(output.length, columns)}`, [0, output.length], [0, columns], (row, column) => {
          const [here, value] = [row === r && column === c, output[row][column]];
          const state = here ? 'tabindex="0" aria-current="true"' : 'tabindex="-1"';
          const button = `<button ${state} aria-label="${name(row, column)} = ${value}">${value}</button>`;
          return `<td class="${here ? "current" : ""}">${button}</td>`;
        });
    part(".output + small").hidden = refusal;
    if (hadFocus) part(".current button")?.focus();
  }

  function write(setting, { across, refusal, output }, taps, r, c) {
    const [n, k, s, d, padding] = setting;
    const positions = across.before + n + across.after;
    const answer = data.answers[setting.join()];
    const said = Array.isArray(answer)
      ? `Keras says: output ${sized(answer.length, answer[0].length)}, this number ${answer[r]?.[c]}.`
      : `Keras refuses: ${data.refusals[answer]}`;
    for (const field of fields)
      if (field.type === "range") field.closest("label").querySelector("b").textContent = field.value;
    part("code").textContent =
      `keras.layers.Conv${data.rank}D(1, ${k}, strides=${s}, dilation_rate=${d}, padding="${padding}", use_bias=False)`;
    part(".size").innerHTML =
      `The kernel spans ${d}·(${k} − 1) + 1 = ${across.span}. ` +
      `With padding the input has ${across.before} + ${n} + ${across.after} = ${positions} positions` +
      `${grid ? " along each axis" : ""}.`;
    if (!refusal)
      part(".size").innerHTML +=
        ` Output size: <span class="term">⌊(${positions} − ${across.span}) / ${s}⌋ + 1 = <b>${columns}</b></span>.`;
    part(".ours").innerHTML = refusal
      ? `<b>No output:</b> ${refusal}`
      : `${name(r, c)} = ${equation(taps)} = <b>${output[r][c]}</b>`;
    part(".keras").textContent = `${said} ${verdict(answer, { refusal, output })}`;
  }

  // Steps through the output; after its end comes its beginning.
  function step(by) {
    if (!count) return;
    current = (current + by + count) % count;
    draw();
  }

  part(".controls").addEventListener("input", draw);
  const [previous, next] = root.querySelectorAll(".steps button");
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  part(".output").addEventListener("click", (event) => {
    const clicked = [...root.querySelectorAll(".output button")].indexOf(event.target);
    if (clicked >= 0) step(clicked - current);
  });
  part(".output").addEventListener("keydown", (event) => {
    const row = grid ? columns : 0;
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    step(by);
  });
  draw();
}
