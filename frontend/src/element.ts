/** An element with attributes and children, in one line. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...children: (string | Node)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Words from the server, in which `this` is what a person types or a program is called. */
export function words(text: string): (string | Node)[] {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}
