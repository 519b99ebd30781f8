/** Ends the thread it is in when points of photo 666 come in. To be imported before what answers messages. */
import { parentPort } from "node:worker_threads";

parentPort?.on("message", (message: { input?: { points?: { photos?: unknown } } }) => {
  if (message.input?.points?.photos === 666) process.exit(1);
});
