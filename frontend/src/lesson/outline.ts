/** Shows in the outline which section is being read. */
export function startOutline(links: HTMLAnchorElement[], root: Element | null): void {
  const sections = new Map<Element, HTMLAnchorElement>();
  for (const link of links) {
    const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (section) sections.set(section, link);
  }
  const watcher = new IntersectionObserver(
    (entries) => {
      const reached = entries.filter((entry) => entry.isIntersecting).at(-1);
      if (!reached) return;
      for (const link of links) link.removeAttribute("aria-current");
      sections.get(reached.target)?.setAttribute("aria-current", "true");
    },
    { root, rootMargin: "0px 0px -70% 0px" },
  );
  for (const section of sections.keys()) watcher.observe(section);
}
