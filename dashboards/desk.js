// The hands of a page: what is clicked, chosen, typed or taken along is asked of the server; what it answers is done.
// `asked` and `told` are the two ends of the line between them, each one message at a time.
if (window.riskgridDesk) return
window.riskgridDesk = true

const root = document.documentElement
let count = 0, fading = null

function ask(message) {
  count += 1
  asked.data = {message: [JSON.stringify({...message, count})]}
}

// old numbers stay where they are, dimmed, until the new ones stand in their place
function dim() {
  clearTimeout(fading)
  root.style.setProperty("--fresh", "0.5")
  fading = setTimeout(() => root.style.setProperty("--fresh", "1"), 20000)
}

function bright() {
  clearTimeout(fading)
  root.style.setProperty("--fresh", "1")
}

function go(query) {
  dim()
  ask({go: query})
}

function within(event, selector) {
  return event.composedPath().find(each => each instanceof Element && each.matches(selector))
}

function everywhere(selector, from = document) {
  const found = [...from.querySelectorAll(selector)]
  for (const each of from.querySelectorAll("*")) if (each.shadowRoot) found.push(...everywhere(selector, each.shadowRoot))
  return found.filter(each => each.getClientRects().length) // other pages are there, unseen
}

// a form is handed over as it stands, one that acts at once only what has been changed in it; of the events of forms
// those that leave a shadow root are heard here
let handed = null

function hand(form, fields) {
  handed = {act: form.dataset.act, now: "now" in form.dataset, fields, down: form.querySelector(".scroll")?.scrollTop}
  form.dataset.busy = ""
  ask({act: form.dataset.act, fields})
}

function whole(form, button) {
  const fields = Object.fromEntries(new FormData(form))
  hand(form, button?.name ? {...fields, [button.name]: button.value} : fields)
}

function changed(field) {
  if (field.type == "checkbox") return hand(field.form, {[field.name]: field.checked ? "on" : ""})
  if (field.value != field.defaultValue) hand(field.form, {[field.name]: field.value})
}

// what was done is no longer in the form that asked for it, but for what was typed since; a grid is another by then, and
// the hand stays where it was
function done() {
  if (!handed) return
  const {act, now, fields, down} = handed
  handed = null
  for (const form of everywhere(`form[data-act="${act}"]`)) {
    delete form.dataset.busy
    say(form, "", [])
    if (!now) for (const field of form.elements) if (field.type == "text" && field.value == fields[field.name]) field.value = field.defaultValue
  }
  const [name] = Object.keys(fields)
  if (now || down) setTimeout(() => everywhere(`form[data-act="${act}"]`).forEach(form => {
    if (now) form.elements[name]?.focus()
    if (down) form.querySelector(".scroll").scrollTop = down
  }), 60)
}

function say(form, text, fields) {
  const place = form.querySelector("[data-said]")
  if (place) place.textContent = text
  for (const field of form.elements) field.name && (fields.includes(field.name) ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid"))
}

document.addEventListener("focusout", event => {
  const field = within(event, "form[data-now] input:not([type=checkbox])")
  if (field) changed(field)
})

document.addEventListener("click", event => {
  const ticked = within(event, "form[data-now] input[type=checkbox]")
  if (ticked) return changed(ticked)
  const acts = within(event, "form[data-act] button")
  if (acts) {
    event.preventDefault()
    return whole(acts.form, acts)
  }
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
  const taken = within(event, "[data-take]")
  if (taken) return taken.dataset.take == "png" ? picture(event, taken) : ask({take: taken.dataset.take, slot: taken.dataset.slot})
  const does = within(event, "[data-do]")
  if (does) return does.dataset.do == "dark" ? shade(root.dataset.theme != "dark") : ask({do: does.dataset.do})
  const link = within(event, "a[href^='?']") || (within(event, "tr.goes") || document.createElement("i")).querySelector("a.row")
  if (!link || String(getSelection())) return
  event.preventDefault()
  go(link.getAttribute("href"))
})

// of the two events of a choice the one that leaves a shadow root
document.addEventListener("input", event => {
  const chosen = within(event, "select[data-go]")
  if (chosen) go(chosen.value)
})

document.addEventListener("keydown", event => {
  const typing = within(event, "input, textarea, select, [contenteditable=true], [role=combobox], .tabulator-editing")
  if (event.key == "Enter" && typing?.matches?.("input[data-find]") && typing.value.trim()) {
    dim()
    return ask({find: typing.value.trim()})
  }
  const form = typing && within(event, "form[data-act]")
  if (event.key == "Enter" && form && !typing.matches("textarea")) {
    event.preventDefault()
    return "now" in form.dataset ? changed(typing) : whole(form, form.querySelector("button"))
  }
  if (event.key == "Escape" && typing) return typing.blur()
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return
  if (event.key == "/") {
    const [box] = everywhere("input[data-find]")
    if (box) { event.preventDefault(); box.focus(); box.select() }
  } else if (event.key == "Backspace") {
    const [above] = everywhere("a[data-up]")
    if (above) { event.preventDefault(); go(above.getAttribute("href")) }
  } else if (event.key == "ArrowDown" || event.key == "ArrowUp") {
    const down = event.key == "ArrowDown"
    const row = within(event, "tr")
    const links = row ? [...row.closest("table").querySelectorAll("a.row")] : everywhere("a.row")
    if (!links.length) return
    const at = links.indexOf(row?.querySelector("a.row"))
    event.preventDefault()
    links[at < 0 ? (down ? 0 : links.length - 1) : Math.min(Math.max(at + (down ? 1 : -1), 0), links.length - 1)].focus()
  }
})

addEventListener("popstate", () => go(location.search || "?"))

function shade(dark, said = true) {
  root.dataset.theme = dark ? "dark" : "light"
  document.cookie = `riskgrid-theme=${root.dataset.theme}; path=/desk; SameSite=Strict; max-age=31536000`
  if (!said) return
  dim() // figures are coloured by the server
  ask({dark})
}

function save(name, parts, type) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob(parts, {type}))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60000)
}

