/**
 * Photos that the server may not have yet, kept by the browser over reloads and crashes. Facts and bytes lie apart, so
 * that a list of hundreds is read without their megabytes.
 */

export type KeptPhoto = {
  /** The sender's own name for the upload: sent again under the same key, it is the same image. */
  readonly key: string;
  readonly space: string;
  readonly name: string;
  readonly takenMs: number;
  readonly sizeBytes: number;
  /** A small JPEG. */
  readonly thumbnail?: Blob;
  /** As the server named it: from here on it is durable there, and its bytes are no longer kept here. */
  readonly image?: string;
  /** Why the server will never take it. */
  readonly refusal?: string;
};

export interface PhotoShelf {
  /** Survives a reload. */
  readonly lasting: boolean;
  /** Of one space, oldest first. */
  list(space: string): Promise<KeptPhoto[]>;
  put(photo: KeptPhoto, bytes: ArrayBuffer): Promise<void>;
  bytes(key: string): Promise<ArrayBuffer | undefined>;
  /** Keeps the facts and lets the bytes go. */
  settle(photo: KeptPhoto): Promise<void>;
  remove(key: string): Promise<void>;
}

const [FACTS, BYTES] = ["photos", "bytes"];

/** In memory where the browser keeps nothing for this page: in some private windows. */
export async function openShelf(name = "cairn-capture"): Promise<PhotoShelf> {
  try {
    return databaseShelf(await openDatabase(name));
  } catch {
    return memoryShelf();
  }
}

function databaseShelf(database: IDBDatabase): PhotoShelf {
  const change = (work: (facts: IDBObjectStore, bytes: IDBObjectStore) => void) =>
    new Promise<void>((resolve, reject) => {
      // On disk before it counts: a phone whose battery dies loses nothing that was shown as kept.
      const transaction = database.transaction([FACTS, BYTES], "readwrite", { durability: "strict" });
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("The browser keeps no more photos."));
      work(transaction.objectStore(FACTS), transaction.objectStore(BYTES));
    });
  const read = <T>(store: string, ask: (store: IDBObjectStore) => IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      const request = ask(database.transaction(store).objectStore(store));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  return {
    lasting: true,
    async list(space) {
      const found = await read(FACTS, (store) => store.index("space").getAll(space) as IDBRequest<KeptPhoto[]>);
      return found.sort((a, b) => a.takenMs - b.takenMs);
    },
    put: (photo, data) =>
      change((facts, bytes) => {
        facts.put(photo);
        bytes.put(data, photo.key);
      }),
    bytes: (key) => read(BYTES, (store) => store.get(key) as IDBRequest<ArrayBuffer | undefined>),
    settle: (photo) =>
      change((facts, bytes) => {
        facts.put(photo);
        bytes.delete(photo.key);
      }),
    remove: (key) =>
      change((facts, bytes) => {
        facts.delete(key);
        bytes.delete(key);
      }),
  };
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(FACTS, { keyPath: "key" }).createIndex("space", "space");
      request.result.createObjectStore(BYTES);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function memoryShelf(): PhotoShelf {
  const kept = new Map<string, { photo: KeptPhoto; bytes?: ArrayBuffer }>();
  return {
    lasting: false,
    list: async (space) => [...kept.values()].map(({ photo }) => photo).filter((photo) => photo.space === space),
    put: async (photo, bytes) => void kept.set(photo.key, { photo, bytes }),
    bytes: async (key) => kept.get(key)?.bytes,
    settle: async (photo) => void kept.set(photo.key, { photo }),
    remove: async (key) => void kept.delete(key),
  };
}
