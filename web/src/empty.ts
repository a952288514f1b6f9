/** Stands for the modules of Node.js that codecs name and do not use in a browser. */
export {};
