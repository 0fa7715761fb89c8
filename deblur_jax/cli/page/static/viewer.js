// Two pictures of one size, one over the other, with a divider, zoom and a place to choose.

const STEP = 2;  // per cent that an arrow key moves the divider
const MOVE = 40;  // pixels of the screen that an arrow key moves the picture
const STILL = 5;  // pixels of the screen that a click may move
const SIDE = 256;  // pixels of a part

const limit = (value, low, high) => Math.min(Math.max(value, low), high);

function make(parent, name, tag = "div") {
  const made = document.createElement(tag);
  made.className = name;
  parent.append(made);
  return made;
}

// options: most, the largest zoom of "fit"; onZoom(fits) and onPick(across, down) are called.
export function makeViewer(stage, { most = 1.5, onZoom = () => {}, onPick = () => {} } = {}) {
  const sheet = make(stage, "sheet");
  const before = make(sheet, "before", "img");
  const after = make(sheet, "after", "img");
  const patch = make(sheet, "patch", "img");
  const place = make(sheet, "place");
  const handle = make(stage, "handle");
  const labels = ["Before", "After"].map((word) => {
    const label = make(stage, "label");
    label.textContent = word;
    return label;
  });
  Object.assign(stage, { tabIndex: 0, role: "group" });
  stage.ariaLabel = "Photo; the arrow keys move it when it is enlarged";
  for (const picture of [before, after, patch]) picture.draggable = false;
  patch.alt = "The part that was tried";
  Object.assign(handle, { tabIndex: 0, role: "slider" });
  handle.ariaLabel = "Divider between before and after";
  Object.assign(handle, { ariaValueMin: "0", ariaValueMax: "100" });

  let shown = { width: 1, height: 1 };
  let at = 50;  // per cent of the visible picture left of the divider
  let zoom = null;  // screen pixels a pixel; null fits
  let middle = [0.5, 0.5];  // of the stage, as a share of the picture
  let picking = false;
  let spot = [0.5, 0.5];  // middle of the place
  let tried = null;  // where the place was when its part was tried

  function scale() {
    const fits = Math.min(stage.clientWidth / shown.width, stage.clientHeight / shown.height, most);
    return zoom === null ? fits : zoom / window.devicePixelRatio;
  }

  function layout() {
    const size = [shown.width * scale(), shown.height * scale()];
    const room = [stage.clientWidth, stage.clientHeight];
    const start = size.map((length, axis) => {
      if (length <= room[axis]) middle[axis] = 0.5;
      const half = room[axis] / 2 / length;
      if (length > room[axis]) middle[axis] = limit(middle[axis], half, 1 - half);
      return room[axis] / 2 - middle[axis] * length;
    });
    Object.assign(sheet.style, {
      left: `${start[0]}px`, top: `${start[1]}px`, width: `${size[0]}px`, height: `${size[1]}px`,
    });
    const left = Math.max(start[0], 0);
    const right = Math.min(start[0] + size[0], room[0]);
    const divider = left + (at / 100) * (right - left);
    after.style.clipPath = `inset(0 0 0 ${divider - start[0]}px)`;
    handle.style.left = `${divider}px`;
    handle.ariaValueNow = String(Math.round(at));
    handle.ariaValueText = `${Math.round(at)} % before, ${Math.round(100 - at)} % after`;
    const top = Math.max(start[1], 0);
    handle.style.top = `${top}px`;
    handle.style.height = `${Math.min(start[1] + size[1], room[1]) - top}px`;
    labels[0].style.left = `${left + 10}px`;
    labels[1].style.right = `${room[0] - right + 10}px`;
    for (const label of labels) label.style.top = `${top + 10}px`;
    labels[0].classList.toggle("faint", divider - left < 80);
    labels[1].classList.toggle("faint", right - divider < 70);
    stage.classList.toggle("large", size[0] > room[0] + 1 || size[1] > room[1] + 1);
    stage.classList.toggle("pixels", zoom >= 2);
    const box = [SIDE / shown.width, SIDE / shown.height].map((share) => Math.min(share, 1));
    for (const [piece, position] of [[place, spot], [patch, tried ?? spot]]) {
      const corner = position.map((share, axis) => limit(share - box[axis] / 2, 0, 1 - box[axis]));
      Object.assign(piece.style, {
        left: `${100 * corner[0]}%`, top: `${100 * corner[1]}%`,
        width: `${100 * box[0]}%`, height: `${100 * box[1]}%`,
      });
    }
    return { left, right, start, size };
  }

  function sharpen() {  // loads the whole pictures where the reduced ones show fewer pixels
    if (!shown.wholeBefore || scale() * shown.width * window.devicePixelRatio <= 1.05 * before.naturalWidth) return;
    for (const [picture, address] of [[before, shown.wholeBefore], [after, shown.wholeAfter]]) {
      if (!address || picture.getAttribute("src") === address) continue;
      const whole = new Image();
      whole.src = address;
      whole.decode().then(() => {
        if (address === shown.wholeBefore || address === shown.wholeAfter) picture.src = address;
      }, () => {});
    }
  }

  function zoomTo(value, across = null, down = null) {
    zoom = value;
    if (across !== null) middle = [across, down];
    layout();
    sharpen();
    onZoom(zoom);
  }

  function where(event) {
    const { start, size } = layout();
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top].map(
      (position, axis) => limit((position - start[axis]) / size[axis], 0, 1));
  }

  function slide(event) {
    const { left, right } = layout();
    at = limit(100 * (event.clientX - stage.getBoundingClientRect().left - left) / (right - left), 0, 100);
    layout();
  }

  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const pans = picking || (event.target !== handle && stage.classList.contains("large"));
    drag = { pans, picks: picking, x: event.clientX, y: event.clientY };
    stage.setPointerCapture(event.pointerId);
    stage.classList.toggle("panning", pans);
    (pans ? stage : handle).focus({ preventScroll: true });
    if (!pans) slide(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (picking && drag === null) {
      spot = where(event);
      layout();
    }
    if (drag === null) return;
    if (drag.picks && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < STILL) return;
    drag.picks = false;
    if (drag.pans) {
      middle[0] -= (event.clientX - drag.x) / (shown.width * scale());
      middle[1] -= (event.clientY - drag.y) / (shown.height * scale());
      Object.assign(drag, { x: event.clientX, y: event.clientY });
      layout();
    } else {
      slide(event);
    }
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    stage.addEventListener(kind, (event) => {
      if (kind === "pointerup" && drag?.picks) {
        spot = where(event);
        layout();
        onPick(...spot);
      }
      drag = null;
      stage.classList.remove("panning");
    });
  }
  stage.addEventListener("dblclick", (event) => {
    if (!picking) zoomTo(zoom === null ? 1 : null, ...where(event));
  });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const fit = Math.min(stage.clientWidth / shown.width, stage.clientHeight / shown.height) * window.devicePixelRatio;
    const next = limit(scale() * window.devicePixelRatio * Math.exp(-event.deltaY / 200), Math.min(fit, 1), 8);
    zoomTo(next <= fit * 1.01 ? null : next, ...(zoom === null ? where(event) : middle));
  }, { passive: false });

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  handle.addEventListener("keydown", (event) => {
    if (picking) return;
    const [right, down] = arrows[event.key] ?? [0, 0];
    const value = { Home: 0, End: 100 }[event.key] ?? at + (right - down) * STEP * (event.shiftKey ? 5 : 1);
    if (!(event.key in arrows || ["Home", "End"].includes(event.key))) return;
    event.preventDefault();
    event.stopPropagation();
    at = limit(value, 0, 100);
    layout();
  });
  stage.addEventListener("keydown", (event) => {
    const direction = arrows[event.key];
    if (picking && event.key === "Enter") {
      event.preventDefault();
      onPick(...spot);
    } else if (direction) {
      event.preventDefault();
      const shares = direction.map((sign, axis) => sign * MOVE / ([shown.width, shown.height][axis] * scale()));
      if (picking) spot = spot.map((share, axis) => limit(share + shares[axis], 0, 1));
      else middle = middle.map((share, axis) => share + shares[axis]);
      layout();
    }
  });
  new ResizeObserver(() => layout()).observe(stage);

  return {
    // picture: width, height, before, and after, wholeBefore, wholeAfter, patch if there are any.
    show(picture) {
      if (picture.before !== shown.before || picture.after !== shown.after) {
        before.src = picture.before;
        if (picture.after) after.src = picture.after;
        at = picture.before === shown.before ? at : 50;
      }
      if (picture.before !== shown.before) {
        zoom = null;
        onZoom(zoom);
      }
      if (picture.patch) patch.src = picture.patch;
      patch.hidden = !picture.patch;
      shown = picture;
      before.alt = `${picture.name}, before`;
      after.alt = `${picture.name}, after`;
      after.hidden = !picture.after;
      stage.classList.toggle("single", !picture.after);
      layout();
      sharpen();
    },
    zoomTo,
    strengthen(share) { after.style.opacity = String(share); },
    pick(on) {
      picking = on;
      stage.classList.toggle("picking", on);
    },
    mark(on, position) {  // shows the place of a part, which stays where it is for the same position
      place.hidden = !on;
      if (position !== tried) {
        tried = position;
        spot = position ?? [0.5, 0.5];
      }
      layout();
    },
    focus() { stage.focus(); },
  };
}
