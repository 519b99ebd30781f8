/** Builds the page. Everything is bundled: the page asks nobody but its own server for anything. */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  base: "./", // works behind any path
  worker: { format: "es" },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // nothing in data: URLs
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700, // three.js, loaded when a space is opened
  },
});
