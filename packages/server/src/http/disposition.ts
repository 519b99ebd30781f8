/** `Content-Disposition` (RFC 6266): a name in ASCII for everybody, and the real one for those who know how. */
export function disposition(kind: "inline" | "attachment", name: string): string {
  const plain = name.replace(/[^\x20-\x7e]/g, "_").replace(/["\\]/g, "\\$&");
  const whole = /^[\x20-\x7e]*$/.test(name)
    ? ""
    : `; filename*=UTF-8''${encodeURIComponent(name).replace(/['()*]/g, hex)}`;
  return `${kind}; filename="${plain}"${whole}`;
}

function hex(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
}
