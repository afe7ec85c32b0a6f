const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// XML and HTML forbid most control characters, even as references; a label that holds one shows the replacement character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffe\uffff]/g;

/** Text as content or as a quoted attribute of HTML and SVG. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] as string).replace(forbidden, "\ufffd");
}

/** JSON for a `<script type="application/json">`: no `<` can end the element; NaN and infinities become null. */
export function embedJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** A number to `digits` significant figures, plain where that is readable, with a true minus sign. */
export function formatSignificant(value: number, digits = 4): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const magnitude = Math.abs(value);
  if (magnitude === 0) return "0";
  const [mantissa = "", exponent = "0"] = magnitude.toExponential(digits - 1).split("e");
  const power = Number(exponent);
  const sign = value < 0 ? "−" : "";
  if (power < -3 || power > Math.max(6, digits))
    return `${sign}${trimZeros(mantissa)}e${power < 0 ? "−" : ""}${Math.abs(power)}`;
  return sign + trimZeros(magnitude.toFixed(Math.max(0, digits - 1 - power)));
}

function trimZeros(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}

/** A number to so many decimals, with a true minus sign. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e9) return formatSignificant(value);
  const text = Math.abs(value).toFixed(decimals);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** A duration: "41 ms", "1.46 s", "83.2 s", "12 min 05 s", "3 h 07 min". */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds < 0.9995) return `${formatSignificant(seconds * 1000, 3)} ms`;
  if (seconds < 119.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (whole < 7200) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** A time in ISO's form to the second, as read by people: "2024-01-02 03:04:05 UTC". */
export const formatTime = (iso: string): string => iso.replace(/^(.*)T(.*?)(?:\.\d+)?Z$/, "$1 $2 UTC");

/** An integer with thin spaces between groups of three digits. */
export function formatCount(value: number): string {
  return formatFixed(Math.round(value), 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}
