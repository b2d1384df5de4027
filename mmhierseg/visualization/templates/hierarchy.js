// Superpixels are numbered 0..n-1. Merge i of the tree makes node n + i; with k
// segments, the nodes below n + (n - k) exist.
const n = data.superpixels, numNodes = 2 * n - 1;
const parent = new Int32Array(numNodes).fill(numNodes);
data.merges.forEach((pair, i) => pair.forEach(node => parent[node] = n + i));
const segmentOf = new Int32Array(numNodes);  // node -> its segment
const [paint, marks] = [byId('paint'), byId('marks')];
let width, height, labels, photo, colors, means, areas, edges, painted;
// Pixels of superpixel s: pixels[first[s]] to before pixels[first[s + 1]].
let pixels, first, shown, style;
let k = 1, hover = -1, cursor = null, selection = [];  // lists of nodes
let zoom = 1, left = 0, top_ = 0;

async function start() {
  const [image, ids] = await Promise.all([load(data.image), load(data.labels)]);
  ({width, height} = image);
  photo = image.data;
  labels = decode(ids);
  sortPixels();
  findEdges();
  averageColors();
  colors = Uint8Array.from(data.colors.flat());
  for (const canvas of [paint, marks])
    [canvas.width, canvas.height] = [width, height];
  painted = new ImageData(width, height);
  byId('name').textContent = document.title = data.name || 'Segments';
  byId('segments').max = n;
  listen();
  fit();
  setSegments(Math.min(data.start, n));
}

function sortPixels() {
  first = new Int32Array(n + 1);
  for (const s of labels) if (s >= 0) first[s + 1]++;
  for (let s = 0; s < n; s++) first[s + 1] += first[s];
  const next = first.slice();
  pixels = new Int32Array(first[n]);
  for (let p = 0; p < labels.length; p++)
    if (labels[p] >= 0) pixels[next[labels[p]]++] = p;
}

function findEdges() {
  const found = [];
  for (let y = 0, p = 0; y < height; y++)
    for (let x = 0; x < width; x++, p++) {
      if (x + 1 < width && labels[p] !== labels[p + 1]) found.push(p, p + 1);
      if (y + 1 < height && labels[p] !== labels[p + width])
        found.push(p, p + width);
    }
  edges = Int32Array.from(found);
}

function averageColors() {
  areas = new Float64Array(numNodes);
  const sums = new Float64Array(3 * numNodes);
  for (let p = 0; p < labels.length; p++) {
    const s = labels[p];
    if (s < 0) continue;
    areas[s]++;
    for (let c = 0; c < 3; c++) sums[3 * s + c] += photo[4 * p + c];
  }
  for (let i = 0; i < numNodes - 1; i++) {
    areas[parent[i]] += areas[i];
    for (let c = 0; c < 3; c++) sums[3 * parent[i] + c] += sums[3 * i + c];
  }
  means = Uint8Array.from(sums, (sum, i) => sum / areas[i / 3 | 0]);
}

function setSegments(number) {
  k = Math.max(1, Math.min(n, number));
  const limit = 2 * n - k;
  for (let i = numNodes - 1; i >= 0; i--)
    segmentOf[i] = parent[i] < limit ? segmentOf[parent[i]] : i;
  byId('segments').value = k;
  byId('count').textContent = k;
  document.body.dataset.segments = k;
  hover = -1;
  draw();
  drawMarks();
  announce();
}

