/** `npm start [-- options of cairn serve]`: installs, builds what is out of date, and serves. */
await import("./node-version.mjs");
await import("./install.mjs");
await import("./build.mjs");
process.argv.splice(2, 0, "serve");
await import("../packages/cli/bin/cairn.mjs");
