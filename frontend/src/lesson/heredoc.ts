/** A command that writes `content` to `path`, for a shell at its prompt. */
export function heredoc(path: string, content: string): string {
  let mark = "END";
  while (content.split("\n").includes(mark)) mark += "_";
  const folder = path.slice(0, path.lastIndexOf("/"));
  const make = folder ? `mkdir -p ${quote(folder)} && ` : "";
  return `${make}cat > ${quote(path)} <<'${mark}'\n${content.replace(/\n*$/, "\n")}${mark}`;
}

function quote(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
