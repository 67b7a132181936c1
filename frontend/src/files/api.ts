/** The machine's files over HTTP: docs/files.md. Every call raises LabError, in the server's words. */
import { call } from "../lab/api";
import { randomHex } from "../random";

export type Kind = "folder" | "file" | "other" | "broken";

export interface Entry {
  name: string;
  kind: Kind;
  link: boolean;
  size: number;
  modified: number;
}

export interface Folder {
  entries: Entry[];
  total: number;
  counted: boolean;
}

export const UPLOAD_MAX = 64 * 1024 * 1024;
const PART = 1024 * 1024;

export class Files {
  constructor(private readonly lab: string) {}

  folder(path: string): Promise<Folder> {
    return call<Folder>("GET", this.url("", { path }));
  }

  read(path: string): Promise<{ text: string; tag: string }> {
    return call("GET", this.url("text", { path }));
  }

  /** `expected`: the tag it was read with, `new` where there is to be none yet, or `any`. */
  save(path: string, expected: string, text: string): Promise<{ tag: string }> {
    return call("POST", this.url("save", { path, expected }), new Blob([text]));
  }

  makeFolder(path: string): Promise<unknown> {
    return call("POST", this.url("folder"), { path });
  }

  move(path: string, to: string): Promise<unknown> {
    return call("POST", this.url("move"), { path, to });
  }

  delete(path: string): Promise<unknown> {
    return call("POST", this.url("delete"), { path });
  }

  /** The address to download from, once the server has said that it can be. */
  async download(path: string): Promise<string> {
    await call("GET", this.url("measure", { path }));
    return this.url("download", { path });
  }

  /** Part by part; `sent` hears the bytes that are there. Aborted, nothing of it stays. */
  async upload(path: string, file: Blob, replace: boolean, signal: AbortSignal, sent: (bytes: number) => void): Promise<void> {
    const upload = randomHex(8);
    const how = { path, upload, total: String(file.size), replace: replace ? "1" : "0" };
    try {
      for (let offset = 0; offset < file.size || offset === 0; offset += PART) {
        signal.throwIfAborted();
        await call("POST", this.url("upload", { ...how, offset: String(offset) }), file.slice(offset, offset + PART));
        sent(Math.min(offset + PART, file.size));
      }
    } catch (error) {
      void call("POST", this.url("cancel"), { path, upload }).catch(() => undefined);
      throw error;
    }
  }

  private url(name: string, query: Record<string, string> = {}): string {
    const asked = new URLSearchParams(query).toString();
    return `/labs/${this.lab}/files/${name}${asked ? `?${asked}` : ""}`;
  }
}
