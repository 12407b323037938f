// Draws every explorer on the page that is not drawn yet; explorer.py wraps this in a function and adds the numbers.
// A setting is [input size n, kernel size k, strides s, dilation rate d, padding].

// One axis: how far the kernel reaches, the padding on both sides, and the length of the output.
function axis([n, k, s, d, padding]) {
  const span = d * (k - 1) + 1;
  const needed = { valid: 0, same: (Math.ceil(n / s) - 1) * s + span - n, causal: span - 1 }[padding];
  const total = Math.max(needed, 0);
  const before = padding === "causal" ? total : Math.floor(total / 2);
  return { span, before, after: total - before, size: Math.floor((n + total - span) / s) + 1 };
}

// The whole layer, worked out from its definition. A line is a grid with one row.
function convolve({ rank, input, kernels }, setting) {
  const [n, k, s, d] = setting;
  const across = axis(setting);
  const down = rank === 2 ? across : axis([1, 1, 1, 1, "valid"]);
  const rows = rank === 2 ? n : 1;
  const taps = (r, c) =>
    kernels[k].flatMap((weights, i) =>
      weights.map((weight, j) => {
        const row = r * s + i * d - down.before;
        const column = c * s + j * d - across.before;
        return { row, column, weight, value: (row < rows && column < n && input[row]?.[column]) || 0 };
      }),
    );
  let refusal = "";
  if (s > 1 && d > 1) refusal = `strides=${s} and dilation_rate=${d} are both above 1.`;
  else if (across.size < 1) refusal = `the kernel spans ${across.span} positions, the input has only ${n}.`;
  const output = refusal
    ? []
    : Array.from({ length: down.size }, (_, r) =>
        Array.from({ length: across.size }, (_, c) => taps(r, c).reduce((sum, t) => sum + t.weight * t.value, 0)),
      );
  return { across, down, rows, taps, refusal, output };
}

// Whether Keras's answer (rows of numbers, or the number of its refusal) is what was worked out here.
function verdict(answer, { refusal, output }) {
  const refused = !Array.isArray(answer);
  if (refused) return refusal ? "✓ Refused here, too." : "✗ Not refused here.";
  if (JSON.stringify(answer) !== JSON.stringify(output)) return "✗ Not what was worked out here.";
  const count = output.flat().length;
  return count > 1 ? `✓ All ${count} numbers are equal to those worked out here.` : "✓ Equal to what was worked out here.";
}

const STYLE = `
  :host { display: block; container-type: inline-size; color-scheme: light dark; max-width: 64rem; }
  * { box-sizing: border-box; }
  .all {
    --bg: var(--jp-layout-color0, var(--color-background-primary, Canvas));
    --fg: var(--jp-content-font-color0, var(--color-foreground-primary, CanvasText));
    --blue: #0072B2; --vermilion: #D55E00; --line: color-mix(in srgb, var(--fg) 45%, var(--bg));
    background: var(--bg); color: var(--fg); accent-color: var(--blue); padding: 8px;
    font: 15px/1.5 system-ui, sans-serif;
  }
  .controls, .grids { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: flex-start; }
  label { flex: 1 1 112px; }
  input, select { display: block; width: 100%; height: 28px; margin: 0; }
  select, button {
    font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--line); border-radius: 4px;
  }
  .steps button { padding: 4px 12px; cursor: pointer; }
  :focus-visible { outline: 3px solid var(--fg); outline-offset: 2px; }
  p { margin: 8px 0; }
  code { font: 14px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
  small { font-size: 13px; }
  table { border-collapse: separate; border-spacing: 2px; }
  caption { text-align: left; font-weight: bold; width: 0; white-space: nowrap; }
  .grids > div { min-width: 160px; }
  .output { margin-top: 8px; }
  td {
    --cell: min(38px, (100cqi - 20px) / var(--columns) - 2px);
    width: var(--cell); height: var(--cell); padding: 0; text-align: center; border: 1px solid var(--line);
    font-size: max(11px, var(--cell) * .42); line-height: 1; font-variant-numeric: tabular-nums;
  }
  td small { display: block; font-size: max(9px, var(--cell) * .3); }
  .padding { border-style: dashed; }
  .between {
    --stripe: color-mix(in srgb, var(--blue) 40%, var(--bg));
    background: repeating-linear-gradient(45deg, transparent 0 4px, var(--stripe) 4px 6px);
  }
  .tap {
    border: clamp(2px, var(--cell) * .08, 3px) solid var(--blue);
    background: color-mix(in srgb, var(--blue) 22%, var(--bg));
  }
  .tap.padding { border-style: dashed; }
  td button {
    width: 100%; height: 100%; padding: 0; border: 0; border-radius: 0; cursor: pointer;
    font-size: max(11px, var(--cell) * .36);
  }
  .current { border: 4px double var(--vermilion); }
  .current button { font-weight: bold; background: color-mix(in srgb, var(--vermilion) 20%, var(--bg)); }
  .term { white-space: nowrap; }
  .said { border-left: 4px solid var(--line); padding-left: 8px; min-height: 9em; }
  @container (max-width: 500px) { .said { min-height: 15em; } }
`;

