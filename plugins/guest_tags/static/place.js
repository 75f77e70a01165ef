// Where the reader is: the tab in the query, what is chosen there behind the "#". Never a guest's id. In Airflow's frame the address
// of the whole window says the same, so that it can be sent to somebody else and survives a reload.

export const TABS = ["rules", "guest", "exports", "state", "numbers"];
const FRAME = "/plugin/guest-tags";

const parent = () => {
  try {
    return window.parent === window || !window.parent.location.pathname.includes(FRAME) ? null : window.parent;
  } catch {
    return null; // framed by another origin
  }
};

// Returns { tab, chosen }: `chosen` maps names such as tag to what the address says of them; unknown tabs are the first.
export function parse(search, hash) {
  const tab = new URLSearchParams(search).get("tab");
  return { tab: TABS.includes(tab) ? tab : TABS[0], chosen: Object.fromEntries(new URLSearchParams(hash.replace(/^#/, ""))) };
}

export function write({ tab, chosen }) {
  const hash = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString();
  return `?tab=${tab}${hash && `#${hash}`}`;
}

function first() {
  const { search, hash } = window.location;
  const outer = parent()?.location; // a link to the plugin itself hands nothing on to the frame
  return search || hash || !outer ? parse(search, hash) : parse(outer.search, outer.hash);
}

export const place = first();
let heard = () => {};

function mirror() {
  const outer = parent();
  if (!outer) return;
  const { pathname } = outer.location;
  const address = pathname.slice(0, pathname.indexOf(FRAME)) + FRAME + window.location.pathname + write(place);
  outer.history.replaceState(outer.history.state, "", address);
}

// Goes to another tab, a step that Back undoes.
export function goTo(tab, chosen = {}) {
  Object.assign(place, { tab, chosen });
  window.history.pushState(null, "", write(place));
  mirror();
  heard();
}

// Notes what was chosen in this tab; an empty value takes it out.
export function note(name, value) {
  place.chosen = { ...place.chosen, [name]: value };
  window.history.replaceState(window.history.state, "", write(place));
  mirror();
}

// `hear` is told whenever the place has changed, also by Back and Forward.
export function begin(hear) {
  heard = hear;
  window.history.replaceState(window.history.state, "", write(place));
  mirror();
  window.addEventListener("popstate", () => {
    Object.assign(place, parse(window.location.search, window.location.hash));
    mirror();
    heard();
  });
}