function draw() {
  const mode = byId('mode').value, out = painted.data;
  const alpha = mode === 'none' ? 0 :
    Math.max(0, Math.min(100, byId('opacity').value || 0)) / 100;
  const table = mode === 'mean' ? means : colors;
  // Superpixels that stay in their segment stay as they are.
  let [x0, y0, x1, y1] = [width, height, -1, -1];
  if (style !== `${mode} ${alpha}`) {
    out.set(photo);
    shown = new Int32Array(n).fill(-1);
    style = `${mode} ${alpha}`;
    [x0, y0, x1, y1] = [0, 0, width - 1, height - 1];
  }
  const rest = 1 - alpha;
  for (let s = 0; s < n; s++) {
    const segment = segmentOf[s];
    if (segment === shown[s]) continue;
    shown[s] = segment;
    const [r, g, b] = [0, 1, 2].map(c => alpha * table[3 * segment + c]);
    for (let i = first[s]; i < first[s + 1]; i++) {
      const p = pixels[i], q = 4 * p, x = p % width, y = (p - x) / width;
      out[q] = rest * photo[q] + r;
      out[q + 1] = rest * photo[q + 1] + g;
      out[q + 2] = rest * photo[q + 2] + b;
      if (x < x0) x0 = x;
      if (x > x1) x1 = x;
      if (y < y0) y0 = y;
      if (y > y1) y1 = y;
    }
  }
  for (let e = 0; e < edges.length; e += 2) {
    const a = labels[edges[e]], b = labels[edges[e + 1]];
    if ((a < 0 ? -1 : segmentOf[a]) === (b < 0 ? -1 : segmentOf[b])) continue;
    out.fill(255, 4 * edges[e], 4 * edges[e] + 3);
  }
  if (x1 >= x0)
    paint.getContext('2d').putImageData(
      painted, 0, 0, x0, y0, x1 - x0 + 1, y1 - y0 + 1);
}

// Whether each superpixel belongs to a node.
function members(nodes) {
  const inside = new Uint8Array(numNodes + 1);
  for (const node of nodes) inside[node] = 1;
  for (let i = numNodes - 1; i >= 0; i--)
    if (inside[parent[i]]) inside[i] = 1;
  return inside;
}

function chosen() { return selection.map(path => path[path.length - 1]); }

function outline(context, nodes, color, size) {
  if (!nodes.length) return;
  const inside = members(nodes);
  context.fillStyle = color;
  for (let e = 0; e < edges.length; e += 2) {
    const a = labels[edges[e]], b = labels[edges[e + 1]];
    if ((a >= 0 && inside[a]) === (b >= 0 && inside[b])) continue;
    const p = edges[e];
    context.fillRect(p % width - size / 2 + 1, (p / width | 0) - size / 2 + 1,
                     size, size);
  }
  // The frame of what touches the border.
  for (let x = 0; x < width; x++)
    for (const y of [0, height - 1]) {
      const s = labels[y * width + x];
      if (s >= 0 && inside[s])
        context.fillRect(x, y ? height - size : 0, 1, size);
    }
  for (let y = 0; y < height; y++)
    for (const x of [0, width - 1]) {
      const s = labels[y * width + x];
      if (s >= 0 && inside[s])
        context.fillRect(x ? width - size : 0, y, size, 1);
    }
}

function drawMarks() {
  const context = marks.getContext('2d');
  context.clearRect(0, 0, width, height);
  const size = Math.max(2, Math.round(Math.max(width, height) / 300));
  outline(context, chosen(), '#000', size + 2);
  outline(context, chosen(), '#ffd60a', size);
  if (hover >= 0) outline(context, [hover], '#22d3ee', size);
  if (cursor) {
    context.strokeStyle = '#ff2d55';
    context.lineWidth = size;
    context.strokeRect(cursor[0] - 3 * size, cursor[1] - 3 * size, 6 * size,
                       6 * size);
  }
}

function announce() {
  const nodes = chosen();
  document.body.dataset.selected = nodes.length;
  const share = nodes.reduce((sum, i) => sum + areas[i], 0) /
    areas[numNodes - 1];
  byId('status').textContent = `${k} segment${k > 1 ? 's' : ''}, ` +
    `${nodes.length} selected` +
    (nodes.length ? ` (${(100 * share).toFixed(1)} % of the image)` : '');
  byId('save-mask').disabled = byId('clear').disabled = !nodes.length;
  const list = byId('path');
  list.replaceChildren();
  const path = selection[selection.length - 1] || [];
  path.forEach((node, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent =
      `${(100 * areas[node] / areas[numNodes - 1]).toFixed(1)} %`;
    if (i === path.length - 1) button.setAttribute('aria-current', 'true');
    button.addEventListener('click', () => {
      path.length = i + 1;
      drawMarks();
      announce();
    });
    const item = document.createElement('li');
    item.append(button);
    list.append(item);
  });
}

