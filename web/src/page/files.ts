/** What people drop: files, folders and zip archives, as a flat list of named files. */

import { unzipSync } from "fflate";

import { LIMITS } from "../reading/faults";
import type { NamedFile } from "./source";

const IMAGES = /\.(dcm|dicom|dic|ima|png|jpe?g|jfif|tiff?|webp|bmp|\d+)$/i;
/** Caps of one archive: what it holds, and how many files. */
const ARCHIVE = { bytes: 1024 * 2 ** 20, files: 5000 };

/** The files behind a drop; folders are searched through. */
export async function droppedFiles(transfer: DataTransfer): Promise<NamedFile[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return chosenFiles([...transfer.files]);
  const found: NamedFile[] = [];
  for (const entry of entries) await gather(entry, found, entry.isFile);
  return unpacked(found);
}

/** The files of a file dialog. */
export function chosenFiles(files: File[]): Promise<NamedFile[]> {
  return unpacked(files.map((file) => ({ name: file.name, file })));
}

async function gather(entry: FileSystemEntry, found: NamedFile[], isNamed: boolean): Promise<void> {
  if (entry.isFile) {
    if (!isNamed && !isImageName(entry.name)) return;
    const file = await new Promise<File>((resolve, reject) => {
      (entry as FileSystemFileEntry).file(resolve, reject);
    });
    found.push({ name: entry.name, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0) return;
    for (const one of batch) await gather(one, found, false);
  }
}

function isImageName(name: string): boolean {
  if (name.startsWith(".")) return false;
  return IMAGES.test(name) || (!name.includes(".") && name !== "DICOMDIR");
}

async function unpacked(files: NamedFile[]): Promise<NamedFile[]> {
  const found: NamedFile[] = [];
  for (const one of files) {
    if (/\.zip$/i.test(one.name)) found.push(...unzipped(one.name, new Uint8Array(await one.file.arrayBuffer())));
    else found.push(one);
  }
  return found;
}

/** The images in an archive, under the last part of their names; no more is inflated than the archive declares. */
export function unzipped(name: string, archive: Uint8Array): NamedFile[] {
  let bytes = 0;
  let count = 0;
  let contents: Record<string, Uint8Array>;
  try {
    contents = unzipSync(archive, {
      filter: ({ name: path, originalSize }) => {
        const last = path.split(/[\\/]/).pop() ?? "";
        if (path.endsWith("/") || !isImageName(last) || originalSize > LIMITS.fileBytes) return false;
        bytes += originalSize;
        count += 1;
        if (bytes > ARCHIVE.bytes || count > ARCHIVE.files) {
          throw new RangeError(`${name}: holds more than ${ARCHIVE.files} files or 1 GiB; give it in parts`);
        }
        return true;
      },
    });
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith(name)) throw error;
    throw new Error(`${name}: is not a readable zip archive; unpack it and give the files`);
  }
  return Object.entries(contents).map(([path, content]) => ({
    name: path.split(/[\\/]/).pop() ?? path,
    file: new Blob([content as Uint8Array<ArrayBuffer>]),
  }));
}
