/** `npm start [-- options of cairn serve]`: installs, builds what is out of date, and serves. */
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Cairn needs Node 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}
await import("./install.mjs");
await import("./build.mjs");
process.argv.splice(2, 0, "serve");
await import("../packages/cli/bin/cairn.mjs");
