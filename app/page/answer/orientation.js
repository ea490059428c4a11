// How a picture is turned: browsers show it upright, while answers give positions in it as it is stored.

// The EXIF orientation that turns file `frame` of a picture upright, and its size as stored. Answers tell both of the
// first file.
export async function asStored({ answer, files }, frame) {
  if (!frame) return { turn: answer.image.orientation, size: answer.image };
  const turn = await orientationOf(files[frame]).catch(() => 1);
  return { turn, size: await storedSize(files[frame], turn) };
}

// EXIF orientation of a JPEG; 1 if it states none, and for other formats, whose orientation is not read here.
async function orientationOf(file) {
  const view = new DataView(await file.slice(0, 1 << 17).arrayBuffer());
  try {
    if (view.getUint16(0) !== 0xffd8) return 1;
    for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      if (view.getUint8(at + 1) !== 0xe1 || view.getUint32(at + 4) !== 0x45786966) continue;
      const tiff = at + 10;
      const little = view.getUint16(tiff) === 0x4949;
      const entries = tiff + view.getUint32(tiff + 4, little);
      for (let entry = 0; entry < view.getUint16(entries, little); entry += 1) {
        const tag = entries + 2 + 12 * entry;
        if (view.getUint16(tag, little) !== 0x0112) continue;
        const value = view.getUint16(tag + 8, little);
        return value >= 1 && value <= 8 ? value : 1;
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return 1;
}

// Maps a point of the stored `width` x `height` picture into the upright picture.
export function upright([x, y], turn, { width, height }) {
  return [
    [x, y], [width - x, y], [width - x, height - y], [x, height - y],
    [y, x], [height - y, x], [height - y, width - x], [y, width - x],
  ][turn - 1];
}

// Size of a picture as it is stored, if EXIF orientation `turn` turns it; browsers tell that of the upright one.
async function storedSize(file, turn) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    const { naturalWidth: width, naturalHeight: height } = image;
    return turn > 4 ? { width: height, height: width } : { width, height };
  } finally {
    URL.revokeObjectURL(image.src);
  }
}
