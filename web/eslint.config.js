import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "build.mjs", "eslint.config.js"] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      complexity: ["error", 20],
      "max-lines": ["error", 300],
      "max-lines-per-function": ["error", 80],
      "@typescript-eslint/no-floating-promises": "error",
    },
  },
);
