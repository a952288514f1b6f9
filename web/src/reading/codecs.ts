/** The decoders of compressed frames: WebAssembly modules, each started when the first frame needs it. */

import charls from "@cornerstonejs/codec-charls/decodewasmjs";
import turbo from "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs";
import openjpeg from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import { Decoder as LosslessDecoder } from "jpeg-lossless-decoder-js";

export type CodecName = "openjpeg" | "charls" | "libjpegturbo";

/** Gives the WebAssembly of a codec. */
export type CodecLoader = (name: CodecName) => Promise<ArrayBuffer>;

export interface DecodedFrame {
  /** Little-endian samples, `components` of them for each pixel. */
  bytes: Uint8Array<ArrayBuffer>;
  width: number;
  height: number;
  bitsPerSample: number;
  isSigned: boolean;
  components: number;
}

interface FrameInfo {
  width: number;
  height: number;
  bitsPerSample: number;
  isSigned: boolean;
  componentCount: number;
}

interface FrameDecoder {
  getEncodedBuffer(size: number): Uint8Array;
  getDecodedBuffer(): Uint8Array;
  decode(): void;
  getFrameInfo(): FrameInfo;
  delete(): void;
}

interface CodecModule {
  J2KDecoder?: new () => FrameDecoder;
  JpegLSDecoder?: new () => FrameDecoder;
  JPEGDecoder?: new () => FrameDecoder;
}

const FACTORIES = { openjpeg, charls, libjpegturbo: turbo };

export class Codecs {
  private readonly modules = new Map<CodecName, Promise<CodecModule>>();

  constructor(private readonly load: CodecLoader) {}

  /** @throws Error where the frame is damaged. */
  async decode(name: CodecName, frame: Uint8Array): Promise<DecodedFrame> {
    const module = await this.open(name);
    const Kind = module.J2KDecoder ?? module.JpegLSDecoder ?? module.JPEGDecoder;
    if (Kind === undefined) throw new Error(`the codec ${name} holds no decoder`);
    const decoder = new Kind();
    try {
      decoder.getEncodedBuffer(frame.length).set(frame);
      decoder.decode();
      const info = decoder.getFrameInfo();
      return {
        bytes: decoder.getDecodedBuffer().slice(),
        width: info.width,
        height: info.height,
        bitsPerSample: info.bitsPerSample,
        isSigned: info.isSigned ?? false,
        components: info.componentCount,
      };
    } catch (error) {
      this.modules.delete(name); // what an aborted module holds is not trusted again
      throw error;
    } finally {
      if (this.modules.has(name)) decoder.delete();
    }
  }

  private open(name: CodecName): Promise<CodecModule> {
    let opened = this.modules.get(name);
    if (opened === undefined) {
      opened = this.load(name).then((wasmBinary) => {
        const silent = (): void => undefined;
        return FACTORIES[name]({ wasmBinary, print: silent, printErr: silent }) as Promise<CodecModule>;
      });
      this.modules.set(name, opened);
    }
    return opened;
  }
}

/** A lossless JPEG frame (process 14) as little-endian bytes of 8 or 16 bits. */
export function decodeLossless(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = frame.slice();
  return new Uint8Array(new LosslessDecoder().decompress(whole.buffer, 0, whole.length));
}
