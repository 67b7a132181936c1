// A web page about the container that serves it. It needs nothing but Node.js.

const http = require("node:http");
const os = require("node:os");

const port = 8080;
const started = Date.now();
let visits = 0;

// The host name and the versions come from the machine, not from a visitor, and hold no markup.
const page = () => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>It runs in a container</title>
<style>
  body { font: 18px/1.6 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; }
  h1 { line-height: 1.2; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.5rem; }
  dt { opacity: .7; }
  dd { margin: 0; font-family: ui-monospace, monospace; }
</style>
<h1>It runs in a container</h1>
<p>This page comes from a web server in a container that you built and started. Reload it and watch the numbers.</p>
<dl>
  <dt>Host name</dt><dd>${os.hostname()}</dd>
  <dt>Process</dt><dd>${process.pid}</dd>
  <dt>Node.js</dt><dd>${process.version}</dd>
  <dt>Up for</dt><dd>${Math.round((Date.now() - started) / 1000)} s</dd>
  <dt>Visits</dt><dd>${visits}</dd>
</dl>
</html>
`;

const server = http.createServer((request, response) => {
  visits += 1;
  const browser = (request.headers.accept ?? "").includes("text/html");
  response.setHeader("Content-Type", browser ? "text/html; charset=utf-8" : "text/plain; charset=utf-8");
  response.setHeader("Cache-Control", "no-store");
  response.end(browser ? page() : `Hello from container ${os.hostname()}\n`);
});

server.listen(port, () => console.log(`listening on port ${port}`));

// Process 1 gets no default reaction to signals from the kernel, so `docker stop` would wait for ten seconds and kill it.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    console.log(`${signal}: goodbye`);
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
