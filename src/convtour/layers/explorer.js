// What the explorers share. explorer.py puts this and one explorer's own script into a function, and adds the numbers.
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
  const sum = (terms) => rounded(terms.reduce((total, { weight, value }) => total + weight * value, 0));
  const output = refusal
    ? []
    : Array.from({ length: down.size }, (_, r) => Array.from({ length: across.size }, (_, c) => sum(taps(r, c))));
  return { across, down, rows, taps, refusal, output };
}

// Tenths are no binary fractions: this takes away what they leave behind in a sum.
const rounded = (number) => Math.round(number * 1e6) / 1e6;

// A number to read: a minus sign, three decimals at most.
const said = (number) => `${Math.round(number * 1e3) / 1e3}`.replace("-", "−");

// A weighted sum, written out.
function equation(taps) {
  const sign = (weight, at) => (weight < 0 ? (at ? "− " : "−") : at ? "+ " : "");
  return taps
    .map(({ weight, value }, at) => `<span class="term">${sign(weight, at)}${said(Math.abs(weight))}·${value}</span>`)
    .join(" ");
}

const STYLE = `
  :host { display: block; container-type: inline-size; max-width: 64rem; }
  * { box-sizing: border-box; }
  .all {
    --bg: var(--jp-layout-color0, var(--color-background-primary, Canvas));
    --fg: var(--jp-content-font-color0, var(--color-foreground-primary, CanvasText));
    --blue: #0072B2; --vermilion: #D55E00; --line: color-mix(in srgb, var(--fg) 45%, var(--bg));
    background: var(--bg); color: var(--fg); accent-color: var(--blue); padding: 8px;
    font: 15px/1.5 system-ui, sans-serif;
  }
  .controls, .row { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: flex-start; }
  .row { align-items: baseline; justify-content: space-between; margin: 8px 0; }
  label { flex: 1 1 92px; min-width: 0; white-space: nowrap; }
  input, select { display: block; width: 100%; height: 28px; margin: 0; }
  [type="range"] {
    appearance: none; background: linear-gradient(var(--line), var(--line)) center / 100% 4px no-repeat;
  }
  ::-webkit-slider-thumb { appearance: none; width: 16px; height: 16px; border-radius: 8px; background: var(--blue); }
  ::-moz-range-thumb { width: 16px; height: 16px; border: 0; border-radius: 8px; background: var(--blue); }
  select, button, input[type="number"] {
    font: inherit; color: inherit; background: var(--bg); border: 1px solid var(--line); border-radius: 4px;
  }
  .steps { white-space: nowrap; }
  .steps button { padding: 4px 8px; cursor: pointer; }
  :focus-visible { outline: 3px solid var(--fg); outline-offset: 2px; }
  p { margin: 4px 0; }
  code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
  small { font-size: 13px; }
  table { border-collapse: separate; border-spacing: 2px; }
  caption { text-align: left; font-weight: bold; width: 0; white-space: nowrap; }
  td {
    --cell: min(var(--largest, 38px), (var(--room, 100cqi)) / var(--columns) - 2px, 300px / var(--rows) - 2px);
    width: var(--cell); min-width: var(--cell); height: var(--cell);
    padding: 0; border: 1px solid var(--line); text-align: center;
    font-size: max(11px, var(--cell) * .42); line-height: 1; font-variant-numeric: tabular-nums;
  }
  td small { display: block; font-size: max(9px, var(--cell) * .3); }
  .tap {
    border: clamp(2px, var(--cell) * .08, 3px) solid var(--blue);
    background: color-mix(in srgb, var(--blue) 22%, var(--bg));
  }
  .term { white-space: nowrap; }
`;

// The columns from left to right of the rows from top to bottom, the ends left out; cell(row, column) makes a <td>.
function table(caption, [top, bottom], [left, right], cell) {
  let html = `<table style="--rows: ${bottom - top}; --columns: ${right - left}"><caption>${caption}</caption>`;
  for (let row = top; row < bottom; row++) {
    html += "<tr>";
    for (let column = left; column < right; column++) html += cell(row, column);
    html += "</tr>";
  }
  return `${html}</table>`;
}

const optionsOf = (names) => names.map((name) => `<option>${name}</option>`).join("");

// Puts the explorer in the place of the plain page, which is hidden from here on. Returns its numbers and its root.
function mount(host, style, html) {
  const data = JSON.parse(host.querySelector('script[type="application/json"]').textContent);
  const root = host.attachShadow({ mode: "open" });
  root.innerHTML = `<style>${STYLE}${style}</style><div class="all">${html(data)}</div>`;
  return [data, root];
}
