// Of data: the query is image 0. Per level, neighbours of each of its segments
// are [image, segment, cosine].
const loaded = new Map();
let level = data.level, hover = -1, selected = -1, cursor = null, asked = 0;
let photo, labels, width, height, edges;  // of the query, at this level

function loadOnce(source) {
  if (!loaded.has(source)) loaded.set(source, load(source));
  return loaded.get(source);
}

// Photograph and labels, -1 = no segment, of an image at the level.
async function open(index) {
  const image = data.images[index];
  const [pixels, ids] = await Promise.all(
    [loadOnce(image.image), loadOnce(image.labels[level])]);
  return [pixels, decode(ids)];
}

// The segment in colours, the rest dark and grey; lines are pixels to whiten.
function draw(canvas, pixels, numbers, segment, lines = []) {
  [canvas.width, canvas.height] = [pixels.width, pixels.height];
  const out = new ImageData(
    new Uint8ClampedArray(pixels.data), pixels.width, pixels.height);
  const d = out.data;
  for (let p = 0, q = 0; segment >= 0 && p < numbers.length; p++, q += 4)
    if (numbers[p] !== segment)
      d[q] = d[q + 1] = d[q + 2] = (d[q] + d[q + 1] + d[q + 2]) / 6;
  for (const p of lines)
    for (let q = 4 * p; q < 4 * p + 3; q++) d[q] = .3 * d[q] + .7 * 255;
  canvas.getContext('2d').putImageData(out, 0, 0);
  if (segment >= 0) outline(canvas, numbers, segment, '#ffd60a');
}

// Inside of the image, also along its border.
function outline(canvas, numbers, segment, color) {
  const context = canvas.getContext('2d');
  const [w, h] = [canvas.width, canvas.height];
  const size = Math.max(2, Math.round(Math.max(w, h) / 300));
  context.fillStyle = color;
  for (let y = 0, p = 0; y < h; y++)
    for (let x = 0; x < w; x++, p++)
      if (numbers[p] === segment && (
          !x || !y || x === w - 1 || y === h - 1 ||
          numbers[p - 1] !== segment || numbers[p + 1] !== segment ||
          numbers[p - w] !== segment || numbers[p + w] !== segment))
        context.fillRect(Math.min(x, w - size), Math.min(y, h - size), size,
                         size);
}

function drawQuery() {
  const canvas = byId('query'), context = canvas.getContext('2d');
  draw(canvas, photo, labels, selected, edges);
  if (hover >= 0 && hover !== selected)
    outline(canvas, labels, hover, '#22d3ee');
  if (!cursor) return;
  const size = Math.max(2, Math.round(Math.max(width, height) / 150));
  context.strokeStyle = '#ff2d55';
  context.lineWidth = size;
  context.strokeRect(cursor[0] - 2 * size, cursor[1] - 2 * size, 4 * size,
                     4 * size);
}

async function setLevel(number) {
  level = Math.max(0, Math.min(data.levels.length - 1, number));
  byId('level').value = level;
  [photo, labels] = await open(0);
  ({width, height} = photo);
  edges = [];
  for (let p = 0; p < labels.length; p++)
    if (((p + 1) % width && labels[p] !== labels[p + 1]) ||
        (p + width < labels.length && labels[p] !== labels[p + width]))
      edges.push(p);
  hover = -1;
  await ask();
}

// Show the neighbours of the segment at the point that was last asked for.
async function ask(x, y) {
  if (x !== undefined) data.point = [x, y];
  selected = data.point ? labels[data.point[1] * width + data.point[0]] : -1;
  const near = selected >= 0 && data.levels[level].neighbors[selected];
  if (!near) selected = -1;
  drawQuery();
  const turn = ++asked;
  const items = await Promise.all((near || []).map(show));
  if (turn !== asked) return;  // Another click came first.
  byId('found').replaceChildren(...items);
  const body = document.body.dataset;
  [body.level, body.selected, body.neighbors] = [level, selected, items.length];
  const name = data.levels[level].name;
  const share = labels.reduce((n, s) => n + (s === selected), 0) /
    labels.length;
  byId('status').textContent = selected < 0 ?
    `${name}: click a segment of the image` :
    `${name}, a segment of ${(100 * share).toFixed(1)} % of the image: ` +
    `${items.length} nearest, cosines ${near[0][2].toFixed(2)} to ` +
    near[near.length - 1][2].toFixed(2);
}

async function show([index, segment, cosine]) {
  const item = document.createElement('li');
  const canvas = document.createElement('canvas');
  const text = document.createElement('p');
  text.className = 'quiet';
  text.textContent = `${cosine.toFixed(2)}  ${data.images[index].name}`;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `Segment of ${data.images[index].name}`);
  draw(canvas, ...await open(index), segment);
  item.append(canvas, text);
  return item;
}

function pixelAt(event) {
  const box = byId('query').getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) * width / box.width);
  const y = Math.floor((event.clientY - box.top) * height / box.height);
  return x >= 0 && y >= 0 && x < width && y < height ? [x, y] : null;
}

function listen() {
  const stage = byId('stage');
  stage.addEventListener('click', event => {
    const pixel = pixelAt(event);
    if (pixel) ask(...pixel);
  });
  stage.addEventListener('pointermove', event => {
    const pixel = pixelAt(event);
    const now = pixel ? labels[pixel[1] * width + pixel[0]] : -1;
    if (now === hover) return;
    hover = now;
    drawQuery();
  });
  stage.addEventListener('pointerleave', () => {
    hover = -1;
    drawQuery();
  });
  stage.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = Math.max(1, Math.round(width / 50));
    const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0],
                   ArrowUp: [0, -step], ArrowDown: [0, step]};
    const actions = {
      Enter: () => cursor && ask(...cursor),
      '[': () => setLevel(level - 1), ']': () => setLevel(level + 1)};
    if (moves[event.key]) {
      const [dx, dy] = moves[event.key];
      cursor = cursor || [width >> 1, height >> 1];
      cursor = [Math.max(0, Math.min(width - 1, cursor[0] + dx)),
                Math.max(0, Math.min(height - 1, cursor[1] + dy))];
      drawQuery();
    } else if (actions[event.key]) actions[event.key]();
    else return;
    event.preventDefault();
  });
  byId('level').addEventListener(
    'change', event => setLevel(Number(event.target.value)));
}

async function start() {
  document.title = byId('name').textContent = data.images[0].name;
  data.levels.forEach((one, i) => {
    const option = document.createElement('option');
    [option.value, option.textContent] = [i, one.name];
    byId('level').append(option);
  });
  await setLevel(level);
  listen();
}

start().catch(error => byId('status').textContent = String(error));
