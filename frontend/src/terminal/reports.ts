/** What a terminal sends by itself, in answer to a program: device attributes, cursor position, modes, colours, focus. */
// eslint-disable-next-line no-control-regex
const REPORT = /^(?:\x1b\[[?>=]?[\d;]*(?:[cnRtu]|\$y)|\x1b\[[IO]|\x1b[P\]][^\x07\x1b]*(?:\x07|\x1b\\))+$/;

/** Whether `data` is only such answers, and nothing a person typed. Source: xterm's ctlseqs, "Functions using CSI". */
export function isReport(data: string): boolean {
  return REPORT.test(data);
}