function select(x, y, add) {
  const s = labels[y * width + x];
  if (s === undefined || s < 0) return;
  const node = segmentOf[s];
  const inside = selection.find(path => members([path[path.length - 1]])[s]);
  if (inside) {
    const next = parent[inside[inside.length - 1]];
    if (next < numNodes) inside.push(next);
    // What is part of it now is not selected twice.
    const all = members([inside[inside.length - 1]]);
    selection = selection.filter(
      path => path === inside || !all[path[path.length - 1]]);
    selection.push(...selection.splice(selection.indexOf(inside), 1));
  } else {
    if (!add && !byId('several').checked) selection = [];
    const all = members([node]);
    selection = selection.filter(path => !all[path[path.length - 1]]);
    selection.push([node]);
  }
  drawMarks();
  announce();
}

function back() {
  const path = selection[selection.length - 1];
  if (!path) return;
  path.pop();
  if (!path.length) selection.pop();
  drawMarks();
  announce();
}

function clear() {
  selection = [];
  drawMarks();
  announce();
}

// ------------------------------------------------------------------ view

function place() {
  byId('view').style.transform =
    `translate(${left}px, ${top_}px) scale(${zoom})`;
  byId('view').classList.toggle('sharp', zoom > 2);
}

function fit() {
  const stage = byId('stage');
  zoom = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  left = (stage.clientWidth - zoom * width) / 2;
  top_ = (stage.clientHeight - zoom * height) / 2;
  place();
}

function zoomAt(factor, x, y) {
  const next = Math.max(.02, Math.min(40, zoom * factor));
  left = x - (x - left) * next / zoom;
  top_ = y - (y - top_) * next / zoom;
  zoom = next;
  place();
}

function zoomCentre(factor) {
  zoomAt(factor, byId('stage').clientWidth / 2, byId('stage').clientHeight / 2);
}

function pixelAt(event) {
  const box = byId('stage').getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left - left) / zoom);
  const y = Math.floor((event.clientY - box.top - top_) / zoom);
  return x >= 0 && y >= 0 && x < width && y < height ? [x, y] : null;
}

// ------------------------------------------------------------- downloads