// The columns from left to right of the rows from top to bottom, the ends left out; cell(row, column) makes a <td>.
function table(caption, [top, bottom], [left, right], cell) {
  let html = `<table style="--columns: ${right - left}"><caption>${caption}</caption>`;
  for (let row = top; row < bottom; row++) {
    html += "<tr>";
    for (let column = left; column < right; column++) html += cell(row, column);
    html += "</tr>";
  }
  return `${html}</table>`;
}

function start(host) {
  const data = JSON.parse(host.querySelector('script[type="application/json"]').textContent);
  const grid = data.rank === 2;
  const names = Object.keys(data.options);
  const first = { input_size: 6, kernel_size: 3 };
  const control = (name) => {
    const options = data.options[name];
    const [least, most, value] = [options[0], options.at(-1), first[name] ?? options[0]];
    const field =
      name === "padding"
        ? `<select name="${name}">${options.map((option) => `<option>${option}</option>`).join("")}</select>`
        : `<input type="range" name="${name}" min="${least}" max="${most}" value="${value}">`;
    return `<label>${name.replace("_", " ")} <b></b>${field}</label>`;
  };
  const root = host.attachShadow({ mode: "open" }); // from here on the plain table is hidden
  root.innerHTML = `<style>${STYLE}</style><div class="all">
    <div class="controls" role="group" aria-label="settings of the layer">${names.map(control).join("")}</div>
    <p><code></code></p>
    <div class="said">
      <p class="size"></p>
      <div aria-live="polite" aria-atomic="true"><p class="ours"></p><p class="keras"></p></div>
    </div>
    <p class="steps"><button>← previous</button> <button>next →</button>
      <small>or click a number of the output, or use the arrow keys there</small></p>
    <div class="grids"><div class="input"></div><div><div class="kernel"></div><div class="output"></div></div></div>
  </div>`;
  const part = (selector) => root.querySelector(selector);
  const fields = names.map((name) => part(`[name=${name}]`));
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
    if (hadFocus) part(".current button")?.focus();
  }

  function write(setting, worked, taps, r, c) {
    const [n, k, s, d, padding] = setting;
    const { across, refusal, output } = worked;
    const positions = across.before + n + across.after;
    const terms = taps.map((tap) => `<span class="term">${tap.weight}·${tap.value}</span>`).join(" + ");
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
      : `${name(r, c)} = ${terms} = <b>${output[r][c]}</b>`;
    part(".keras").textContent = `${said} ${verdict(answer, worked)}`;
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

for (const host of document.querySelectorAll(".convtour-explorer")) if (!host.shadowRoot) start(host);
