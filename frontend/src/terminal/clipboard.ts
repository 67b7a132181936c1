/** The clipboard, also on plain http, where browsers offer no clipboard object. */

/** Throws where the browser refuses. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // Refused without focus or permission: the older way below may still be allowed.
    }
  }
  const put = (event: ClipboardEvent): void => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("copy", put, { capture: true, once: true });
  try {
    if (!document.execCommand("copy")) throw new Error("The browser refused to copy.");
  } finally {
    document.removeEventListener("copy", put, { capture: true });
  }
}

/** Null where a page may not read the clipboard; the person can still press Ctrl+V. */
export async function readClipboard(): Promise<string | null> {
  try {
    return (await navigator.clipboard?.readText()) ?? null;
  } catch {
    return null;
  }
}
