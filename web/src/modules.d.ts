interface CodecOptions {
  wasmBinary: ArrayBuffer;
  print(text: string): void;
  printErr(text: string): void;
}

declare module "@cornerstonejs/codec-openjpeg/decodewasmjs" {
  const create: (options: CodecOptions) => Promise<unknown>;
  export default create;
}
declare module "@cornerstonejs/codec-charls/decodewasmjs" {
  const create: (options: CodecOptions) => Promise<unknown>;
  export default create;
}
declare module "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs" {
  const create: (options: CodecOptions) => Promise<unknown>;
  export default create;
}
declare module "jpeg-lossless-decoder-js" {
  export class Decoder {
    decompress(buffer: ArrayBuffer, offset: number, length: number): ArrayBuffer;
  }
}
