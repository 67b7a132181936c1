import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/static/",
  build: {
    manifest: true,
    // The content security policy allows fonts from the site only, none from data: addresses.
    assetsInlineLimit: 0,
    // light-dark() and dvh are used as they are, so browsers from spring 2024 on.
    target: ["chrome123", "firefox124", "safari17.5"],
    rolldownOptions: { input: ["src/main.ts", "src/lesson.ts", "src/machines.ts", "src/health.ts", "src/account.ts", "src/player.ts"] },
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});
