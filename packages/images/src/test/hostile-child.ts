/** Stands in for the decoding process in tests: hangs, dies or answers by the photo's fourth byte. */
process.on("disconnect", () => process.exit(0));
process.on("message", (job: { bytes: Uint8Array }) => {
  const act = job.bytes[3];
  if (act === 1) for (;;);
  if (act === 2) process.kill(process.pid, "SIGSEGV");
  const result = { mediaType: "image/jpeg", sizeBytes: job.bytes.length, width: 1, height: 1, orientation: 1 };
  process.send?.({ type: "done", result, rssBytes: act === 3 ? 2 ** 40 : 1 });
});
process.send?.({ type: "ready" });
