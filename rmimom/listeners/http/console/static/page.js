// Small things that the other modules share.

/** An element with attributes and children; text is text and never markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** What was remembered under this name, or the other value. */
export function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`rmimom-${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remember a text, where that is allowed. */
export function remember(name, text) {
  try {
    localStorage.setItem(`rmimom-${name}`, text);
  } catch {
    // The choice lasts as long as the page.
  }
}

/** Ask the server, as itself: an ended session leads to the login. Rejects if the server is away. */
export async function ask(path, more = {}) {
  const response = await fetch(path, { credentials: "same-origin", cache: "no-store", ...more });
  if (response.status === 401 || (response.redirected && new URL(response.url).pathname === "/login")) toLogin();
  return response;
}

/** To the login, and back here afterwards. */
export function toLogin() {
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** The time of day of milliseconds since 1970. */
export const clock = (at) => new Date(at).toLocaleTimeString([], { hourCycle: "h23" });

/** What the server had to say on a page.  It says it once, so it must not be lost with the page. */
export const noticesOf = (page) => [...(page.getElementById("notices")?.children ?? [])];
