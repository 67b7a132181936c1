/** Paths as the server has them: absolute, their bytes percent-encoded. A name is shown as text, whatever bytes it has. */
import { t } from "../i18n";

export const HOME = "/root";
const NAME_MAX = 255;

/** A typed name as part of a path. */
export function encodeName(name: string): string {
  return encodeURIComponent(name).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A path as people write it, as the server wants it. */
export const encodePath = (path: string): string => path.split("/").map(encodeName).join("/");

export function decodeName(name: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < name.length; at++) {
    if (name[at] === "%") {
      bytes.push(parseInt(name.slice(at + 1, at + 3), 16));
      at += 2;
    } else bytes.push(name.charCodeAt(at));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** What would break a line or turn the direction of the text is shown as a sign of its own: a name cannot look like another. */
export function shown(name: string): string {
  return decodeName(name).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "\u{fffd}");
}

export const join = (folder: string, name: string): string => (folder === "/" ? `/${name}` : `${folder}/${name}`);
export const parent = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";
export const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
export const within = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);

/** What is wrong with a name a person typed, or null. */
export function problem(name: string): string | null {
  if (!name) return t("Type a name.");
  if (name.includes("/")) return t("A name has no slash.");
  if (name === "." || name === "..") return t("That name is taken by the system.");
  if (name.includes("\0") || new TextEncoder().encode(name).length > NAME_MAX) return t("A name has {count} bytes at most.", { count: NAME_MAX });
  return null;
}