// all canvases of a figure on each other, on the paper of the page
function picture(event, button) {
  const path = event.composedPath(), card = path.find(each => each.host && each.querySelector?.(".card, .bk-Figure")) || document
  const figures = everywhere("canvas", card)
  const near = path.filter(each => each instanceof Element).map(each => everywhere("canvas", each)).find(found => found.length) || figures
  if (!near.length) return
  const whole = document.createElement("canvas")
  whole.width = Math.max(...near.map(each => each.width))
  whole.height = Math.max(...near.map(each => each.height))
  const paint = whole.getContext("2d")
  paint.fillStyle = getComputedStyle(root).getPropertyValue("--paper") || "white"
  paint.fillRect(0, 0, whole.width, whole.height)
  for (const each of near) if (each.width && each.height) paint.drawImage(each, 0, 0)
  whole.toBlob(blob => save(`${button.dataset.slot}.png`, [blob], "image/png"))
}

function announce(text) {
  const [place] = everywhere("[data-notice]")
  if (!place) return
  place.textContent = text
  clearTimeout(place.fading)
  place.fading = setTimeout(() => { place.textContent = "" }, 6000)
}

// pages, rows and slots that are there: each is displayed as a variable of its own says
let there = start.shown

const does = {
  shown(places) {
    for (const name in there) if (!(name in places)) root.style.setProperty(name, "none")
    for (const name in places) root.style.setProperty(name, places[name])
    there = places
  },
  fresh() { bright(); done() },
  shaded() { bright() },
  refused({act, text, fields}) {
    handed = null
    for (const form of everywhere(`form[data-act="${act}"]`)) {
      delete form.dataset.busy
      say(form, text, fields)
      form.querySelector("[aria-invalid]")?.focus()
    }
  },
  at(query) { if ((location.search || "?") != query) history.pushState(null, "", query) },
  title(text) { document.title = text },
  notice(text) { announce(text) },
  top() { scrollTo(0, 0) },
  copy(text) {
    const done = () => announce("Copied")
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, () => announce("The browser does not let pages copy; save as CSV"))
    else announce("Copying needs https; save as CSV")
  },
  save({name, type, base64}) { save(name, [Uint8Array.from(atob(base64), each => each.charCodeAt(0))], type) },
  leave(address) { location.assign(address) },
}

told.on_change ? null : null
told.properties.data.change.connect(() => {
  for (const [what, with_] of Object.entries(JSON.parse(told.data.message[0]))) does[what]?.(with_)
})

// a lost connection is said; the server's word that it is there again opens the same view anew
function lost() {
  if (window.riskgridLost) return
  window.riskgridLost = true
  const banner = document.createElement("div")
  banner.className = "lost"
  banner.setAttribute("role", "alert")
  banner.textContent = "Connection lost: these numbers are no longer live. The page opens again by itself."
  document.body.prepend(banner)
  const look = async () => {
    try {
      const answer = await fetch("/health", {cache: "no-store"})
      if (answer.ok) return location.reload()
    } catch {}
    setTimeout(look, 1000)
  }
  setTimeout(look, 500)
}
cb_context.origin?.on_event?.("connection_lost", lost)
window.riskgridLostNow = lost

const wished = /riskgrid-theme=(\w+)/.exec(document.cookie)?.[1] || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")
const dark = wished == "dark"
shade(dark, dark != (root.dataset.theme == "dark" || start.dark))