function offer(blob, suffix) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `${(data.name || 'image').replace(/[^\w.-]+/g, '_')}${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// Of the original's size, by nearest neighbours.
function maskOf(node) {
  const inside = members([node]);
  const [h, w] = data.size;
  const mask = new Uint8Array(h * w);
  for (let y = 0; y < h; y++) {
    const row = Math.floor((y + .5) * height / h) * width;
    for (let x = 0; x < w; x++) {
      const s = labels[row + Math.floor((x + .5) * width / w)];
      mask[y * w + x] = s >= 0 && inside[s];
    }
  }
  return mask;
}

function saveMask() {
  const [h, w] = data.size;
  const image = new ImageData(w, h);
  chosen().forEach(node => maskOf(node).forEach((value, p) => {
    if (value) image.data.fill(255, 4 * p, 4 * p + 3);
  }));
  for (let p = 3; p < image.data.length; p += 4) image.data[p] = 255;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [w, h];
  canvas.getContext('2d').putImageData(image, 0, 0);
  canvas.toBlob(blob => offer(blob, '_mask.png'));
}

function annotation(node, i) {
  const [h, w] = data.size, mask = maskOf(node), counts = [];
  let value = 0, run = 0, area = 0, box = [w, h, -1, -1];
  for (let x = 0; x < w; x++)
    for (let y = 0; y < h; y++) {
      const now = mask[y * w + x];
      if (now !== value) {
        counts.push(run);
        [value, run] = [now, 0];
      }
      run++;
      if (now) {
        area++;
        box = [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x),
               Math.max(box[3], y)];
      }
    }
  counts.push(run);
  return {
    id: i + 1, image_id: 1, category_id: 1, iscrowd: 0, area,
    bbox: [box[0], box[1], box[2] - box[0] + 1, box[3] - box[1] + 1],
    segmentation: {size: [h, w], counts}};
}

function saveCoco() {
  const nodes = selection.length ? chosen() :
    [...new Set(segmentOf.subarray(0, n))];
  const [h, w] = data.size;
  const content = {
    images: [{id: 1, file_name: data.name, height: h, width: w}],
    categories: [{id: 1, name: 'segment'}],
    annotations: nodes.map(annotation)};
  offer(new Blob([JSON.stringify(content)], {type: 'application/json'}),
        '_coco.json');
}

// ---------------------------------------------------------------- events

function listen() {
  const on = (id, event, call) => byId(id).addEventListener(event, call);
  on('segments', 'input', event => setSegments(Number(event.target.value)));
  on('mode', 'change', draw);
  on('opacity', 'input', draw);
  on('clear', 'click', clear);
  on('fit', 'click', fit);
  on('closer', 'click', () => zoomCentre(1.5));
  on('farther', 'click', () => zoomCentre(1 / 1.5));
  on('save-mask', 'click', saveMask);
  on('save-coco', 'click', saveCoco);
  addEventListener('resize', fit);
  listenToPointers();
  on('stage', 'keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key, step = Math.max(1, Math.round(width / 50));
    const moves = {ArrowLeft: [-step, 0], ArrowRight: [step, 0],
                   ArrowUp: [0, -step], ArrowDown: [0, step]};
    const actions = {
      Enter: () => cursor && select(...cursor, event.shiftKey),
      Backspace: back, Escape: clear,
      '+': () => zoomCentre(1.5), '-': () => zoomCentre(1 / 1.5),
      '[': () => setSegments(k - 1), ']': () => setSegments(k + 1)};
    if (moves[key]) {
      cursor = cursor || [width >> 1, height >> 1];
      cursor = [Math.max(0, Math.min(width - 1, cursor[0] + moves[key][0])),
                Math.max(0, Math.min(height - 1, cursor[1] + moves[key][1]))];
      drawMarks();
    } else if (actions[key]) actions[key]();
    else return;
    event.preventDefault();
  });
}

function listenToPointers() {
  const stage = byId('stage'), down = new Map();
  let moved = 0, pinched = false;
  stage.addEventListener('wheel', event => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoomAt(Math.exp(-event.deltaY / 400), event.clientX - box.left,
           event.clientY - box.top);
  }, {passive: false});
  stage.addEventListener('pointerdown', event => {
    if (!down.size) [moved, pinched] = [0, false];
    down.set(event.pointerId, [event.clientX, event.clientY]);
    pinched = pinched || down.size > 1;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener('pointermove', event => {
    const before = down.get(event.pointerId);
    const now = [event.clientX, event.clientY];
    if (!before) {
      const pixel = pixelAt(event), s = pixel ?
        labels[pixel[1] * width + pixel[0]] : -1;
      const node = s >= 0 ? segmentOf[s] : -1;
      if (node !== hover) {
        hover = node;
        drawMarks();
      }
      return;
    }
    if (down.size === 2) {
      const [other] = [...down].filter(([id]) => id !== event.pointerId);
      const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      const box = stage.getBoundingClientRect();
      zoomAt(distance(now, other[1]) / distance(before, other[1]),
             (now[0] + other[1][0]) / 2 - box.left,
             (now[1] + other[1][1]) / 2 - box.top);
    }
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (moved > 6 || pinched) {
      left += (now[0] - before[0]) / down.size;
      top_ += (now[1] - before[1]) / down.size;
      place();
    }
    down.set(event.pointerId, now);
  });
  const up = event => {
    if (!down.delete(event.pointerId) || event.type !== 'pointerup') return;
    const pixel = pixelAt(event);
    if (moved <= 6 && !pinched && pixel) select(...pixel, event.shiftKey);
  };
  stage.addEventListener('pointerup', up);
  stage.addEventListener('pointercancel', up);
  stage.addEventListener('pointerleave', () => {
    hover = -1;
    drawMarks();
  });
}

start().catch(error => byId('status').textContent = String(error));
