import { t } from "./i18n.js";

const INTERVAL_MS = 15000;
const TIMEOUT_MS = 8000;

/** Ask the server how it is, and show the answer and how long it took. */
async function check() {
  const health = /** @type {HTMLElement} */ (document.getElementById("health"));
  const latency = /** @type {HTMLElement} */ (document.getElementById("latency"));
  const started = performance.now();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), TIMEOUT_MS);
  let isHealthy = false;
  try {
    const response = await fetch("/health", { cache: "no-store", credentials: "omit", signal: deadline.signal });
    isHealthy = response.ok && (await response.json()).status === "healthy";
  } catch {
    isHealthy = false;
  } finally {
    clearTimeout(timer);
  }
  const state = isHealthy ? "good" : "bad";
  if (health.dataset.state !== state) {
    health.dataset.state = state;
    health.textContent = t(isHealthy ? "status.good" : "status.bad");
  }
  latency.textContent = isHealthy ? t("status.latency", { count: Math.round(performance.now() - started) }) : "—";
}

void check();
setInterval(() => {
  if (!document.hidden) void check();
}, INTERVAL_MS);
