// Keeps the page up to date and asks before what cannot be undone. Everything can be read without it.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const two = (n) => String(n).padStart(2, "0");
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

  const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  const ago = (d) => {
    const s = Math.max(0, Math.floor((Date.now() - d) / 1000));
    if (s < 60) return `${s} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    return s < 172800 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} days ago`;
  };
  const localise = (root) => {
    for (const t of $$("time[data-clock]", root)) t.textContent = clock(new Date(t.dateTime));
    for (const t of $$("time[data-dated]", root)) {
      const d = new Date(t.dateTime);
      t.textContent = `${two(d.getDate())} ${months[d.getMonth()]} ${clock(d)}`;
    }
  };
  const age = () => { for (const t of $$("time[data-ago]")) t.textContent = ago(new Date(t.dateTime)); };

  const refresh = (root) => { localise(root); age(); };
  refresh(document);
  setInterval(age, 1000);
  for (const z of $$("[data-zone]")) z.textContent = `Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;

  // Dialogs
  const ask = document.getElementById("ask");
  let asking = null;
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.dialog).showModal();
      return;
    }
    const dialog = event.target.closest("dialog");
    if (dialog && event.target.closest("[data-close]")) { event.preventDefault(); dialog.close(); return; }
    if (dialog === ask && event.target.closest("[data-yes]")) {
      ask.close();
      const [form, button] = asking;
      form.dataset.sure = "yes";
      form.requestSubmit(button);
      return;
    }
    const copier = event.target.closest("[data-copy]");
    if (copier) copy(copier);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.ask && form.dataset.sure !== "yes") {
      event.preventDefault();
      asking = [form, event.submitter];
      ask.querySelector("p").textContent = form.dataset.ask;
      ask.querySelector("[data-yes]").textContent = event.submitter ? event.submitter.textContent : "Yes";
      ask.showModal();
      return;
    }
    // A second click while the first is under way does nothing. Buttons stay enabled until their value was read.
    if (form.dataset.sent === "yes") { event.preventDefault(); return; }
    if (form.method === "post") form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => { for (const form of $$("form")) { delete form.dataset.sent; delete form.dataset.sure; } });

  const copy = async (button) => {
    const text = document.getElementById(button.dataset.copy).textContent;
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it and copy by hand";
    }
    setTimeout(() => { button.textContent = before; }, 1600);
  };

  // The stream
  const live = document.body.dataset.live;
  if (!live || !window.EventSource) return;
  const stale = document.querySelector(".stale");
  const put = (name, html) => {
    const part = document.querySelector(`[data-part="${name}"]`);
    // What a person is using is not taken away under the hand.
    if (!part || part.contains(document.activeElement) || (asking && ask.open && part.contains(asking[0]))) return;
    const known = new Set($$("tr", part).map((row) => row.textContent));
    part.innerHTML = html;
    refresh(part);
    if (name === "feed") for (const row of $$("tbody tr", part)) row.classList.toggle("new", !known.has(row.textContent));
  };
  const reload = async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = document.querySelector("main");
    if (main.contains(document.activeElement) && document.activeElement !== main) return;
    main.replaceWith(document.adoptNode(fresh.querySelector("main")));
    document.title = fresh.title;
    refresh(document);
  };
  const listen = () => {
    const source = new EventSource("/stream");
    source.addEventListener("open", () => { stale.hidden = true; });
    source.addEventListener("error", () => { stale.hidden = false; });
    source.addEventListener("parts", (event) => {
      const parts = JSON.parse(event.data);
      if (live === "parts") for (const [name, html] of Object.entries(parts)) put(name, html);
      else if (parts.mode) put("mode", parts.mode);
      if (live === "parts" && parts.state) document.title = `Nightdesk: ${document.querySelector("h1").textContent}`;
    });
    source.addEventListener("news", (event) => {
      if (live === "order" && JSON.parse(event.data).includes(document.body.dataset.order)) reload();
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      if (source.readyState === EventSource.CLOSED) listen();
    }, { once: true });
  };
  listen();
})();
