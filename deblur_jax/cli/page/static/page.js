// The page: a list of photos, the chosen one in the viewer, and a panel with its result.

import { makeList } from "./list.js";
import * as service from "./service.js";
import { makeTries } from "./tries.js";
import { makeViewer } from "./viewer.js";
import { brief, millions, verdict } from "./words.js";

const element = (id) => document.getElementById(id);
const POLL = 250;  // milliseconds
const PAUSE = 3000;  // milliseconds until a photo is sent again for which there was no room
const MOST_WAITING = 8;  // photos of this page that wait at the server; the others wait here
const SETTLED = ["done", "failed", "gone"];
const STORED = "deblur-photos";  // keys, for a page that is loaded again

let limits = { most_bytes: Infinity, most_pixels: Infinity, suffixes: [], methods: [] };
let photos = [];
let chosen = null;
let blurShown = false;

const list = makeList(element("photos"), { onChoose: choose, onRemove: remove });
const viewer = makeViewer(element("stage"), {
  onZoom: (zoom) => {
    for (const [id, value] of [["fit", null], ["hundred", 1], ["twohundred", 2]]) {
      element(id).ariaPressed = String(zoom === value);
    }
  },
  onPick: (...spot) => tries.at(spot),
});
const tries = makeTries(viewer, { onAgain: again, onChange: () => draw() });

const address = (photo, name) => `photos/${photo.key}/${name}?${photo.version}`;

function say(words) {
  element("news").textContent = words;
}

function complain(words) {
  element("message").textContent = words;
  element("message").hidden = !words;
}

function add(files) {
  complain("");
  const added = [...files].map((file) => ({
    file, key: null, name: file.name || "pasted photo", version: 0, strength: 100,
    job: { state: "queued", says: "", share: 0, seconds_left: null },
  }));
  for (const photo of added) {
    if (photo.file.size > limits.most_bytes) {
      photo.job.says = `${photo.name}: has ${millions(photo.file.size)} million bytes, at most ` +
        `${millions(limits.most_bytes)} million are accepted; reduce it`;
      photo.job.state = "failed";
    }
  }
  photos = photos.concat(added);
  if (added.length) choose(added[0]);
}

function choose(photo) {
  chosen = photo;
  blurShown = false;
  tries.choose(photo);
  draw();
}

function remove(photo) {
  if (photo.key !== null) service.remove(photo.key).catch(() => {});
  photo.removed = true;
  const place = photos.indexOf(photo);
  photos = photos.filter((other) => other !== photo);
  remember();
  say(`${photo.name} removed`);
  if (photo === chosen) choose(photos[Math.min(place, photos.length - 1)] ?? null);
  else draw();
}

async function again(photo, model) {
  try {
    await service.restore(photo.key, model);
    photo.job = { ...photo.job, state: "waiting", share: 0, seconds_left: null, ahead: 0, model };
    photo.version += 1;
    blurShown = false;
    say(`${photo.name}: restoring the whole photo once more`);
  } catch (error) {
    complain(error.message);
  }
  draw();
}

function remember() {
  sessionStorage.setItem(STORED, JSON.stringify(photos.map((photo) => photo.key).filter(Boolean)));
}

async function bringBack() {
  for (const key of JSON.parse(sessionStorage.getItem(STORED) ?? "[]")) {
    try {
      const job = await service.status(key);
      photos.push({ file: null, key, name: job.name, version: 0, strength: 100, job });
    } catch {
      // it is no longer kept
    }
  }
  if (photos.length) choose(photos[0]);
}

async function upload(photo) {
  photo.job.state = "arriving";
  draw();
  try {
    photo.key = (await service.upload(photo.file)).key;
    photo.file = null;
    if (photo.removed) await service.remove(photo.key);
    remember();
  } catch (error) {
    photo.job.state = error.status === 503 ? "queued" : "failed";
    photo.job.says = error.message;
    photo.again = Date.now() + PAUSE;
  }
}

async function refresh(photo) {
  const before = photo.job;
  try {
    photo.job = await service.status(photo.key);
  } catch (error) {
    if (error.status !== 404) throw error;
    photo.job = { ...before, state: "gone" };
  }
  const quarter = (job) => Math.floor(4 * job.share);
  if (photo.job.state !== before.state || (photo === chosen && quarter(photo.job) > quarter(before))) {
    say(`${photo.name}: ${SETTLED.includes(photo.job.state) ? verdict(photo).title : brief(photo)}`);
  }
  return photo.job.state !== before.state && SETTLED.includes(photo.job.state);
}

async function work() {  // uploads and asks for news, one request at a time
  let lost = false;
  for (;;) {
    try {
      const atServer = photos.filter((photo) => photo.key !== null && !SETTLED.includes(photo.job.state));
      const next = photos.find((photo) => photo.job.state === "queued" && !(photo.again > Date.now()));
      if (next && atServer.length < MOST_WAITING) await upload(next);
      let settled = false;
      for (const photo of atServer) {
        if (!photo.removed) settled = (await refresh(photo)) || settled;
      }
      if (settled) {  // an older result may have made room
        for (const photo of photos) {
          if (photo.key !== null && photo.job.state === "done") await refresh(photo);
        }
      }
      if (lost) complain("");
      lost = false;
    } catch (error) {
      complain(error.message);
      lost = true;
    }
    draw();
    const uploads = photos.some((photo) => photo.job.state === "queued");
    await new Promise((resolve) => setTimeout(resolve, uploads ? POLL / 4 : POLL));
  }
}

