/** What this browser remembers of how its reader wants the pages: theme, language, shortcuts. Nothing else is kept. */
export type Theme = "system" | "light" | "dark";

const PREFIX = "sallyport.";

/** Storage may be forbidden or full: then nothing is remembered, and the pages work all the same. */
export function recall(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // as above
  }
}

export const themeOf = (text: string | null): Theme =>
  text === "light" || text === "dark" ? text : "system";

export function applyTheme(theme: Theme): void {
  if (theme === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", theme);
}

/** An event of the window: somebody asks for the list of keys. */
export const SHOW_SHORTCUTS = "sallyport-shortcuts";
