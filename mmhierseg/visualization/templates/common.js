'use strict';
// What the pages have in common; their own script follows.
const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

function load(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [image.width, image.height];
      const context = canvas.getContext('2d', {willReadFrequently: true});
      context.drawImage(image, 0, 0);
      resolve(context.getImageData(0, 0, image.width, image.height));
    };
    image.onerror = () => reject(new Error('an image cannot be read'));
    image.src = source;
  });
}

// Segments of the pixels of a picture of labels; -1 = none.
function decode(ids) {
  const labels = new Int32Array(ids.width * ids.height);
  for (let p = 0; p < labels.length; p++)
    labels[p] = ids.data[4 * p] + 256 * ids.data[4 * p + 1] +
      65536 * ids.data[4 * p + 2] - 1;
  return labels;
}
