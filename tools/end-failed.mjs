/**
 * Loaded before each test file. A test that fails in the middle may leave open what it opened, and that keeps the process
 * of its file alive till the runner's time limit: here the process ends soon after the last test. Where all tests pass
 * nothing is done, so that what is left open still shows.
 */
import { isMainThread } from "node:worker_threads";

/** Longer than a suite takes between two of its tests, for what it starts and stops. */
const GRACE_MS = 60_000;

// The runner above has these arguments, too, and workers and children of a test inherit them.
if (process.env.NODE_TEST_CONTEXT && isMainThread && /\.(test|and-more)\.js$/.test(process.argv[1] ?? "")) {
  const { afterEach, beforeEach } = await import("node:test");
  let running = 0;
  let failed = false;
  let end;
  beforeEach(() => {
    running++;
    clearTimeout(end);
  });
  afterEach((context) => {
    running--;
    failed ||= context.passed === false;
    if (failed && running === 0) end = setTimeout(() => process.exit(1), GRACE_MS).unref();
  });
}
