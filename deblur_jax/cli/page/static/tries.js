// A part of the photo is restored first, with any of the methods.

import * as service from "./service.js";
import { makeViewer } from "./viewer.js";
import { verdict } from "./words.js";

const element = (id) => document.getElementById(id);

export function makeTries(viewer, { onAgain, onChange }) {
  const loupe = makeViewer(element("loupe"), { most: 1 });
  const titles = new Map();  // by model
  let photo = null;
  let model = "";
  let turn = 0;  // incremented for each try, to ignore late answers for older ones
  let running = false;
  let picking = false;
  let waited = null;  // whether the photo waited when it was drawn last

  const state = () => {  // what was tried of the photo: its place, and the parts by model
    photo.tried ??= { spot: null, parts: new Map() };
    return photo.tried;
  };
  const part = () => state().parts.get(model);
  const idle = () => ["waiting", "working"].includes(photo.job.state);

  function setPicking(on) {
    picking = on;
    viewer.pick(on);
    element("pick").ariaPressed = String(on);
  }

  async function run() {
    const mine = ++turn;
    const { spot, parts } = state();
    const tried = photo;
    const by = model;
    if (spot === null || parts.has(by)) {
      running = false;
      onChange();
      return;
    }
    running = true;
    onChange();
    let answer;
    try {
      answer = await service.tryPart(tried.key, by, spot);
    } catch (error) {
      answer = { error: error.message };
    }
    if (spot === tried.tried?.spot) parts.set(by, answer);
    if (mine === turn) running = false;
    onChange();
  }

  element("pick").addEventListener("click", () => {
    setPicking(!picking);
    if (picking) viewer.focus();
    onChange();
  });
  element("try").addEventListener("toggle", onChange);
  element("again").addEventListener("click", () => onAgain(photo, model));

  return {
    offer(methods, fast) {
      model = fast;
      for (const method of methods) {
        titles.set(method.model, method.title);
        const label = document.createElement("label");
        const radio = Object.assign(document.createElement("input"), {
          type: "radio", name: "method", value: method.model, checked: method.model === model,
        });
        const title = Object.assign(document.createElement("span"), { textContent: method.title });
        const words = Object.assign(document.createElement("small"), { textContent: method.words });
        label.append(radio, title, words);
        element("methods").append(label);
        radio.addEventListener("change", () => {
          model = method.model;
          run();
        });
      }
    },
    choose(other) {
      photo = other;
      turn += 1;
      running = false;
      setPicking(false);
      waited = null;
    },
    at(spot) {
      if (!photo?.job.width) return;
      photo.tried = { spot, parts: new Map() };
      if (!idle()) setPicking(false);
      run();
    },
    stopPicking() {
      if (photo && !idle()) setPicking(false);
      onChange();
    },
    patch() {
      const found = photo && part();
      return found?.after ? `photos/${photo.key}/${found.after}` : null;
    },
    hint() {
      if (!picking) return "";
      return idle() ? "Click a place to see it restored first" : "Click a place, or move it with arrow keys and press Enter";
    },
    draw() {
      const ready = Boolean(photo.job.width) && photo.job.state !== "gone";
      element("try").hidden = !ready;
      if (!ready) return;
      if (waited !== idle()) {  // a photo that waits can be tried at once, a result is looked at first
        waited = idle();
        setPicking(waited);
        element("try").open = waited;
        element("trytitle").textContent = waited ? "Try it on a part first" : "Try another method";
      }
      const { spot } = state();
      viewer.mark(element("try").open && (spot !== null || picking), spot);
      element("how").textContent = idle()
        ? "While the photo waits: click a place in it to see 256 × 256 pixels restored first."
        : "Choose a place and a method, and compare before you restore the whole photo again.";
      element("pick").hidden = idle();
      const found = part();
      element("trying").hidden = !running;
      element("trying").textContent = running ? `Restoring this part by “${titles.get(model)}”` : "";
      element("part").hidden = !found || running;
      if (!found || running) return;
      element("loupe").hidden = Boolean(found.error);
      element("judged").textContent = found.error ?? verdict({ job: { ...found, state: "done" } }).title;
      element("again").hidden = Boolean(found.error) || (model === photo.job.model && photo.job.state !== "failed");
      if (found.error) return;
      const address = (name) => `photos/${photo.key}/${name}`;
      loupe.show({ ...found, name: "Part", before: address(found.before), after: address(found.after) });
      loupe.mark(false, null);
    },
  };
}
