// Finding a satellite by id, name, plane or preset.

import { element } from "./format.js";

const SHOWN = 12;

export class Search {
  constructor(input, list, data, open) {
    Object.assign(this, { input, list, data, open, chosen: 0, found: [] });
    input.addEventListener("input", () => this._find());
    input.addEventListener("focus", () => this._find());
    input.addEventListener("blur", () => setTimeout(() => this._show([]), 150));
    input.addEventListener("keydown", (event) => this._key(event));
  }

  _find() {
    const words = this.input.value.trim().toLowerCase().replaceAll("_", " ");
    const { ids, names, planes, plane, presets, preset } = this.data, found = [];
    if (words) {
      for (let row = 0; row < ids.length && found.length < SHOWN; row += 1) {
        const text = `${ids[row]} ${names[row]} ${planes[plane[row]]} ${presets[preset[row]]}`.toLowerCase().replaceAll("_", " ");
        if (text.includes(words)) found.push(row);
      }
    }
    this.chosen = 0;
    this._show(found);
  }

  _show(found) {
    this.found = found;
    this.list.hidden = !found.length;
    this.list.replaceChildren(...found.map((row, k) => element("li", { role: "option", "aria-selected": String(k === this.chosen), onpointerdown: () => this._go(row) },
      element("span", {}, this.data.names[row] || this.data.ids[row]), element("span", { class: "muted" }, (this.data.planes[this.data.plane[row]] ?? "").replaceAll("_", " ")))));
  }

  _key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      this.chosen = Math.max(0, Math.min(this.found.length - 1, this.chosen + step));
      this._show(this.found);
    } else if (event.key === "Enter" && this.found.length) {
      this._go(this.found[this.chosen]);
    } else if (event.key === "Escape") {
      this.input.value = "";
      this.input.blur();
    }
    event.stopPropagation();
  }

  _go(row) {
    this.input.value = "";
    this.input.blur();
    this._show([]);
    this.open(row);
  }
}
