// The list of photos: a picture, a name, a line of news, and a bar while one is restored.

import { brief } from "./words.js";

function make(parent, tag, properties) {
  const made = Object.assign(document.createElement(tag), properties);
  parent.append(made);
  return made;
}

export function makeList(parent, { onChoose, onRemove }) {
  const rows = new Map();  // by photo

  function makeRow(photo) {
    const item = make(parent, "li", {});
    const button = make(item, "button", { type: "button", className: "photo" });
    const picture = make(button, "img", { alt: "", hidden: true, width: 56, height: 56 });
    const blank = make(button, "span", { className: "blank" });
    const text = make(button, "span", { className: "text" });
    make(text, "span", { className: "name", textContent: photo.name, title: photo.name });
    const news = make(text, "span", { className: "small" });
    const bar = make(text, "progress", { max: 1, hidden: true, ariaHidden: "true" });
    const cross = make(item, "button", {
      type: "button", className: "remove", textContent: "×", title: "Remove", ariaLabel: `Remove ${photo.name}`,
    });
    button.addEventListener("click", () => onChoose(photo));
    cross.addEventListener("click", () => onRemove(photo));
    return { item, button, picture, blank, news, bar };
  }

  return {
    draw(photos, chosen, pictureOf) {
      for (const [photo, row] of rows) {
        if (photos.includes(photo)) continue;
        row.item.remove();
        rows.delete(photo);
      }
      for (const photo of photos) {
        if (!rows.has(photo)) rows.set(photo, makeRow(photo));
        const row = rows.get(photo);
        row.button.ariaCurrent = String(photo === chosen);
        row.item.dataset.state = photo.job.state;
        const words = brief(photo);
        if (row.news.textContent !== words) row.news.textContent = words;
        row.bar.hidden = photo.job.state !== "working";
        row.bar.value = photo.job.share;
        const source = pictureOf(photo);
        row.picture.hidden = source === null;
        row.blank.hidden = source !== null;
        if (source !== null && row.picture.getAttribute("src") !== source) row.picture.src = source;
      }
    },
  };
}