function draw() {
  document.body.classList.toggle("empty", photos.length === 0);
  list.draw(photos, chosen, (photo) => photo.job.width && photo.job.state !== "gone" ? address(photo, "before.jpg") : null);
  const keep = photos.filter((photo) => photo.job.state === "done" && photo.job.trusted);
  element("all").hidden = keep.length < 2;
  document.title = chosen?.job.state === "working" ? `${Math.floor(100 * chosen.job.share)} % · deblur` : "deblur";
  if (chosen) drawChosen(chosen);
}

function drawChosen(photo) {
  const { job } = photo;
  const done = job.state === "done";
  const gone = job.state === "gone" || !job.width;
  element("view").classList.toggle("nothing", gone);
  element("blank").textContent = SETTLED.includes(job.state) ? "No picture" : "Reading the photo";
  if (!gone) {
    viewer.show({
      name: photo.name, width: job.width, height: job.height,
      before: address(photo, blurShown ? "blur.jpg" : "before.jpg"),
      after: done && !blurShown ? address(photo, "after.jpg") : null,
      wholeBefore: job.whole && !blurShown ? address(photo, "whole-before.jpg") : null,
      wholeAfter: job.whole && done && !blurShown ? address(photo, "whole-after.jpg") : null,
      patch: done ? null : tries.patch(),
    });
    viewer.strengthen(photo.strength / 100);
  }
  for (const [id, on] of [["compare", !blurShown], ["blur", blurShown]]) {
    element(id).ariaPressed = String(on);
    element(id).disabled = !done || job.verdict.startsWith("no blur");
  }
  const shows = blurShown ? `Paths of points of light, enlarged ${job.enlarged} times` : "Drag to compare, double-click to zoom";
  element("hint").textContent = tries.hint() || (done ? shows : "");

  const { tone, title, words } = verdict(photo);
  element("status").dataset.tone = tone;
  element("title").textContent = title;
  element("words").textContent = words;
  const busy = !SETTLED.includes(job.state);
  element("progress").hidden = element("stop").hidden = !busy;
  if (job.share > 0) element("progress").value = job.share;
  else element("progress").removeAttribute("value");
  element("more").hidden = !done;
  if (done) element("description").textContent = `${job.width} × ${job.height} pixels, model ${job.network}: ${job.description}.`;

  element("keep").hidden = !done;
  if (done) {
    element("strength").value = photo.strength;
    element("amount").textContent = `${photo.strength} %`;
    element("download").textContent = job.trusted ? "Download" : "Download anyway";
    element("download").classList.toggle("primary", job.trusted);
    element("download").href = download(photo);
    element("lost").textContent = job.lost ? `Left out of the file: ${job.lost}.` : "";
  }
  tries.draw();
}

const download = (photo) =>
  `photos/${photo.key}/download?${photo.job.trusted ? "" : "force=yes&"}strength=${photo.strength / 100}`;

async function downloadAll() {
  for (const photo of photos.filter((other) => other.job.state === "done" && other.job.trusted)) {
    const link = document.createElement("a");
    link.href = download(photo);
    link.download = "";
    link.click();
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

element("strength").addEventListener("input", () => {
  chosen.strength = Number(element("strength").value);
  draw();
});
element("stop").addEventListener("click", () => remove(chosen));
element("all").addEventListener("click", downloadAll);
for (const [id, shown] of [["compare", false], ["blur", true]]) {
  element(id).addEventListener("click", () => {
    blurShown = shown;
    draw();
  });
}
for (const [id, zoom] of [["fit", null], ["hundred", 1], ["twohundred", 2]]) {
  element(id).addEventListener("click", () => viewer.zoomTo(zoom));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !chosen) return;
  const zoom = { 0: null, 1: 1, 2: 2 }[event.key];
  if (zoom !== undefined) viewer.zoomTo(zoom);
  if (event.key === "Escape") tries.stopPicking();
});

element("files").addEventListener("change", () => {
  add(element("files").files);
  element("files").value = "";  // so that the same file can be chosen again
});
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) add(event.clipboardData.files);
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    element("drop").hidden = kind === "drop" || (kind === "dragleave" && event.relatedTarget === null);
    if (kind === "drop" && event.dataTransfer.files.length) add(event.dataTransfer.files);
  });
}

try {
  limits = await service.limits();
  element("files").accept = limits.suffixes.join(",");
  const kinds = [...new Set(limits.suffixes.map((suffix) => suffix.slice(1).toUpperCase()))];
  element("limits").textContent = `${kinds.join(", ")}. Up to ${millions(limits.most_bytes)} MB ` +
    `and ${millions(limits.most_pixels)} megapixels each.`;
  tries.offer(limits.methods, limits.fast);
  await bringBack();
} catch (error) {
  complain(error.message);
}
work();
