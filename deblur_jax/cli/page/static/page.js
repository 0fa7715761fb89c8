"use strict";

const element = (id) => document.getElementById(id);
const POLL = 300;  // milliseconds

let limits = { most_bytes: Infinity, most_pixels: Infinity, suffixes: [] };
let current = null;  // key of the current photo
let turn = 0;  // incremented for each photo, to ignore late answers for older ones

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error("deblur-page does not answer; is it still running?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function complain(words) {
  element("working").hidden = true;
  element("message").textContent = words;
  element("message").hidden = false;
}

function millions(number) {
  return Number((number / 1e6).toPrecision(3));
}

function inWords(seconds) {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} hours`;
  if (seconds >= 120) return `${Math.round(seconds / 60)} minutes`;
  return `${Math.max(Math.round(seconds), 1)} seconds`;
}

async function restore(file) {
  const mine = ++turn;
  forget();
  element("message").hidden = element("result").hidden = true;
  if (file.size > limits.most_bytes) {
    complain(`${file.name}: has ${millions(file.size)} million bytes, at most ` +
             `${millions(limits.most_bytes)} million are accepted; reduce it`);
    return;
  }
  show({ state: "arriving", says: "", ahead: 0, share: 0 }, file.name);
  try {
    const name = encodeURIComponent(file.name);
    const { key } = await ask(`photos?name=${name}`, { method: "POST", body: file });
    if (mine !== turn) {
      await ask(`photos/${key}`, { method: "DELETE" });
      return;
    }
    current = key;
    while (mine === turn) {
      const job = await ask(`photos/${key}`);
      if (mine !== turn) return;
      if (job.state === "failed") return complain(job.says);
      if (job.state === "done") return present(key, job);
      show(job, job.name);
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  } catch (error) {
    if (mine === turn) complain(error.message);
  }
}

function forget() {
  if (current !== null) fetch(`photos/${current}`, { method: "DELETE" }).catch(() => {});
  current = null;
}

function show(job, name) {
  const words = {
    arriving: "uploading",
    waiting: `waiting for ${job.ahead} other${job.ahead === 1 ? "" : "s"}`,
    working: job.says || "starting",
  }[job.state] ?? "";
  const left = job.seconds_left ? `, about ${inWords(job.seconds_left)} left` : "";
  element("says").textContent = `${name}: ${words}${left}`;
  if (job.share > 0) {
    element("progress").value = job.share;
  } else {
    element("progress").removeAttribute("value");
  }
  element("working").hidden = false;
}

function present(key, job) {
  element("working").hidden = true;
  for (const [id, file] of [["before", "before.jpg"], ["after", "after.jpg"], ["motion", "motion.png"]]) {
    element(id).src = `photos/${key}/${file}`;
  }
  element("verdict").textContent = job.trusted
    ? `${job.name}: ${job.verdict}`
    : `${job.name}: ${job.verdict}`;
  element("verdict").classList.toggle("doubtful", !job.trusted);
  element("description").textContent =
    `${job.width} x ${job.height} pixels, ${job.network}; ${job.description}.`;
  element("download").textContent = job.trusted ? "Download" : "Download anyway";
  element("download").dataset.address =
    `photos/${key}/download?${job.trusted ? "" : "force=yes&"}strength=`;
  element("slider").value = 50;
  element("strength").value = 1;
  slide();
  strengthen();
  element("result").hidden = false;
}

function slide() {
  element("compare").style.setProperty("--at", `${element("slider").value}%`);
}

function strengthen() {
  const strength = element("strength").value;
  element("amount").value = strength;
  element("compare").style.setProperty("--strength", strength);
  element("download").href = element("download").dataset.address + strength;
}

function drag(event) {
  if (event.type === "pointermove" && event.buttons === 0) return;
  const box = element("compare").getBoundingClientRect();
  element("slider").value = 100 * (event.clientX - box.left) / box.width;
  slide();
}

element("slider").addEventListener("input", slide);
element("strength").addEventListener("input", strengthen);
for (const kind of ["pointerdown", "pointermove"]) element("compare").addEventListener(kind, drag);

element("file").addEventListener("change", () => {
  const [file] = element("file").files;
  if (file) restore(file);
  element("file").value = "";  // so that the same file can be chosen again
});
element("stop").addEventListener("click", () => {
  turn += 1;
  forget();
  element("working").hidden = true;
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    element("drop").classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) restore(event.dataTransfer.files[0]);
  });
}

ask("limits").then((answer) => {
  limits = answer;
  element("file").accept = limits.suffixes.join(",");
  element("limits").textContent = `${limits.suffixes.map((suffix) => suffix.slice(1)).join(", ")}; ` +
    `up to ${millions(limits.most_bytes)} million bytes and ${millions(limits.most_pixels)} million pixels`;
}).catch((error) => complain(error.message));
