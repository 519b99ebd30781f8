/** Which Node runs Cairn: what Rolldown and Vite ask for, and so `engines` in package.json. Ends the process on another. */

/** @param version as `process.versions.node` says it */
export function isSupported(version) {
  const [major, minor] = version.split(".").map(Number);
  return (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;
}

if (!isSupported(process.versions.node)) {
  console.error(`Cairn needs Node 20.19 or newer of the 20s, or 22.12 or newer; this is ${process.version}.`);
  process.exit(1);
}
