// The page "Draw a digit": a square to draw on and the network's answer, and, where the page has a place for them, what
// the network sees and its kernels with their maps. All that is worked out is worked out in network.js.
//
// A place is an element <div class="convtour-digit" data-part="pad"> (or data-part="maps"): see site/_includes/pad.html.

(() => {
  "use strict";

  const { bytesOf, define, prepare } = globalThis.convtourDigit ?? {};
  const [PAD, SIDE, MAP] = [280, 28, 26]; // pixels along a side: of the square, of what is read, of a map
  const PEN = 24; // of the square's pixels; at the size most people draw, strokes come out as wide as MNIST's
  const PAUSE = 1000; // milliseconds without a change, until the answer is read out
  const FIRST = 3; // the digit shown at first, so that there is something to see
  const WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
  const [BLUE, VERMILION] = [[0, 114, 178], [213, 94, 0]];

  const PAD_PAGE = `
    <div class="top">
      <div class="paper">
        <canvas class="square" width="${PAD}" height="${PAD}" role="img"
          aria-label="A square to draw a digit on, with mouse, finger or pen. By keyboard, choose a digit below."></canvas>
        <p class="row"><button type="button" class="clear">Clear</button> <span class="hint"></span></p>
      </div>
      <div class="answer">
        <p class="said" aria-hidden="true"></p>
        <p class="heard" role="status" aria-live="polite"></p>
        <table><caption>How sure it is of each digit</caption><tbody>${WORDS.map(
          (_, digit) => `<tr><th scope="row">${digit}</th><td><div class="bar"></div></td><td class="share">–</td></tr>`,
        ).join("")}</tbody></table>
      </div>
    </div>
    <fieldset class="samples"><legend>Or choose a digit that somebody else wrote (with the arrow keys, too)</legend>
      <div class="choices"></div></fieldset>
    <p class="about"></p>`;

  const nine = [0, 1, 2];
  const MAPS_PAGE = `
    <div class="look">
      <figure><div class="frame"><canvas class="seen" role="img"></canvas><span class="mark"></span></div>
        <figcaption>28×28: all it gets to see</figcaption></figure>
      <div class="sum">
        <table><caption></caption><tbody>${nine
          .map(() => `<tr>${nine.map(() => "<td><b></b><span></span></td>").join("")}</tr>`)
          .join("")}</tbody></table>
        <p class="words"></p>
      </div>
    </div>
    <fieldset class="maps"><legend>Choose a kernel with its map, by click or with the arrow keys</legend>
      <div class="choices"></div></fieldset>
    <p class="scale"></p>`;

  // A number to read, with two decimals and a minus sign.
  const said = (number) => (Math.round(100 * number) / 100 || 0).toFixed(2).replace("-", "−");

  // 99.96 % is not certain: what rounds to all or nothing is said to be near it.
  function percent(share) {
    const whole = Math.round(100 * share);
    return whole === 100 ? "over 99 %" : whole === 0 ? "under 1 %" : `${whole} %`;
  }

  function sentence(probabilities) {
    const [first, second] = WORDS.map((_, digit) => digit).sort((a, b) => probabilities[b] - probabilities[a]);
    const each = (digit) => `${WORDS[digit]}, ${percent(probabilities[digit])}`;
    const start = probabilities[first] < 0.6 ? "It hesitates" : "It reads";
    // A second guess that is next to nothing is none.
    return [`${start}: ${each(first)}.`, probabilities[second] < 0.005 ? "" : `Second guess: ${each(second)}.`];
  }

  // Numbers from 0 to 1 as more or less of a colour, on whatever is behind the canvas.
  function paint(canvas, side, values, colours) {
    [canvas.width, canvas.height] = [side, side];
    const image = new ImageData(side, side);
    values.forEach((value, at) => image.data.set([...colours[value < 0 ? 1 : 0], 255 * Math.abs(value)], 4 * at));
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  const [padHost, mapsHost] = ["pad", "maps"].map((part) =>
    document.querySelector(`.convtour-digit[data-part="${part}"]`),
  );
  if (!padHost) return;
  const model = globalThis.convtourDigitModel;
  if (!define || !model) {
    padHost.append("The network's files did not load, so nothing can be drawn here. Load the page again.");
    return;
  }

  const { read, kernels, biases, filters } = define(model);
  padHost.insertAdjacentHTML("beforeend", PAD_PAGE);
  mapsHost?.insertAdjacentHTML("beforeend", MAPS_PAGE);
  const part = (selector) => padHost.querySelector(selector);
  const mapsPart = (selector) => mapsHost.querySelector(selector);
  const square = part(".square");
  const pen = square.getContext("2d", { willReadFrequently: true });

  let strokes = []; // of the reader's drawing, each a list of points
  let sample; // the digit that was chosen in place of a drawing: 28×28 numbers
  let drawing = false; // whether a pointer is down
  let frame; // the next picture is asked for, but not shown yet
  let timer; // until the answer is read out
  let seen; // what the network was shown, or null
  let answer; // what it made of it
  let filter = 0; // the kernel that is chosen

  const ink = () => getComputedStyle(padHost).color.match(/[\d.]+/g).slice(0, 3).map(Number);

  // ---- The square.

  function line(points) {
    const colour = `rgb(${ink()})`;
    Object.assign(pen, { lineWidth: PEN, lineCap: "round", lineJoin: "round", strokeStyle: colour });
    pen.beginPath();
    pen.moveTo(...points[0]);
    for (const point of points) pen.lineTo(...point); // to the first one, too: a tap leaves a dot
    pen.stroke();
  }

  function drawSquare() {
    pen.clearRect(0, 0, PAD, PAD);
    strokes.forEach(line);
    if (!sample) return;
    const small = document.createElement("canvas");
    paint(small, SIDE, sample, [ink()]);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, PAD, PAD);
  }

  function drawn() {
    const pixels = pen.getImageData(0, 0, PAD, PAD).data;
    // The colour is the page's; how much of a pixel is covered is its fourth number.
    return { ink: Float32Array.from({ length: PAD * PAD }, (_, at) => pixels[4 * at + 3] / 255), width: PAD, height: PAD };
  }

  function forget() {
    [strokes, sample] = [[], undefined];
    for (const choice of padHost.querySelectorAll(".samples input")) choice.checked = false;
    drawSquare();
  }

  // ---- The answer.

  // At most once for each picture that the screen shows, however many points a fast pen leaves.
  function changed() {
    clearTimeout(timer);
    if (!drawing) timer = setTimeout(() => announce(part(".said").textContent), PAUSE);
    frame ??= requestAnimationFrame(() => {
      frame = undefined;
      seen = sample ?? prepare(drawn());
      answer = seen && read(seen);
      show();
    });
  }

  const announce = (words) => (part(".heard").textContent = words);

  function show() {
    const shares = answer?.probabilities;
    const best = shares ? shares.indexOf(Math.max(...shares)) : -1;
    padHost.querySelectorAll(".answer tr").forEach((row, digit) => {
      row.classList.toggle("best", digit === best);
      row.querySelector(".bar").style.width = `${100 * (shares?.[digit] ?? 0)}%`;
      row.querySelector(".share").textContent = shares ? `${(100 * shares[digit]).toFixed(1)} %` : "–";
    });
    const waiting = strokes.length ? "Draw on: a dot is no digit." : "Draw a digit, or choose one.";
    const [first, second] = shares ? sentence(shares) : [waiting, ""];
    part(".said").replaceChildren(Object.assign(document.createElement("b"), { textContent: first }), ` ${second}`);
    part(".hint").textContent = sample ? "Draw your own over it." : strokes.length ? "" : "Draw here, large.";
    if (mapsHost) showMaps();
  }

  // ---- What it sees, and the maps.

  const mapOf = (numbers, at) => Float32Array.from({ length: MAP * MAP }, (_, place) => numbers[place * filters + at]);

  function showMaps() {
    const colour = [ink()];
    paint(mapsPart(".seen"), SIDE, seen ?? new Float32Array(SIDE * SIDE), colour);
    mapsPart(".seen").setAttribute("aria-label", seen ? "What the network sees" : "What the network sees: nothing yet");
    const highest = answer ? answer.maps.reduce((left, right) => Math.max(left, right)) : 1;
    mapsHost.querySelectorAll(".map").forEach((canvas, at) => {
      const map = answer ? mapOf(answer.maps, at) : new Float32Array(MAP * MAP);
      paint(canvas, MAP, map.map((value) => value / highest), colour);
    });
    mapsPart(".scale").textContent =
      "Kernels: orange is a positive weight, blue a negative one; fainter is nearer to 0. Maps: more ink is a higher " +
      (answer ? `number, up to ${said(highest)}; one scale for all.` : "number; one scale for all.");
    showSum();
  }

  // The strongest unit of the chosen map: which nine pixels it reads, and what it makes of them.
  function showSum() {
    const marks = mapsHost.querySelectorAll(".mark");
    for (const mark of marks) mark.hidden = true;
    const table = mapsPart(".sum table");
    if (!answer) {
      table.hidden = true;
      mapsPart(".words").textContent = "There is nothing to add up yet.";
      return;
    }
    table.hidden = false;
    const sums = mapOf(answer.sums, filter);
    const place = sums.indexOf(Math.max(...sums));
    const [row, column] = [Math.floor(place / MAP), place % MAP];
    put(mapsPart(".frame .mark"), row, column, 3, SIDE);
    put(mapsHost.querySelectorAll(".maps .mark")[filter], row, column, 1, MAP);
    let products = 0;
    table.querySelectorAll("td").forEach((cell, at) => {
      const weight = kernels[at * filters + filter];
      const pixel = seen[(row + Math.floor(at / 3)) * SIDE + column + (at % 3)];
      products += weight * pixel;
      cell.querySelector("b").textContent = said(weight);
      cell.querySelector("span").textContent = `× ${said(pixel)}`;
    });
    mapsPart(".sum caption").textContent = `Kernel ${filter}: weight × pixel, rounded`;
    mapsPart(".words").textContent = words(row, column, products, sums[place]);
  }

  function words(row, column, products, sum) {
    const rows = `rows ${row} to ${row + 2} and columns ${column} to ${column + 2}`;
    const start =
      `Kernel ${filter} is strongest at row ${row}, column ${column} of its map. There it reads ${rows} of the picture. ` +
      `The nine products add up to ${said(products)}; with the bias of ${said(biases[filter])} that is ${said(sum)}.`;
    if (sum > 0) return `${start} It is above 0, so relu leaves it as it is.`;
    return `${start} Not above 0, and no other sum is higher: relu makes 0 of all, and the map is empty.`;
  }

  // A frame around so many pixels of a picture.
  function put(mark, row, column, length, side) {
    const share = (pixels) => `${(100 * pixels) / side}%`;
    Object.assign(mark.style, { top: share(row), left: share(column), width: share(length), height: share(length) });
    mark.hidden = false;
  }

  // ---- Choices: radio buttons, as the browser lets arrow keys move among them.

  function choices(fieldset, name, labels, choose) {
    for (const [at, html] of labels.entries()) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="${name}" value="${at}" autocomplete="off">${html}`;
      fieldset.append(label);
    }
    fieldset.addEventListener("change", (event) => choose(Number(event.target.value)));
  }

  const samples = model.samples.map(({ digit, pixels }) => ({
    digit,
    image: Float32Array.from(bytesOf(pixels), (grey) => grey / 255),
  }));
  // Each digit once, then each once more: a column for each.
  const order = [0, 1].flatMap((turn) => WORDS.map((_, digit) => samples.filter((each) => each.digit === digit)[turn]));

  function chooseSample(at) {
    const chosen = order[at];
    forget();
    part(".samples").querySelectorAll("input")[at].checked = true;
    sample = chosen.image;
    drawSquare();
    changed();
  }

  choices(
    part(".samples .choices"),
    "convtour-sample",
    order.map(({ digit }, at) => `<canvas role="img" aria-label="a ${digit}, written by ${at < 10 ? "one" : "another"} hand"></canvas>`),
    chooseSample,
  );

  function paintSamples() {
    const colour = [ink()];
    padHost.querySelectorAll(".samples canvas").forEach((canvas, at) => paint(canvas, SIDE, order[at].image, colour));
  }

  if (mapsHost) {
    const canvas = `<span class="frame"><canvas class="map"></canvas><span class="mark" hidden></span></span>`;
    const labels = Array.from(biases, (_, at) => `<span class="name">${at}</span><canvas class="kernel"></canvas>${canvas}`);
    choices(mapsPart(".maps .choices"), "convtour-map", labels, (at) => {
      filter = at;
      showSum();
      announce(mapsPart(".words").textContent);
    });
    const strongest = Math.max(...kernels.map(Math.abs));
    mapsHost.querySelectorAll(".kernel").forEach((each, at) => {
      const weights = Array.from({ length: 9 }, (_, tap) => kernels[tap * filters + at] / strongest);
      paint(each, 3, weights, [VERMILION, BLUE]);
    });
    mapsHost.querySelectorAll("input").forEach((each, at) => each.setAttribute("aria-label", `kernel ${at}`));
    mapsPart("input").checked = true;
  }

  // ---- Drawing.

  function place({ offsetX, offsetY }) {
    const scale = PAD / square.clientWidth;
    return [offsetX * scale, offsetY * scale];
  }

  square.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return;
    event.preventDefault();
    if (sample) forget();
    square.setPointerCapture(event.pointerId);
    drawing = true;
    strokes.push([place(event)]);
    line(strokes.at(-1));
    changed();
  });
  square.addEventListener("pointermove", (event) => {
    if (!drawing || !event.isPrimary) return;
    const stroke = strokes.at(-1);
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) stroke.push(place(each));
    line(stroke.slice(-passed.length - 2));
    changed();
  });
  for (const end of ["pointerup", "pointercancel"])
    square.addEventListener(end, (event) => {
      if (!event.isPrimary) return;
      drawing = false;
      changed();
    });
  part(".clear").addEventListener("click", () => {
    forget();
    changed();
  });

  // ---- The page's colours may change at any time, by its button or by the system.

  function repaint() {
    drawSquare();
    paintSamples();
    show();
  }
  new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

  const { trained_on: trained, epochs, tested_on: tested, accuracy } = model.about;
  part(".about").textContent =
    `Behind it is the network of notebook 06, trained on ${trained.toLocaleString("en")} digits of MNIST for ${epochs} ` +
    `epochs; the twenty above were kept from it. Of ${tested.toLocaleString("en")} test digits it reads ` +
    `${(100 * accuracy.float16).toFixed(1)} %.`;
  paintSamples();
  chooseSample(FIRST);
  clearTimeout(timer); // nobody has asked yet: the first answer is not read out
})();
